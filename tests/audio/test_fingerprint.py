"""The same music is found again; other music is not taken for it."""

from __future__ import annotations

import io

import lameenc
import numpy as np
import pytest
import soundfile
from scipy import signal

from ace_assets.audio import fingerprint, fingerprint_index
from tests.music import judge


def as_mp3(samples: np.ndarray, rate_hz: int, kbps: int = 128) -> np.ndarray:
    encoder = lameenc.Encoder()
    encoder.silence()
    encoder.set_in_sample_rate(rate_hz)
    encoder.set_channels(samples.shape[1])
    encoder.set_bit_rate(kbps)
    encoder.set_quality(7)
    data = bytes(encoder.encode((np.clip(samples, -1, 1) * 32767).astype(np.int16).tobytes()) + encoder.flush())
    return soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)[0]


def equalised(samples: np.ndarray, rate_hz: int) -> np.ndarray:
    """Three decibels more below 300 Hz, about as much less above 4 kHz."""
    low = signal.sosfilt(signal.butter(1, 300, fs=rate_hz, output="sos"), samples, axis=0)
    high = signal.sosfilt(signal.butter(1, 4000, "high", fs=rate_hz, output="sos"), samples, axis=0)
    return (samples + 0.4 * low - 0.3 * high).astype(np.float32)


def mark(samples: np.ndarray, rate_hz: int) -> bytes:
    found = fingerprint.fingerprint_of_samples(np.ascontiguousarray(samples, np.float32), rate_hz)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def clips(previews) -> list[judge.Sample]:
    return previews[:8]


@pytest.fixture(scope="module")
def marks(clips) -> list[bytes]:
    return [mark(clip.samples, clip.sample_rate_hz) for clip in clips]


@pytest.mark.parametrize("change", ["gain", "mp3", "trim", "equalisation", "all"])
def test_the_same_music_is_found_through_every_change(clips, marks, change):
    for number, (clip, own) in enumerate(zip(clips, marks, strict=True)):
        rate = clip.sample_rate_hz
        other = clip.samples
        if change in ("gain", "all"):
            other = other * np.float32(0.4)
        if change in ("trim", "all"):
            other = other[int((0.37 + 0.7 * number) * rate) :]
        if change in ("equalisation", "all"):
            other = equalised(other, rate)
        if change in ("mp3", "all"):
            other = as_mp3(other, rate)
        assert fingerprint.similarity(own, mark(other, rate)) >= fingerprint.SAME_MUSIC


def test_other_music_of_the_same_engine_is_no_duplicate(marks):
    highest = max(fingerprint.similarity(a, b) for i, a in enumerate(marks) for b in marks[:i])
    assert highest < fingerprint.SAME_MUSIC - 0.1


def test_takes_of_one_prompt_are_no_duplicates():
    from ace_assets.preview.render import render
    from ace_assets.preview.request import MusicRequest

    takes = [render(MusicRequest("hotel lobby jazz piano", 96, "G major", 4, 30.0, seed)).samples for seed in range(3)]
    own = [mark(take, 48_000) for take in takes]
    assert max(fingerprint.similarity(a, b) for i, a in enumerate(own) for b in own[:i]) < fingerprint.SAME_MUSIC


def test_a_fingerprint_is_small_deterministic_and_bounded_for_long_pieces(clips, marks):
    assert mark(clips[0].samples, clips[0].sample_rate_hz) == marks[0]
    long = np.tile(clips[0].samples, (12, 1))
    assert len(mark(long, clips[0].sample_rate_hz)) <= 6_100


def test_a_few_seconds_and_silence_have_no_fingerprint_to_be_mistaken():
    noise = np.random.default_rng(0).standard_normal((48_000 * 4, 2)).astype(np.float32)
    assert fingerprint.fingerprint_of_samples(noise, 48_000) is None
    assert fingerprint.fingerprint_of_samples(np.zeros((48_000 * 20, 2), np.float32), 48_000) is None


def test_the_index_finds_the_pairs_that_comparing_all_would_find(marks, monkeypatch):
    rng = np.random.default_rng(7)
    tracks = [rng.integers(0, 2**32, 900, dtype=np.uint64).astype("<u4") for _ in range(300)]
    planted = set()
    for number in range(20):
        noise = (rng.random((840, 32)) < 0.1).astype(np.uint64) @ (1 << np.arange(32, dtype=np.uint64))
        tracks[280 + number] = (tracks[number][60:] ^ noise.astype(np.uint32)).astype("<u4")
        planted.add((number, 280 + number))
    stored: list[bytes | None] = [b"AF1\x00" + words.tobytes() for words in tracks]
    stored.insert(0, None)
    found = {(a - 1, b - 1) for a, b, _ in fingerprint_index.near_duplicates(stored)}
    assert found == planted


def test_the_index_works_on_real_fingerprints_too(clips, marks, monkeypatch):
    monkeypatch.setattr(fingerprint_index, "SMALL", 0)
    copies = [mark(clip.samples[int(1.234 * clip.sample_rate_hz) :] * 0.5, clip.sample_rate_hz) for clip in clips]
    found = {(a, b) for a, b, _ in fingerprint_index.near_duplicates([*marks, *copies])}
    expected = {(number, number + len(clips)) for number in range(len(clips))}
    assert len(found & expected) >= 0.9 * len(expected)
    assert found <= expected
