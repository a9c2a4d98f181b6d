"""Clipping: tops of waves cut flat, at any level, also after a change of gain.

Three equal samples near the maximum are not enough evidence. A slow wave rounds to equal samples at its tops, and square or
stair-shaped waves are flat by nature. A clipped top is entered at a slope and then stands still: a corner. And a clipper
leaves all its corners at one level, with next to no flat places elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ace_assets.audio.compiled import compiled

LEVEL_BINS = 512
STILL = 2.2 / 32768.0  # 16-bit steps that dither and rounding may leave between samples of a flat top
CORNER = 4.0 * STILL  # a flat top is entered at least this steeply
MIN_EQUAL_SAMPLES = 3
AT_MAXIMUM = 0.93
LOWEST_SHARE = 0.15  # of the channel's maximum; below it nobody hears a clipped top
JUMP_SHARE = 0.5  # a wave that reaches its top in one leap of this share of the level is square, not clipped


@dataclass(frozen=True)
class Plateaus:
    """How much of the sound stands flat, in the worse channel.

    Attributes:
        clipped_tops: flat tops with corners, at the level where most of them lie.
        clipped_samples: samples that belong to them.
        flat_elsewhere: all other flat places: the mark of square and stair-shaped waves.
        level: where the tops lie, as a share of the channel's maximum; 0 where there are none.
        tops_at_maximum: flat tops with corners that lie at the very maximum, however many lie elsewhere.
    """

    clipped_tops: int
    clipped_samples: int
    flat_elsewhere: int
    level: float
    tops_at_maximum: int


@compiled
def _count_plateaus(
    samples: NDArray[np.float32],
    channel: int,
    highest: float,
    tops: NDArray[np.int64],
    lengths: NDArray[np.int64],
) -> int:
    """Fill `tops` and `lengths` (2, bins) per sign and level; return how many flat places are no clipped tops."""
    still = np.float32(STILL)
    corner = np.float32(CORNER)
    lowest = np.float32(LOWEST_SHARE * highest)
    bins = tops.shape[1]
    elsewhere = 0
    n = samples.shape[0]
    i = 2
    while i < n - 2:
        # Three equal samples hold a pair that starts at an even index, so every other pair need not be looked at.
        value = samples[i, channel]
        if abs(samples[i + 1, channel] - value) > still or abs(value) < lowest:
            i += 2
            continue
        first = i - 1 if abs(samples[i - 1, channel] - value) <= still else i
        i += 2
        while i < n - 2 and abs(samples[i, channel] - value) <= still:
            i += 1
        last = i
        i += i & 1
        length = last - first
        if length < MIN_EQUAL_SAMPLES:
            continue
        sign = np.float32(1.0) if value > 0 else np.float32(-1.0)
        entry = (value - samples[first - 1, channel]) * sign
        leave = (value - samples[last, channel]) * sign
        size = abs(value)
        if (
            entry > 0
            and leave > 0
            and max(entry, leave) > corner
            and min(entry, leave) > still
            and min(entry, leave) < np.float32(JUMP_SHARE) * size
        ):
            where = min(bins - 1, int(size / highest * bins))
            side = 0 if value > 0 else 1
            tops[side, where] += 1
            lengths[side, where] += length
        else:
            elsewhere += 1
    return elsewhere


def find_plateaus(samples: NDArray[np.float32], peak: NDArray[np.float64]) -> Plateaus:
    """Return the flat tops of (frames, channels) samples whose channels' maxima are `peak`."""
    worst = Plateaus(0, 0, 0, 0.0, 0)
    for channel in range(samples.shape[1]):
        highest = float(peak[channel])
        if highest <= 0.0 or len(samples) < 8:
            continue
        tops = np.zeros((2, LEVEL_BINS), np.int64)
        lengths = np.zeros((2, LEVEL_BINS), np.int64)
        elsewhere = _count_plateaus(samples, channel, highest, tops, lengths)
        count = total = at_maximum = 0
        level = 0.0
        for side in range(2):
            near = np.convolve(tops[side], np.ones(3, np.int64), "same")
            at_maximum += int(near[int(AT_MAXIMUM * LEVEL_BINS) :].max())
            top = int(np.argmax(near))
            if near[top]:
                count += int(near[top])
                total += int(lengths[side, max(0, top - 1) : top + 2].sum())
                level = max(level, (top + 0.5) / LEVEL_BINS)
        found = Plateaus(count, total, elsewhere + int(tops.sum()) - count, level, at_maximum)
        worst = max(worst, found, key=lambda flat: (flat.tops_at_maximum + flat.clipped_tops, flat.flat_elsewhere))
    return worst
