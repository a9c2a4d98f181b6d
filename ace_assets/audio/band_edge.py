"""How steeply the spectrum falls between its lines as well as on them, which is what a filter does and music seldom.

A filter takes from everything at a frequency: from the loudest note as from the noise, breath and transients between the
notes. In music whose spectrum is not all lines, the level between the lines slopes gently to the top; where it falls away
within an octave, and the loudest moments with it, something took it away. Music of pure tones has nothing between its
lines and is not judged by that, but the noise of a recording or of its 16 bits is flat: where such a floor ends, a filter
came after it.

The cut-offs of lossy codecs lie higher (from about 13 kHz) and are left alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LOWEST_EDGE_HZ, HIGHEST_END_HZ = 1_100.0, 13_800.0
CODEC_HZ, BEFORE_CODEC_SHARE = 12_600.0, 0.4  # a fall that ends above it must have come so far in the bands before
BANDS_PER_OCTAVE = 6
FIRST_BAND_HZ = 1_000.0
# between the lines is looked at in the frames with the most energy above this: a codec spares no bits there
BRIGHT_HZ, BRIGHT_SHARE, FEWEST_FRAMES = 1_500.0, 0.1, 8
BRIGHT_PERCENTILE = 98.0
LOUD_FROM_HZ, LOUD_BINS = 100.0, 10
AGAIN_DB, BRIGHT_AGAIN_DB = 8.0, 12.0  # what rises again by more was not filtered off,
HEARD_DB, BRIGHT_HEARD_DB = -95.0, -75.0  # unless even then nobody hears it: dither, or the images of a resampler
MOST_LINES_DB = 22.0
TOGETHER_SHARE = 0.5  # the loudest moments fall by at least so much of what lies between the lines
FLAT_DB, FAINT_DB = 5.0, -85.0  # a floor of noise: so flat over an octave, so far below the loudest band


@dataclass(frozen=True)
class BandEdge:
    """The steepest falls that nothing follows, in dB.

    Attributes:
        octave_fall_db: within an octave, between the lines, of a spectrum that is not all lines.
        half_octave_fall_db: the same within half an octave.
        floor_fall_db: of a floor of noise that was flat over the octave before, within an octave.
    """

    octave_fall_db: float
    half_octave_fall_db: float
    floor_fall_db: float


def _curves(power: NDArray[np.float32], bin_hz: float) -> tuple[NDArray[np.float64], ...]:
    """Return centre (Hz), level between the lines and level of the loudest moments (dB) of each sixth of an octave."""
    top_hz = bin_hz * (power.shape[1] - 1)
    count = int(BANDS_PER_OCTAVE * np.log2(max(1.0, 0.95 * top_hz / FIRST_BAND_HZ)))
    edges = np.round(FIRST_BAND_HZ * 2.0 ** (np.arange(count + 1) / BANDS_PER_OCTAVE) / bin_hz).astype(int)
    if count < 2 * BANDS_PER_OCTAVE or np.diff(edges).min() < 4:
        return np.zeros(0), np.zeros(0), np.zeros(0)
    high = power[:, int(BRIGHT_HZ / bin_hz) :].sum(axis=1)
    bright = power[np.argsort(high)[-max(FEWEST_FRAMES, int(BRIGHT_SHARE * len(power))) :]]
    between = np.empty(count)
    for band in range(count):
        part = bright[:, edges[band] : edges[band + 1]]
        quarter = part.shape[1] // 4
        between[band] = np.median(np.partition(part, quarter, axis=1)[:, quarter])
    bands = np.add.reduceat(power[:, : edges[-1]], edges[:-1], axis=1) / np.diff(edges)
    loudest = np.percentile(bands, BRIGHT_PERCENTILE, axis=0)
    whole = power[:, int(LOUD_FROM_HZ / bin_hz) :]
    narrow = np.add.reduceat(whole, np.arange(0, whole.shape[1], LOUD_BINS), axis=1) / LOUD_BINS
    reference = float(np.percentile(narrow, BRIGHT_PERCENTILE, axis=0).max()) + 1e-20
    centre = np.sqrt(edges[:-1] * edges[1:]) * bin_hz
    return centre, 10.0 * np.log10(between / reference + 1e-17), 10.0 * np.log10(loudest / reference + 1e-17)


def find_edge(power: NDArray[np.float32], bin_hz: float) -> BandEdge:
    """Return the steepest falls of (frames, bins) power; zeros where there are none, and at rates too low to tell."""
    centre, between, bright = _curves(power, bin_hz)
    falls = {BANDS_PER_OCTAVE: 0.0, BANDS_PER_OCTAVE // 2: 0.0}
    floor_fall = 0.0
    for width in tuple(falls):
        for low in range(len(centre) - width):
            high = low + width
            fall = float(between[low] - between[high])
            if (
                centre[low] < LOWEST_EDGE_HZ
                or centre[high] > HIGHEST_END_HZ
                or between[high:].max() - max(between[high], HEARD_DB) > AGAIN_DB
                or bright[high:].max() - max(bright[high], BRIGHT_HEARD_DB) > BRIGHT_AGAIN_DB
                or (centre[high] > CODEC_HZ and between[low] - between[high - 1] < BEFORE_CODEC_SHARE * fall)
            ):
                continue
            near = slice(max(0, low - BANDS_PER_OCTAVE + 1), low + 2)
            lines = float(np.median(bright[near] - between[near]))
            if lines <= MOST_LINES_DB and bright[low] - bright[high] >= TOGETHER_SHARE * fall:
                falls[width] = max(falls[width], fall)
            before = between[low - BANDS_PER_OCTAVE + 1 : low + 1] if low >= BANDS_PER_OCTAVE - 1 else between[:0]
            if width == BANDS_PER_OCTAVE and before.size and np.ptp(before) <= FLAT_DB and between[low] <= FAINT_DB:
                floor_fall = max(floor_fall, fall)
    return BandEdge(falls[BANDS_PER_OCTAVE], falls[BANDS_PER_OCTAVE // 2], floor_fall)
