"""A small spectral fingerprint of our own, which finds the same recording again.

How it is made: the 341-ms spectra that key and structure use are summed into 33 bands of equal ratio between 150 and 4,000 Hz
and smoothed over half a second. For each moment and each pair of neighbouring bands one bit says whether the difference of
their levels (dB) rises or falls. Gain changes nothing in it, equalisation changes levels but not how they move, and codecs
keep what can be heard. The moments lie 171 ms apart, 32 bits each, at most `MAX_WORDS`: 6 KB for three minutes and more.

How two are compared: at every shift of one against the other the share of differing bits is counted; the same music differs
in a few percent at the right shift, other music in about half at all shifts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ace_assets.audio.compiled import compiled
from ace_assets.audio.spectra import ANALYSIS_RATE_HZ, TONE_HOP, TONE_WINDOW, Views, downmix, tones_of

VERSION = 1
BITS = 32
LOWEST_HZ, HIGHEST_HZ = 150.0, 4_000.0
SMOOTHING_FRAMES = 6  # half a second: makes the bits bear a start that does not fall on the grid
RISE_FRAMES = 4
KEEP_EVERY = 2
WORDS_PER_SECOND = ANALYSIS_RATE_HZ / TONE_HOP / KEEP_EVERY
MAX_WORDS = 1500
MAX_SHIFT_S = 30.0
MIN_OVERLAP_WORDS = 40  # seven seconds
SAME_MUSIC = 0.53  # similarity from which two tracks count as near-duplicates
_FRAMES_AT_ONCE = 512
_HEADER = b"AF1\x00"


def fingerprint_of(views: Views) -> bytes | None:
    """Return the fingerprint of a piece; None for less than about eight seconds of sound."""
    return _pack(fingerprint_words(views.tones))


def fingerprint_of_samples(samples: NDArray[np.float32], sample_rate_hz: int) -> bytes | None:
    """Return the fingerprint of (frames, channels) samples and nothing else, as cheaply as that is possible."""
    return _pack(fingerprint_words(tones_of(downmix(samples, sample_rate_hz))))


def _pack(words: NDArray[np.uint32]) -> bytes | None:
    if words.size < MIN_OVERLAP_WORDS:
        return None
    return _HEADER + words[:MAX_WORDS].astype("<u4").tobytes()


def words_of(fingerprint: bytes) -> NDArray[np.uint32]:
    """Return the 32-bit words of a stored fingerprint."""
    return np.frombuffer(fingerprint, "<u4", offset=len(_HEADER)).astype(np.uint32)


def fingerprint_words(tones: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Return one 32-bit word per 171 ms of (frames, bins) magnitudes; silence gives no words."""
    edges = LOWEST_HZ * (HIGHEST_HZ / LOWEST_HZ) ** (np.arange(BITS + 2) / (BITS + 1))
    bins = np.round(edges * TONE_WINDOW / ANALYSIS_RATE_HZ).astype(int)
    bands = np.empty((len(tones), BITS + 1))
    for first in range(0, len(tones), _FRAMES_AT_ONCE):
        power = tones[first : first + _FRAMES_AT_ONCE, : bins[-1]] ** 2
        bands[first : first + len(power)] = np.add.reduceat(power, bins[:-1], axis=1)
    if len(bands) <= SMOOTHING_FRAMES + RISE_FRAMES or not bands.any():
        return np.zeros(0, np.uint32)
    sums = np.concatenate([np.zeros((1, bands.shape[1])), np.cumsum(bands, axis=0)])
    smooth = sums[SMOOTHING_FRAMES:] - sums[:-SMOOTHING_FRAMES]
    level = np.log(smooth + 1e-9 * (float(smooth.max()) + 1e-12))
    tilt = np.diff(level, axis=1)
    rising = (tilt[RISE_FRAMES:] > tilt[:-RISE_FRAMES])[::KEEP_EVERY]
    weights = (1 << np.arange(BITS, dtype=np.uint64)).astype(np.uint64)
    words: NDArray[np.uint32] = (rising.astype(np.uint64) @ weights).astype(np.uint32)
    return words


@compiled
def _fewest_differences(a: NDArray[np.uint32], b: NDArray[np.uint32], low: int, high: int, shortest: int) -> float:
    """Return the smallest share of differing bits over the shifts low..high of b against a."""
    best = 1.0
    for shift in range(low, high + 1):
        first = max(0, shift)
        last = min(a.size, b.size + shift)
        if last - first < shortest:
            continue
        differing = np.int64(0)
        for i in range(first, last):
            x = a[i] ^ b[i - shift]
            x = x - ((x >> np.uint32(1)) & np.uint32(0x55555555))
            x = (x & np.uint32(0x33333333)) + ((x >> np.uint32(2)) & np.uint32(0x33333333))
            x = (x + (x >> np.uint32(4))) & np.uint32(0x0F0F0F0F)
            x = x + (x >> np.uint32(8))
            x = x + (x >> np.uint32(16))
            differing += np.int64(x & np.uint32(0x3F))
        best = min(best, differing / (32.0 * (last - first)))
    return best


def similarity(a: bytes, b: bytes) -> float:
    """Return 0 to 1 for two stored fingerprints: 1 for the same music, about 0 to 0.3 for different music."""
    first, second = words_of(a), words_of(b)
    return similarity_of_words(first, second)


def similarity_of_words(first: NDArray[np.uint32], second: NDArray[np.uint32]) -> float:
    """Return the similarity of two fingerprints given as words."""
    reach = round(MAX_SHIFT_S * WORDS_PER_SECOND)
    shortest = max(MIN_OVERLAP_WORDS, min(first.size, second.size) // 2)
    if min(first.size, second.size) < shortest:
        return 0.0
    return max(0.0, 1.0 - 2.0 * _fewest_differences(first, second, -reach, reach, shortest))
