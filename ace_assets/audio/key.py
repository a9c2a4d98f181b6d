"""The key of a piece of music, and how it compares with the key that was asked for.

Chroma (energy per pitch class, from spectral peaks, tuned to the piece) is compared with the notes of each major and minor
scale. A scale and its relative share all notes; the bass and the ending tell which of the two is home.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ace_assets.audio.compiled import compiled
from ace_assets.audio.spectra import ANALYSIS_RATE_HZ, TONE_WINDOW, Views
from ace_assets.errors import AudioError

NOTE_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_PITCH_CLASS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
# Weight of each scale degree: members of the scale weigh, the tonic triad a little more, and a strange note counts against
# it. The minor profile forgives the raised seventh.
MAJOR_PROFILE = (5.0, 0.0, 3.0, 0.0, 4.0, 3.5, 0.0, 4.5, 0.0, 3.5, 0.0, 3.0)
MINOR_PROFILE = (5.0, 0.0, 3.0, 4.5, 0.0, 3.5, 0.0, 4.5, 3.5, 0.0, 3.0, 0.5)
LOWEST_HZ, HIGHEST_HZ = 60.0, 2000.0
BASS_HZ = 220.0
BASS_WEIGHT, ENDING_WEIGHT = 0.25, 0.15
ENDING_S = 6.0


@dataclass(frozen=True)
class Key:
    """A key: `tonic` is a pitch class, C being 0.

    >>> str(Key(9, minor=True))
    'A minor'
    """

    tonic: int
    minor: bool

    def __str__(self) -> str:
        return f"{NOTE_NAMES[self.tonic]} {'minor' if self.minor else 'major'}"


@dataclass(frozen=True)
class KeyEstimate:
    """The likeliest key.

    Attributes:
        key: the estimate.
        correlation: -1 to 1, how well its scale explains the chroma.
        margin: how far the best key of another scale is behind.
    """

    key: Key
    correlation: float
    margin: float


def parse_key(text: str) -> Key:
    """Read a key as people and servers write it.

    Raises:
        AudioError: not a key.

    >>> [str(parse_key(text)) for text in ("A minor", "Am", "c# Major", "Bb", "F♯m")]
    ['A minor', 'A minor', 'C# major', 'Bb major', 'F# minor']
    """
    found = re.fullmatch(r"\s*([A-Ga-g])\s*([#♯b♭]?)\s*(M|m|(?i:major|minor|maj|min))?\s*", text)
    if found is None:
        raise AudioError("key", value=text, expected='a note and a mode, e.g. "A minor"', remedy="correct the key")
    shift = {"#": 1, "♯": 1, "b": -1, "♭": -1}.get(found[2], 0)
    return Key(
        (_PITCH_CLASS[found[1].upper()] + shift) % 12,
        minor=found[3] == "m" or (found[3] or "").lower().startswith("min"),
    )


def chroma_of(views: Views) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (frames, 12) energy per pitch class of all notes and of the bass, from spectral peaks."""
    spectrum = views.tones
    frequency = np.arange(spectrum.shape[1]) * ANALYSIS_RATE_HZ / TONE_WINDOW
    first, last = np.searchsorted(frequency, (LOWEST_HZ, HIGHEST_HZ))
    frequency = frequency[first:last]
    inside = spectrum[:, first:last]
    is_peak = (inside >= spectrum[:, first - 1 : last - 1]) & (inside > spectrum[:, first + 1 : last + 1])
    peaks = np.where(is_peak, inside, np.float32(0.0))
    pitch = 12.0 * np.log2(frequency / 440.0) + 9.0
    weight = peaks.sum(axis=0)
    tuning = np.angle(np.sum(weight * np.exp(2j * np.pi * pitch))) / (2.0 * np.pi)
    distance = (pitch[:, None] - tuning - np.arange(12.0) + 6.0) % 12.0 - 6.0
    fold = np.exp(-0.5 * (distance / 0.25) ** 2) / np.sqrt(frequency / LOWEST_HZ)[:, None]
    loudness = np.sqrt(peaks, out=peaks)
    low = int(np.searchsorted(frequency, BASS_HZ))
    return _folded(loudness, fold, low)


@compiled
def _folded(
    loudness: NDArray[np.float32], fold: NDArray[np.float64], low: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (frames, bins) times (bins, 12), of all bins and of those below `low`.

    Few bins hold a peak, and a library for matrices would wake its threads for this little work and let them spin.
    """
    frames, bins = loudness.shape
    whole = np.zeros((frames, 12))
    bass = np.zeros((frames, 12))
    for frame in range(frames):
        for place in range(bins):
            if place == low:
                bass[frame] = whole[frame]
            value = float(loudness[frame, place])
            if value != 0.0:
                for tone in range(12):
                    whole[frame, tone] += value * fold[place, tone]
    return whole, bass


def _unit(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(values / (values.sum() + 1e-12))


def estimate_key(
    chroma: NDArray[np.float64], bass: NDArray[np.float64], frames_per_second: float
) -> KeyEstimate | None:
    """Return the likeliest key of (frames, 12) chroma and bass chroma; None where no note sounds."""
    whole = chroma.sum(axis=0)
    if not whole.any() or float(whole.std()) < 1e-9:
        return None
    level = chroma.sum(axis=1)
    sounding = np.flatnonzero(level > 0.1 * level.mean())
    ending = chroma[: sounding[-1] + 1][-max(1, int(ENDING_S * frames_per_second)) :].sum(axis=0)
    home = BASS_WEIGHT * _unit(bass.sum(axis=0)) + ENDING_WEIGHT * _unit(ending)
    scores = np.zeros(24)
    correlations = np.zeros(24)
    for tonic in range(12):
        for minor, profile in enumerate((MAJOR_PROFILE, MINOR_PROFILE)):
            correlation = float(np.corrcoef(whole, np.roll(profile, tonic))[0, 1])
            correlations[tonic + 12 * minor] = correlation
            scores[tonic + 12 * minor] = correlation + home[tonic]
    best = int(np.argmax(scores))
    key = Key(best % 12, minor=best >= 12)
    relative = (best + 9) % 12 + 12 if best < 12 else (best + 3) % 12
    others = np.delete(scores, [best, relative])
    return KeyEstimate(key, float(correlations[best]), float(scores[best] - others.max()))


def key_match(measured: Key, requested: Key) -> str:
    """Return how a measured key relates to the requested one: exact, relative, fifth, parallel or none.

    >>> key_match(parse_key("C major"), parse_key("A minor"))
    'relative'
    """
    if measured == requested:
        return "exact"
    if measured.minor != requested.minor:
        major, minor = (requested, measured) if measured.minor else (measured, requested)
        if (major.tonic + 9) % 12 == minor.tonic:
            return "relative"
        return "parallel" if measured.tonic == requested.tonic else "none"
    return "fifth" if (measured.tonic - requested.tonic) % 12 in (5, 7) else "none"
