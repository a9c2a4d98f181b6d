"""Faults are caught, and music that only sounds unusual is left alone."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
from scipy import signal

from tests.music import found, judge, synth

RATE_HZ = 48_000
HARD_NEGATIVES = (
    "sparse_piano", "lofi", "near_mono_jazz", "sub_electronic", "chiptune", "staccato", "flute", "rain", "organ_waltz", "drone",
    "gated_pad", "wide_choir",
)  # fmt: skip


def piece(seconds: float = 20.0) -> np.ndarray:
    """Chords, drums and a decay: something of everything that a gate looks at."""
    rng = np.random.default_rng(3)
    t = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    beat = (t % 0.5) * 1.0
    tones = sum(np.sin(2 * np.pi * f * t) / k for k, f in enumerate((110, 220, 277, 330, 440, 660), 1))
    drums = rng.standard_normal(t.size) * np.exp(-18 * beat)
    left = 0.15 * tones * (0.6 + 0.4 * np.exp(-3 * beat)) + 0.12 * drums
    right = 0.15 * tones * (0.6 + 0.4 * np.exp(-3 * beat)) + 0.12 * np.roll(drums, 40)
    out = np.stack([left, right], axis=1)
    fade = 3 * RATE_HZ
    out[-fade:] *= np.linspace(1, 0, fade)[:, None] ** 2
    return np.ascontiguousarray(out, np.float32)


def gates(samples: np.ndarray, duration_s: float | None = None) -> tuple[str, ...]:
    return judge.gates_of(np.ascontiguousarray(samples, np.float32), RATE_HZ, duration_s)


def test_sound_music_fails_no_gate():
    assert gates(piece(), 20.0) == ()


def test_digital_silence_is_silence_and_nothing_else():
    assert gates(np.zeros((RATE_HZ * 10, 2))) == ("silence",)


def test_silent_head_and_tail_are_no_defect_but_a_mostly_silent_take_is():
    padded = np.concatenate([np.zeros((5 * RATE_HZ, 2)), piece(), np.zeros((5 * RATE_HZ, 2))])
    assert gates(padded) == ()
    assert "silence" in gates(np.concatenate([piece(), np.zeros((60 * RATE_HZ, 2))]))


@pytest.mark.parametrize("gap_ms", [20, 60, 250, 1000])
@pytest.mark.parametrize("residue", [0.0, 1e-3])
@pytest.mark.parametrize("channels", [slice(None), slice(1, 2)])
def test_a_gap_in_the_middle_is_a_dropout(gap_ms, residue, channels):
    samples = piece()
    first = int(7.03 * RATE_HZ)
    samples[first : first + gap_ms * RATE_HZ // 1000, channels] *= residue
    assert "dropout" in gates(samples)


@pytest.mark.parametrize("gain", [1.0, 0.5, 0.1])
def test_clipping_is_seen_at_any_gain(gain):
    samples = np.clip(piece() * 4.0, -1, 1) * gain
    assert "clipping" in gates(np.round(samples * 32767) / 32768)


def test_a_slow_wave_that_rounds_to_equal_samples_is_not_clipped():
    t = np.arange(20 * RATE_HZ) / RATE_HZ
    wave = 0.5 * np.sin(2 * np.pi * 30 * t) * np.minimum(1, np.minimum(t, 20 - t))
    assert "clipping" not in gates(np.repeat((np.round(wave * 32767) / 32768)[:, None], 2, axis=1))


@pytest.mark.parametrize("constant", [-0.02, 0.05, 0.3])
def test_a_constant_offset_is_caught_in_one_channel_too(constant):
    samples = piece() * 0.6
    samples[:, 1] += constant
    assert "dc_offset" in gates(samples)


@pytest.mark.parametrize("constant", [0.005, -0.012])
def test_the_small_offset_of_ordinary_recordings_is_left_alone(constant):
    assert gates(piece() * 0.6 + constant) == ()


@pytest.mark.parametrize("channels", [slice(None), slice(0, 1)])
def test_a_sample_that_is_repeated_instead_of_music_is_a_dropout(channels):
    samples = piece()
    first = int(7.03 * RATE_HZ)
    samples[first : first + RATE_HZ // 20, channels] = samples[first - 1, channels]
    assert "dropout" in gates(samples)


@pytest.mark.parametrize("fade_ms", [0, 50, 400])
def test_a_hole_is_silence_however_it_fades_but_rests_that_recur_are_not(fade_ms):
    frames = fade_ms * RATE_HZ // 1000
    hole = np.concatenate([np.linspace(1, 0, frames), np.zeros(int(2.5 * RATE_HZ)), np.linspace(0, 1, frames)])
    samples = piece()
    samples[5 * RATE_HZ : 5 * RATE_HZ + hole.size] *= hole[:, None].astype(np.float32)
    assert "silence" in gates(samples)
    if fade_ms == 400:
        samples[11 * RATE_HZ : 11 * RATE_HZ + hole.size] *= hole[:, None].astype(np.float32)
        assert gates(samples) == ()


@pytest.mark.parametrize("fade_ms", [0, 3, 10])
@pytest.mark.parametrize("silence_s", [0.0, 1.0])
def test_a_cut_is_an_abrupt_ending_with_or_without_a_hasty_fade(fade_ms, silence_s):
    samples = piece()[: int(12.34 * RATE_HZ)]
    if fade_ms:
        frames = fade_ms * RATE_HZ // 1000
        samples[-frames:] *= np.linspace(1, 0, frames, dtype=np.float32)[:, None]
    assert "abrupt_ending" in gates(np.concatenate([samples, np.zeros((int(silence_s * RATE_HZ), 2), np.float32)]))


@pytest.mark.parametrize("fade_s", [0.3, 1.0, 4.0])
def test_a_fade_is_no_abrupt_ending(fade_s):
    samples = piece()[: int(12.34 * RATE_HZ)]
    frames = int(fade_s * RATE_HZ)
    samples[-frames:] *= np.linspace(1, 0, frames, dtype=np.float32)[:, None]
    assert gates(samples) == ()


def test_an_inverted_channel_is_caught_even_in_half_of_the_piece():
    samples = piece()
    samples[:, 1] *= -1
    assert "phase_cancellation" in gates(samples)
    samples[: len(samples) // 2, 1] *= -1
    assert "phase_cancellation" in gates(samples)


@pytest.mark.parametrize("cutoff_hz", [2000, 4000, 8000])
def test_a_low_pass_is_caught_and_a_gentle_tilt_is_not(cutoff_hz):
    steep = signal.butter(8, cutoff_hz, fs=RATE_HZ, output="sos")
    gentle = signal.butter(1, cutoff_hz, fs=RATE_HZ, output="sos")
    assert "band_limited" in gates(signal.sosfilt(steep, piece(), axis=0))
    assert "band_limited" not in gates(signal.sosfilt(gentle, piece(), axis=0))


@pytest.mark.parametrize(("cutoff_hz", "is_cut"), [(11_025, True), (15_000, False)])
def test_a_low_rate_is_caught_and_the_cut_off_of_a_lossy_codec_left_alone(cutoff_hz, is_cut):
    spectrum = np.fft.rfft(piece(), axis=0)
    spectrum[np.fft.rfftfreq(20 * RATE_HZ, 1 / RATE_HZ) > cutoff_hz] = 0
    assert ("band_limited" in gates(np.fft.irfft(spectrum, axis=0))) == is_cut


def test_a_low_pass_over_pure_tones_is_told_from_their_last_partial():
    """The last partial of a melody moves with it; a filter stays."""
    t = np.arange(RATE_HZ // 2) / RATE_HZ
    rise_and_fall = np.minimum(1, np.minimum(t, 0.5 - t) / 0.05)
    notes = [
        sum(np.sin(2 * np.pi * 220 * 2 ** (step / 12) * k * t) / k for k in range(1, 13)) * rise_and_fall
        for step in np.random.default_rng(2).integers(0, 13, 40)
    ]
    melody = np.repeat(0.2 * np.concatenate(notes)[:, None], 2, axis=1)
    steep = signal.butter(10, 2500, fs=RATE_HZ, output="sos")
    assert "band_limited" not in gates(melody)
    assert "band_limited" in gates(signal.sosfilt(steep, melody, axis=0))


def test_a_floor_of_noise_that_ends_under_music_betrays_a_filter():
    """Three pure tones say nothing of a filter far above them; the hiss of their 16 bits does."""
    t = np.arange(20 * RATE_HZ) / RATE_HZ
    rise_and_fall = np.minimum(1, np.minimum(t, 20 - t) / 2)
    tones = 0.1 * sum(np.sin(2 * np.pi * f * t) for f in (220, 277, 330)) * rise_and_fall
    noise = np.random.default_rng(4).triangular(-1, 0, 1, (t.size, 2))
    hissing = np.round(tones[:, None] * 32767 + noise) / 32768
    steep = signal.butter(8, 6000, fs=RATE_HZ, output="sos")
    assert "band_limited" not in gates(hissing)
    assert "band_limited" in gates(signal.sosfilt(steep, hissing, axis=0))
    assert "band_limited" not in gates(np.repeat(tones[:, None], 2, axis=1))


@pytest.mark.parametrize("level", [0.03, 0.2])
@pytest.mark.parametrize("seconds", [0.6, 3.0])
def test_an_ending_in_noise_is_caught(level, seconds):
    samples = piece()
    frames = int(seconds * RATE_HZ)
    samples[-frames:] = level * np.random.default_rng(1).standard_normal((frames, 2))
    assert "noise_ending" in gates(samples)


def test_a_length_is_right_on_the_servers_grid_and_wrong_beyond_it():
    assert "wrong_duration" not in gates(piece(), 20.04)
    assert "wrong_duration" in gates(piece(), 21.0)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 500_000, -1])
def test_one_sample_that_is_no_number_is_enough(value, place):
    samples = piece()
    samples[place, 1] = value
    assert gates(samples) == ("non_finite",)


@pytest.mark.parametrize("style", HARD_NEGATIVES)
def test_what_naive_detectors_flag_passes(style):
    clip = synth.clip(style, 2)
    assert judge.gates_of(clip.samples, clip.sample_rate_hz) == ()


@pytest.fixture(scope="module")
def own_music(previews) -> judge.Verdict:
    return judge.judge(chain(previews, judge.previewed(range(512, 540), 16.0)), every=2)


@pytest.fixture(scope="module")
def found_music() -> judge.Verdict:
    pieces = found.required_pieces(100)
    return judge.judge(judge.excerpts(pieces[1::3], seconds=20.0), every=2)


def assert_trusted(verdict: judge.Verdict) -> None:
    """95 % of the faults of every kind, each tried at least 20 times, are caught; 3 % false alarms."""
    assert min(verdict.tried.values()) >= 20, verdict.tried
    for gate in verdict.tried:
        assert verdict.caught_share(gate) >= 0.95, (gate, verdict.missed[gate])
    assert verdict.false_share <= 0.03, verdict.falsely_called


def test_our_own_music_is_judged_fairly_and_its_faults_are_caught(own_music):
    assert_trusted(own_music)


def test_music_that_nobody_here_made_is_judged_fairly_and_its_faults_are_caught(found_music):
    assert_trusted(found_music)
