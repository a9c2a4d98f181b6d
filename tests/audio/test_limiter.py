"""The limiter against its ceiling, and against doing more than it has to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ace_assets.audio.limiter import Limiter, limit
from ace_assets.audio.loudness import measure
from ace_assets.audio.true_peak import true_peak_of
from tests.signals import music, peak_tone, tone

CEILING = 10 ** (-1.0 / 20)


@given(
    seed=st.integers(0, 2**16),
    frames=st.integers(1, 20_000),
    channels=st.integers(1, 2),
    rate_hz=st.sampled_from([8_000, 44_100, 48_000, 192_000]),
    gain_db=st.floats(-6.0, 20.0),
)
@settings(max_examples=40, deadline=None)
def test_the_true_peak_never_passes_the_ceiling(seed, frames, channels, rate_hz, gain_db):
    rng = np.random.default_rng(seed)
    samples = (0.2 * rng.standard_normal((frames, channels))).astype(np.float32)
    samples[rng.integers(0, frames, 5)] *= 8
    highest = limit(samples, rate_hz, gain_db=gain_db, ceiling_dbtp=-1.0)
    assert true_peak_of(samples) <= CEILING * (1 + 1e-6)
    assert highest == pytest.approx(true_peak_of(samples), rel=1e-4)


@pytest.mark.parametrize("rate_hz", [44_100, 48_000, 96_000])
def test_music_driven_into_the_ceiling_stays_under_it(rate_hz):
    samples = music(6.0, rate_hz=rate_hz, peak_dbfs=0.0)
    limit(samples, rate_hz, gain_db=6.0, ceiling_dbtp=-1.0)
    assert -1.1 <= measure(samples, rate_hz).true_peak_dbtp <= -1.0 + 1e-4


@pytest.mark.parametrize("frame", [0, 1, 30, 95, 96, 47_900])
def test_a_peak_at_either_end_is_held_by_the_envelope_alone(frame):
    samples = music(1.0, peak_dbfs=-20.0)
    samples[frame] = 0.9
    limited = np.concatenate(
        [block.copy() for _, block in Limiter(samples, 48_000).blocks(gain_db=2.0, ceiling_dbtp=-1.2)]
    )
    assert true_peak_of(limited) <= CEILING


def test_peaks_between_samples_are_limited_too():
    samples = peak_tone(4, 45.0, 0.95)
    assert np.abs(samples).max() < CEILING
    limit(samples, 48_000, ceiling_dbtp=-3.0)
    assert measure(samples, 48_000).true_peak_dbtp <= -3.0 + 1e-4


def test_below_the_ceiling_nothing_but_the_gain_is_applied():
    samples = music(5.0, peak_dbfs=-12.0)
    limited = samples.copy()
    limit(limited, 48_000, gain_db=6.0, ceiling_dbtp=-1.0)
    np.testing.assert_array_equal(limited, samples * np.float32(10 ** (6 / 20)))


def test_away_from_a_peak_nothing_but_the_gain_is_applied():
    samples = 0.25 * tone((4.0, -1.0))
    samples[96_000:96_010] = 0.99
    limited = samples.copy()
    limit(limited, 48_000, ceiling_dbtp=-6.0)
    np.testing.assert_array_equal(limited[:90_000], samples[:90_000])
    np.testing.assert_array_equal(limited[150_000:], samples[150_000:])


def test_both_channels_are_turned_down_alike_so_that_nothing_moves_in_the_room():
    samples = music(5.0, peak_dbfs=0.0)
    samples[:, 1] *= np.float32(0.3)
    limited = samples.copy()
    limit(limited, 48_000, gain_db=6.0, ceiling_dbtp=-1.0)
    audible = np.abs(samples).min(axis=1) > 1e-3
    ratio = limited[audible] / samples[audible]
    np.testing.assert_allclose(ratio[:, 0], ratio[:, 1], rtol=1e-5)


def test_the_envelope_moves_smoothly_and_is_there_before_the_peak():
    samples = np.full((48_000, 1), 0.1, np.float32)
    samples[24_000] = 0.9
    limited = samples.copy()
    limit(limited, 48_000, ceiling_dbtp=-6.0)
    envelope = np.delete(limited[:, 0] / samples[:, 0], 24_000)
    assert np.abs(np.diff(envelope)).max() < 0.01
    assert envelope[23_999] < 0.6
    assert envelope[:23_000].min() == 1.0


def test_a_plan_tells_what_limiting_then_does():
    samples = music(6.0, peak_dbfs=0.0)
    limiter = Limiter(samples, 48_000)
    planned = limiter.plan(gain_db=3.0, ceiling_dbtp=-1.0)
    limited = np.concatenate([block.copy() for _, block in limiter.blocks(gain_db=3.0, ceiling_dbtp=-1.0)])
    audible = np.abs(samples) > 1e-3
    gains = limited[audible] / samples[audible] / 10 ** (3.0 / 20)
    assert planned.max_reduction_db == pytest.approx(-20 * np.log10(gains.min()), abs=0.01)
    assert 3.0 < planned.max_reduction_db < 6.0
    assert 0.0 < planned.limited_share < 1.0


@pytest.mark.parametrize("frames", [0, 1, 63, 64, 65, 959, 961])
def test_pieces_of_any_length_are_limited(frames):
    samples = np.full((frames, 2), 0.99, np.float32)
    limit(samples, 48_000, ceiling_dbtp=-6.0)
    assert np.abs(samples).max(initial=0.0) <= 10 ** (-6 / 20)
