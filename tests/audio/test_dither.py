"""Quantisation: the right noise, the same noise every time."""

from __future__ import annotations

import numpy as np
import pytest

from ace_assets.audio.dither import seed_of, to_pcm16, to_pcm24
from tests.signals import music


def test_the_error_of_16_bits_is_that_of_triangular_dither_and_independent_of_the_signal():
    samples = music(10.0)
    error = to_pcm16(samples, seed=1) - samples * 32768.0
    assert np.abs(error).max() <= 1.5 + 1e-3
    assert error.std() == pytest.approx(0.5, abs=0.005)  # sqrt(1/12 + 2/12) of a step
    assert abs(error.mean()) < 0.005
    assert abs(np.corrcoef(error[:, 0], samples[:, 0])[0, 1]) < 0.01
    assert abs(np.corrcoef(error[:, 0], error[:, 1])[0, 1]) < 0.01
    assert abs(np.corrcoef(error[1:, 0], error[:-1, 0])[0, 1]) < 0.01


def test_24_bits_are_left_justified_and_within_two_steps():
    samples = music(3.0)
    pcm = to_pcm24(samples, seed=1)
    assert not (pcm & 0xFF).any()
    assert np.abs(pcm / 256.0 - samples * 8388608.0).max() <= 1.5 + 1e-3


def test_blocks_get_the_noise_of_their_place():
    samples = music(3.0)
    whole = to_pcm16(samples, seed=7)
    pieces = [to_pcm16(samples[i : i + 1000], seed=7, first_frame=i) for i in range(0, len(samples), 1000)]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)
    assert not np.array_equal(to_pcm16(samples, seed=8), whole)


def test_beyond_full_scale_stops_at_full_scale():
    samples = np.array([[2.0, -2.0], [np.inf, -np.inf], [np.nan, 0.0]], np.float32)
    assert to_pcm16(samples, seed=1)[:2].tolist() == [[32767, -32768]] * 2
    assert to_pcm16(samples, seed=1)[2, 0] == 0


def test_a_seed_is_the_names_own():
    assert seed_of("a") == seed_of("a") != seed_of("b")
    assert 0 <= seed_of("a") < 2**64
