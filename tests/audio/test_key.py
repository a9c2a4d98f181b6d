"""The key is read from the notes, and compared with the one that was asked for."""

from __future__ import annotations

import numpy as np
import pytest

from ace_assets.audio.key import Key, chroma_of, estimate_key, key_match, parse_key
from ace_assets.audio.spectra import ANALYSIS_RATE_HZ, TONE_HOP, views_of
from ace_assets.errors import AudioError

RATE_HZ = 48_000


def estimate(samples: np.ndarray, rate_hz: int):
    return estimate_key(*chroma_of(views_of(samples, rate_hz)), ANALYSIS_RATE_HZ / TONE_HOP)


def scale(tonic: int, minor: bool) -> np.ndarray:
    steps = (0, 3, 7, 0, 5, 8, 0, 7, 10, 2, 0, 3, 7, 0) if minor else (0, 4, 7, 0, 5, 9, 0, 7, 11, 2, 0, 4, 7, 0)
    t = np.arange(int(0.5 * RATE_HZ)) / RATE_HZ
    notes = []
    for step in steps:
        f = 261.63 * 2 ** ((tonic + step) / 12)
        notes.append(sum(np.sin(2 * np.pi * f * k * t) / k for k in (1, 2, 3)) * np.exp(-3 * t))
    return (0.2 * np.concatenate(notes))[:, None].astype(np.float32)


@pytest.mark.parametrize("minor", [False, True])
@pytest.mark.parametrize("tonic", [0, 4, 9])
def test_a_plain_tune_is_in_its_key(tonic, minor):
    found = estimate(scale(tonic, minor), RATE_HZ)
    assert found is not None
    assert found.key == Key(tonic, minor)


def test_the_key_is_exact_in_three_of_four_pieces_and_else_a_near_one(previews):
    matches = []
    for clip in previews:
        found = estimate(clip.samples, clip.sample_rate_hz)
        assert found is not None
        matches.append(key_match(found.key, parse_key(str(clip.key))))
    assert matches.count("exact") / len(matches) >= 0.75
    assert matches.count("none") / len(matches) <= 0.1


def test_silence_has_no_key():
    assert estimate(np.zeros((RATE_HZ * 10, 2), np.float32), RATE_HZ) is None


@pytest.mark.parametrize(
    ("measured", "requested", "relation"),
    [
        ("A minor", "A minor", "exact"),
        ("C major", "A minor", "relative"),
        ("A minor", "C major", "relative"),
        ("G major", "C major", "fifth"),
        ("A major", "A minor", "parallel"),
        ("F# major", "C major", "none"),
    ],
)
def test_keys_relate_as_musicians_say(measured, requested, relation):
    assert key_match(parse_key(measured), parse_key(requested)) == relation


@pytest.mark.parametrize("text", ["", "H major", "A dur", "minor", "12"])
def test_what_is_no_key_is_one_clear_error(text):
    with pytest.raises(AudioError, match="key"):
        parse_key(text)
