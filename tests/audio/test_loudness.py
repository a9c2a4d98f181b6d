"""The meter against the signals of EBU Tech 3341 and 3342 and against two other meters."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ace_assets.audio import codecs, true_peak
from ace_assets.audio.loudness import (
    Loudness,
    Meter,
    block_statistics,
    loudness_of,
    measure,
    measure_blocks,
    momentary_lufs,
    short_term_lufs,
)
from ace_assets.errors import AudioError
from tests.requires import needs
from tests.signals import music, peak_burst, peak_tone, tone

RATES_HZ = (8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 192_000)


@pytest.mark.parametrize(("level", "case"), [(-23.0, "1"), (-33.0, "2")])
@pytest.mark.parametrize("rate_hz", [44_100, 48_000, 96_000])
def test_ebu_3341_cases_1_and_2_a_steady_tone_reads_its_level_on_every_scale(level, case, rate_hz):
    loudness = measure(tone((20.0, level), rate_hz=rate_hz), rate_hz)
    assert loudness.integrated_loudness_lufs == pytest.approx(level, abs=0.1)
    assert loudness.momentary_max_lufs == pytest.approx(level, abs=0.1)
    assert loudness.short_term_max_lufs == pytest.approx(level, abs=0.1)


@pytest.mark.parametrize(
    ("case", "segments"),
    [
        ("3", [(10, -36), (60, -23), (10, -36)]),
        ("4", [(10, -72), (10, -36), (60, -23), (10, -36), (10, -72)]),
        ("5", [(20, -26), (20.1, -20), (20, -26)]),
    ],
)
def test_ebu_3341_cases_3_to_5_the_gates_leave_out_what_is_not_programme(case, segments):
    assert measure(tone(*segments), 48_000).integrated_loudness_lufs == pytest.approx(-23.0, abs=0.1)


def test_ebu_3341_case_9_short_term_loudness_stays_constant_when_its_window_holds_whole_periods():
    statistics = block_statistics(tone(*[(1.34, -20), (1.66, -30)] * 5), 48_000)
    assert np.abs(short_term_lufs(statistics, 1) + 23.0).max() <= 0.1


@pytest.mark.parametrize("i", range(20))
def test_ebu_3341_case_10_short_term_maximum_finds_three_seconds_wherever_they_start(i):
    loudness = measure(tone((i * 0.15, None), (3.0, -23), (1.0, None)), 48_000)
    assert loudness.short_term_max_lufs == pytest.approx(-23.0, abs=0.1)


def test_ebu_3341_case_12_momentary_loudness_stays_constant_when_its_window_holds_whole_periods():
    statistics = block_statistics(tone(*[(0.18, -20), (0.22, -30)] * 25), 48_000)
    assert np.abs(momentary_lufs(statistics, 1)[30:] + 23.0).max() <= 0.1


@pytest.mark.parametrize("i", range(20))
def test_ebu_3341_case_13_momentary_maximum_finds_400_ms_wherever_they_start(i):
    loudness = measure(tone((i * 0.02, None), (0.4, -23), (1.0, None)), 48_000)
    assert loudness.momentary_max_lufs == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize(
    ("case", "divisor", "phase", "amplitude", "expected"),
    [
        ("15", 4, 0.0, 0.50, -6.0),
        ("16", 4, 45.0, 0.50, -6.0),
        ("17", 6, 60.0, 0.50, -6.0),
        ("18", 8, 67.5, 0.50, -6.0),
        ("19", 4, 45.0, 1.41, 3.0),
    ],
)
@pytest.mark.parametrize("rate_hz", [44_100, 48_000])
def test_ebu_3341_cases_15_to_19_true_peak_sees_what_lies_between_samples(
    case, divisor, phase, amplitude, expected, rate_hz
):
    peak_dbtp = measure(peak_tone(divisor, phase, amplitude, rate_hz=rate_hz), rate_hz).true_peak_dbtp
    assert expected - 0.4 <= peak_dbtp <= expected + 0.2


@pytest.mark.parametrize("offset", range(4))
def test_ebu_3341_cases_20_to_23_true_peak_finds_one_burst_at_any_sample_offset(offset):
    assert -0.4 <= measure(peak_burst(offset), 48_000).true_peak_dbtp <= 0.2


@pytest.mark.parametrize(
    ("case", "levels", "expected"),
    [
        ("1", (-20, -30), 10.0),
        ("2", (-20, -15), 5.0),
        ("3", (-40, -20), 20.0),
        ("4", (-50, -35, -20, -35, -50), 15.0),
    ],
)
def test_ebu_3342_loudness_range_of_stepped_tones(case, levels, expected):
    loudness = measure(tone(*[(20.0, level) for level in levels]), 48_000)
    assert loudness.loudness_range_lu == pytest.approx(expected, abs=1.0)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("channels", [1, 2])
def test_integrated_loudness_agrees_with_pyloudnorm_at_every_rate(rate_hz, channels):
    samples = music(12.0, rate_hz=rate_hz, seed=rate_hz % 7, channels=channels)
    other = pyloudnorm.Meter(rate_hz, filter_class="DeMan").integrated_loudness(samples.astype(np.float64))
    assert measure(samples, rate_hz).integrated_loudness_lufs == pytest.approx(other, abs=0.05)


@needs("ffmpeg")
@pytest.mark.parametrize("rate_hz", [32_000, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("seed", [1, 2])
def test_loudness_and_true_peak_agree_with_ffmpeg(tmp_path, rate_hz, seed):
    samples = music(15.0, rate_hz=rate_hz, seed=seed, peak_dbfs=-0.5)
    path = tmp_path / "music.wav"
    codecs.write_wav(path, samples, rate_hz)
    ours = measure(samples, rate_hz)
    theirs = ffmpeg_ebur128(path)
    assert ours.integrated_loudness_lufs == pytest.approx(theirs["I"], abs=0.05)
    # ffmpeg's range also counts the windows before the first three seconds are whole.
    assert ours.loudness_range_lu == pytest.approx(theirs["LRA"], abs=1.0)
    assert ours.true_peak_dbtp == pytest.approx(theirs["Peak"], abs=0.2)


def ffmpeg_ebur128(path: Path) -> dict[str, float]:
    """Return I (three decimals), LRA and Peak as ffmpeg's ebur128 filter has them at the end."""
    measuring = "ebur128=peak=true:metadata=1,ametadata=mode=print:key=lavfi.r128.I:file=-"
    run = subprocess.run(
        ["ffmpeg", "-hide_banner", "-nostats", "-i", path, "-af", measuring, "-f", "null", "-"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    summary = run.stderr[run.stderr.rindex("Summary:") :]
    found = {name: float(re.search(rf"\b{name}:\s+(-?[\d.]+)", summary)[1]) for name in ("LRA", "Peak")}
    return found | {"I": float(re.findall(r"r128\.I=(-?[\d.]+)", run.stdout)[-1])}


@pytest.mark.parametrize("gain_db", [-20.0, -12.0, 6.0])
def test_a_gain_moves_loudness_and_peak_by_itself_and_leaves_the_range(gain_db):
    samples = music(15.0)
    before, after = measure(samples, 48_000), measure(samples * np.float32(10 ** (gain_db / 20)), 48_000)
    assert after.integrated_loudness_lufs - before.integrated_loudness_lufs == pytest.approx(gain_db, abs=0.01)
    assert after.true_peak_dbtp - before.true_peak_dbtp == pytest.approx(gain_db, abs=0.001)
    assert after.loudness_range_lu == pytest.approx(before.loudness_range_lu, abs=0.01)


@pytest.mark.parametrize("block_frames", [1_000, 48_000, 77_777])
def test_audio_that_comes_in_blocks_measures_as_it_does_at_once(block_frames):
    samples = music(11.3, seed=4)
    blocks = (samples[i : i + block_frames] for i in range(0, len(samples), block_frames))
    once, piecewise = measure(samples, 48_000), measure_blocks(blocks, 48_000, 2)
    assert piecewise.true_peak_dbtp == once.true_peak_dbtp
    assert piecewise.integrated_loudness_lufs == pytest.approx(once.integrated_loudness_lufs, abs=1e-9)
    assert piecewise.loudness_range_lu == pytest.approx(once.loudness_range_lu, abs=1e-9)


@given(
    seed=st.integers(0, 2**16),
    frames=st.integers(1, 3000),
    channels=st.integers(1, 2),
    colour=st.sampled_from([0.0, 0.9, 0.999]),
    spikes=st.integers(0, 5),
)
@settings(max_examples=60, deadline=None)
def test_skipping_blocks_never_changes_the_true_peak(seed, frames, channels, colour, spikes):
    rng = np.random.default_rng(seed)
    samples = rng.standard_normal((frames, channels))
    for i in range(1, frames):
        samples[i] += colour * samples[i - 1]
    samples[rng.integers(0, frames, spikes)] *= 10
    samples = (0.1 * samples).astype(np.float32)
    padded = np.pad(samples.astype(np.float64), ((24, 24), (0, 0)))
    everything = [
        np.abs(np.convolve(padded[:, channel], true_peak.PHASES[phase][::-1].astype(np.float64), "same")).max()
        for channel in range(channels)
        for phase in range(4)
    ]
    assert true_peak.true_peak_of(samples) == pytest.approx(max(everything), rel=2e-6)
    assert block_statistics(samples, 48_000).true_peak == pytest.approx(max(everything), rel=2e-6)


def test_what_does_not_exist_is_none():
    nothing = Loudness(None, None, None, None, None, None)
    assert measure(np.zeros((48_000 * 5, 2), np.float32), 48_000) == nothing
    assert measure(np.zeros((0, 2), np.float32), 48_000) == nothing
    one = measure(np.full((1, 2), 0.5, np.float32), 48_000)
    assert one.integrated_loudness_lufs is None
    assert one.sample_peak_dbfs == pytest.approx(-6.02, abs=0.01)
    short = measure(tone((1.0, -20)), 48_000)
    assert short.integrated_loudness_lufs == pytest.approx(-20, abs=0.1)
    assert short.short_term_max_lufs is None
    assert short.loudness_range_lu is None


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("position", [0, 100_000, -1])
def test_nan_and_infinity_are_seen_wherever_they_stand_and_no_number_is_made_up(value, position):
    samples = music(5.0)
    samples[position, 1] = value
    statistics = block_statistics(samples, 48_000)
    assert statistics.non_finite_frames == 1
    assert loudness_of(statistics) == Loudness(None, None, None, None, None, None)


@pytest.mark.parametrize("channels", [3, 6, 8])
def test_more_than_two_channels_are_one_clear_error(channels):
    with pytest.raises(AudioError, match=rf"channels: {channels}, expected 1 or 2; mix"):
        measure(np.zeros((48_000, channels), np.float32), 48_000)


@pytest.mark.parametrize("rate_hz", [7_999, 192_001])
def test_rates_outside_the_range_are_one_clear_error(rate_hz):
    with pytest.raises(AudioError, match="sample rate"):
        Meter(rate_hz, 2)


def test_the_sums_of_the_pass_are_what_detectors_would_compute():
    samples = music(3.37, seed=3) + np.float32(0.01)
    statistics = block_statistics(samples, 48_000)
    hops = [samples[i : i + 960].astype(np.float64) for i in range(0, len(samples), 960)]
    assert statistics.hop_frames.tolist() == [len(hop) for hop in hops]
    np.testing.assert_allclose(statistics.energy, [(hop**2).sum(axis=0) for hop in hops], rtol=1e-6)
    np.testing.assert_allclose(statistics.cross_energy, [(hop[:, 0] * hop[:, 1]).sum() for hop in hops], rtol=1e-6)
    np.testing.assert_allclose(statistics.total, [hop.sum(axis=0) for hop in hops], rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(statistics.peak, [np.abs(hop).max(axis=0) for hop in hops])


def test_a_mono_file_is_three_decibels_below_the_same_in_both_channels():
    samples = music(5.0, channels=1)
    mono, both = measure(samples, 48_000), measure(np.repeat(samples, 2, axis=1), 48_000)
    difference = both.integrated_loudness_lufs - mono.integrated_loudness_lufs
    assert difference == pytest.approx(3.01, abs=0.01)


def test_the_meter_works_where_no_cache_can_be_written(tmp_path):
    code = (
        "import numba.core.caching as c; c.CacheImpl._locator_classes = []; import numpy as np;"
        "from ace_assets.audio.loudness import measure;"
        "print(round(measure(np.full((9000, 1), 0.1, np.float32), 8000).sample_peak_dbfs))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=200, check=False)
    assert run.stdout.strip() == "-20", run.stderr
