from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from ace_assets.preview.drums import _DRUMS, drum_template
from ace_assets.preview.render import Audio, render
from ace_assets.preview.request import MusicRequest
from ace_assets.preview.styles import STYLES
from ace_assets.preview.synth import note_template, pitch_hz
from ace_assets.preview.voices import VOICES

RATE_HZ = 48_000
CAPTIONS = ("bossa nova", "deep house", "ambient", "solo piano", "synth pop", "drone")


@cache
def take(caption: str, seed: int = 3, duration_s: float = 24.0) -> Audio:
    return render(MusicRequest(caption, bpm=96, key="C major", duration_s=duration_s, seed=seed))


def power_db(samples: np.ndarray, low_hz: float, high_hz: float) -> float:
    """Mean power density of the middle between two frequencies, in dB."""
    middle = samples.mean(axis=1).astype(np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(middle, 8192)[::4096] * np.hanning(8192)
    power = (np.abs(np.fft.rfft(windows, axis=1)) ** 2).mean(axis=0)
    hz = np.fft.rfftfreq(8192, 1 / RATE_HZ)
    return float(10 * np.log10(power[(hz >= low_hz) & (hz < high_hz)].mean()))


@pytest.mark.parametrize("caption", CAPTIONS)
def test_a_take_is_sound_audio(caption: str) -> None:
    audio = take(caption)
    x = audio.samples
    assert x.dtype == np.float32
    assert x.flags.c_contiguous
    assert x.shape == (24 * RATE_HZ, 2)
    assert audio.sample_rate_hz == RATE_HZ
    assert np.isfinite(x).all()
    assert 10 ** (-3 / 20) < np.abs(x).max() < 10 ** (-1 / 20)
    assert np.abs(x.mean(axis=0)).max() < 1e-3
    at_the_top = np.abs(x) >= np.abs(x).max() * 0.9999
    assert not (at_the_top[2:] & at_the_top[1:-1] & at_the_top[:-2]).any(), "clipped: three samples alike at the top"


@pytest.mark.parametrize("caption", CAPTIONS)
def test_left_and_right_differ_but_survive_mono(caption: str) -> None:
    x = take(caption).samples.astype(np.float64)
    middle, side = x.mean(axis=1), (x[:, 0] - x[:, 1]) / 2
    assert 0.3 < np.corrcoef(x.T)[0, 1] < 0.97
    assert abs(10 * np.log10(np.mean(x[:, 0] ** 2) / np.mean(x[:, 1] ** 2))) < 0.7, "one side is louder"
    assert -14 < 10 * np.log10(np.mean(side**2) / np.mean(middle**2)) < -3


@pytest.mark.parametrize("caption", CAPTIONS)
def test_a_take_is_bright_and_falls_like_music(caption: str) -> None:
    x = take(caption).samples
    reference = power_db(x, 800, 1250)
    assert power_db(x, 13_000, 15_500) > reference - 36
    assert power_db(x, 90, 180) > reference + 4
    assert power_db(x, 6_000, 9_000) < reference - 8


@pytest.mark.parametrize("caption", CAPTIONS)
def test_a_take_never_falls_silent_before_its_end(caption: str) -> None:
    audio = take(caption)
    body = audio.samples[RATE_HZ // 2 : int(audio.score.final_s * RATE_HZ)]
    levels = np.sqrt(np.mean(body[: len(body) // 4800 * 4800].reshape(-1, 9600) ** 2, axis=1))
    assert 20 * np.log10(levels.min()) > -45


@pytest.mark.parametrize("caption", CAPTIONS)
def test_a_take_dies_away_instead_of_stopping(caption: str) -> None:
    audio = take(caption)
    x = audio.samples
    body = np.sqrt(np.mean(x**2))
    assert np.sqrt(np.mean(x[-2880:] ** 2)) < body * 10 ** (-60 / 20)
    tail = x[int(audio.score.final_s * RATE_HZ) :]
    thirds = [np.sqrt(np.mean(part**2)) for part in np.array_split(tail, 3)]
    assert thirds[0] > thirds[1] > thirds[2] > 0


def test_the_same_seed_sounds_the_same_and_another_does_not() -> None:
    again = render(MusicRequest("bossa nova", bpm=96, key="C major", duration_s=24.0, seed=3)).samples
    other = take("bossa nova", seed=4).samples
    first = take("bossa nova").samples
    assert np.abs(first - again).max() < 1e-3
    assert abs(np.corrcoef(first[:, 0], other[:, 0])[0, 1]) < 0.5


def test_a_steady_pulse_lies_on_the_beat() -> None:
    audio = render(MusicRequest("deep house", bpm=120, key="A minor", duration_s=30.0, seed=1))
    power = np.add.reduceat(np.mean(audio.samples**2, axis=1), np.arange(0, len(audio.samples), 480))  # 100 Hz
    onsets = np.maximum(0, np.diff(np.log(power + 1e-4)))
    onsets -= onsets.mean()
    lags = np.array([np.sum(onsets[:-lag] * onsets[lag:]) for lag in range(30, 75)])
    assert abs(30 + int(np.argmax(lags)) - 50) <= 1  # half a second


@pytest.mark.parametrize("beats_per_bar", [2, 3, 6])
def test_other_bars_render_too(beats_per_bar: int) -> None:
    audio = render(MusicRequest("jazz trio", bpm=120, beats_per_bar=beats_per_bar, duration_s=12.0, seed=1))
    assert np.abs(audio.samples).max() > 0.7


def test_the_shortest_take_is_still_music() -> None:
    audio = render(MusicRequest("lounge", duration_s=0.5))
    assert len(audio.samples) == round(5.12 * RATE_HZ)
    assert np.abs(audio.samples).max() > 0.7


@pytest.mark.parametrize("name", sorted(VOICES))
def test_every_voice_is_in_tune(name: str) -> None:
    voice = VOICES[name]
    pitch = voice.low if voice.parts == ("bass",) else voice.centre
    x = note_template(name, voice, pitch, 2.0)
    assert np.isfinite(x).all()
    spectrum = np.abs(np.fft.rfft(x.sum(axis=1) * np.hanning(len(x)), 1 << 19))
    hz = np.fft.rfftfreq(1 << 19, 1 / RATE_HZ)
    near = np.abs(1200 * np.log2(np.maximum(hz, 1) / pitch_hz(pitch))) < 80
    peak = hz[near][np.argmax(spectrum[near])]
    assert abs(1200 * np.log2(peak / pitch_hz(pitch))) < 12, "cents"


def test_every_drum_of_every_style_sounds() -> None:
    for name in _DRUMS:
        x = drum_template(name, 0)
        assert np.isfinite(x).all()
        assert np.abs(x).max() > 0.02
        assert np.abs(x[-1]).max() < 1e-3
    assert len(STYLES) >= 15
