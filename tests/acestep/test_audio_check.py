"""A file is decoded before it is believed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from ace_assets.acestep.audio_check import as_flac, checked_audio, sniffed_format
from ace_assets.errors import AudioError

RATE_HZ = 48_000


def music(seconds: float = 2.0, channels: int = 2) -> np.ndarray:
    noise = np.random.default_rng(1).normal(0, 0.1, (round(seconds * RATE_HZ), channels))
    return noise.astype(np.float32)


def written(path: Path, samples: np.ndarray, audio_format: str, subtype: str, rate_hz: int = RATE_HZ) -> Path:
    sf.write(path, samples, rate_hz, subtype, format=audio_format)
    return path


@pytest.mark.parametrize(
    ("audio_format", "subtype", "named"),
    [("FLAC", "PCM_16", "flac"), ("WAV", "PCM_16", "wav"), ("WAV", "FLOAT", "wav"), ("MP3", "MPEG_LAYER_III", "mp3")],
)
def test_whole_files_are_what_they_are_whatever_their_name(
    audio_format: str, subtype: str, named: str, tmp_path: Path
) -> None:
    path = written(tmp_path / "take.part", music(), audio_format, subtype)
    facts = checked_audio(path, thing="take 1")
    assert (facts.audio_format, facts.sample_rate_hz, facts.channels) == (named, RATE_HZ, 2)
    assert facts.duration_s == pytest.approx(2.0, abs=0.1)


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda p: p.write_bytes(b"<html>502</html>"), "FLAC, WAV or MP3"),
        (lambda p: p.write_bytes(b""), "FLAC, WAV or MP3"),
        (lambda p: p.write_bytes(b"fLaC" + bytes(100)), "decodes to its end"),
        (lambda p: half(written(p, music(), "FLAC", "PCM_16")), "expected"),
        (lambda p: half(written(p, music(), "WAV", "PCM_16")), "as its header says"),
        (lambda p: written(p, music(), "FLAC", "PCM_16", 44_100), "48000 Hz stereo"),
        (lambda p: written(p, music(channels=1), "FLAC", "PCM_16"), "48000 Hz stereo"),
        (lambda p: written(p, music(0.5), "FLAC", "PCM_16"), "at least one second"),
        (lambda p: written(p, np.where(music() > 0.3, np.nan, music()), "WAV", "FLOAT"), "finite samples"),
    ],
    ids=["html", "empty", "a head only", "half a FLAC", "half a WAV", "44.1 kHz", "mono", "too short", "NaN"],
)
def test_anything_else_is_refused_in_one_line(make: Callable[[Path], object], says: str, tmp_path: Path) -> None:
    path = tmp_path / "take.part"
    make(path)
    with pytest.raises(AudioError) as caught:
        checked_audio(path, thing="take 1 from gpu-1")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_wav_is_packed_as_flac_without_loss(tmp_path: Path) -> None:
    path = written(tmp_path / "take.part", music(), "WAV", "PCM_16")
    packed, facts = as_flac(path, checked_audio(path, thing="t"), thing="t")
    assert sniffed_format(packed.read_bytes()[:12]) == "flac"
    assert facts.frames == 2 * RATE_HZ
    np.testing.assert_array_equal(sf.read(packed, dtype="int16")[0], sf.read(path, dtype="int16")[0])


def test_what_was_lossy_once_is_not_called_lossless(tmp_path: Path) -> None:
    path = written(tmp_path / "take.part", music(), "MP3", "MPEG_LAYER_III")
    with pytest.raises(AudioError, match="as asked for"):
        as_flac(path, checked_audio(path, thing="t"), thing="t")
