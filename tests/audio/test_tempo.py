"""The requested tempo is told from its neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from ace_assets.audio.spectra import views_of
from ace_assets.audio.tempo import pulse_of, tempo_bpm, tempo_match

RATE_HZ = 48_000


def clicks(bpm: float, seconds: float = 20.0) -> np.ndarray:
    samples = np.zeros((int(seconds * RATE_HZ), 1), np.float32)
    burst = (np.random.default_rng(1).standard_normal(2400) * np.exp(-np.arange(2400) / 300)).astype(np.float32)
    for beat in np.arange(0, seconds - 0.1, 60 / bpm):
        first = int(beat * RATE_HZ)
        samples[first : first + burst.size, 0] += burst
    return samples


@pytest.mark.parametrize("bpm", [60.0, 84.0, 97.0, 120.0, 171.0])
def test_a_steady_beat_has_the_tempo_at_which_it_was_played(bpm):
    pulse = pulse_of(views_of(clicks(bpm), RATE_HZ))
    assert pulse is not None
    assert tempo_match(pulse, bpm) > 0.95
    estimate = tempo_bpm(pulse)
    assert estimate is not None
    assert min(abs(estimate / bpm / octave - 1) for octave in (0.5, 1, 2)) < 0.02


def test_double_and_half_tempo_match_as_well():
    pulse = pulse_of(views_of(clicks(100.0), RATE_HZ))
    assert pulse is not None
    assert tempo_match(pulse, 50.0) > 0.9
    assert tempo_match(pulse, 200.0) > 0.7


def test_the_true_tempo_is_told_from_thirteen_percent_off_nearly_always(previews):
    told = []
    for clip in previews:
        pulse = pulse_of(views_of(clip.samples, clip.sample_rate_hz))
        assert pulse is not None
        assert clip.bpm is not None
        off = max(tempo_match(pulse, clip.bpm * 1.13), tempo_match(pulse, clip.bpm / 1.13))
        told.append(tempo_match(pulse, clip.bpm) >= 0.7 > off)
    assert np.mean(told) >= 0.95


def test_silence_and_a_few_seconds_have_no_pulse():
    assert pulse_of(views_of(np.zeros((RATE_HZ * 20, 2), np.float32), RATE_HZ)) is None
    assert pulse_of(views_of(clicks(120.0, 3.0), RATE_HZ)) is None
