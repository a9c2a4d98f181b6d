"""The independent second meter: pyloudnorm, which shares no code with ours, over the same audio.

Short tracks are heard whole. Of longer ones the second meter hears excerpts, spread evenly over where there is music,
and what is compared is the loudness of exactly the same gating blocks by either meter: as independent an opinion of the
weighting and the sums, at a fraction of the cost.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ace_assets.audio.loudness import (
    ABSOLUTE_GATE_LUFS,
    GATING_STEP_HOPS,
    HOPS_PER_SECOND,
    RELATIVE_GATE_LU,
    BlockStatistics,
    momentary_lufs,
)

FILTER_CLASS = "DeMan"  # its default is biased by -0.041 LU at 1 kHz (AUDIO.md)
WHOLE_S = 40  # shorter tracks are heard from beginning to end
EXCERPTS = 6
EXCERPT_S = 3
_WARM_UP_BLOCKS = 4  # of 100 ms, after which the filters have forgotten that they started from silence
_BLOCKS_PER_SECOND = HOPS_PER_SECOND // GATING_STEP_HOPS

Heard = Callable[[int, int], NDArray[np.float32]]


def second_meter_lufs(heard: Heard, statistics: BlockStatistics, integrated_loudness_lufs: float) -> float | None:
    """Return the integrated loudness by pyloudnorm, or None if it hears nothing that passes the gates.

    Of a track that is not heard whole, the first meter's value plus the difference between the meters over the excerpts.

    Args:
        heard: returns the (frames, channels) samples between two frames.
        statistics: the first meter's, of the whole.
        integrated_loudness_lufs: the first meter's, of the whole.
    """
    import pyloudnorm  # brings scipy.stats: a second and 40 MB that only a worker that masters shall pay for

    rate = statistics.sample_rate_hz
    meter = pyloudnorm.Meter(rate, filter_class=FILTER_CLASS)
    if statistics.frames <= WHOLE_S * rate:
        found = float(meter.integrated_loudness(heard(0, statistics.frames)))
        return found if math.isfinite(found) else None
    blocks_lufs = momentary_lufs(statistics)
    ours: list[float] = []
    theirs: list[float] = []
    for first_s in _excerpts(blocks_lufs, integrated_loudness_lufs, statistics.frames // rate):
        meter.integrated_loudness(heard(first_s * rate, (first_s + EXCERPT_S) * rate))
        new = meter.blockwise_loudness[_WARM_UP_BLOCKS if first_s else 0 :]
        last = first_s * _BLOCKS_PER_SECOND + len(meter.blockwise_loudness)
        theirs += new
        ours += blocks_lufs[last - len(new) : last].tolist()
    first, second = _gated(ours), _gated(theirs)
    return None if first is None or second is None else integrated_loudness_lufs + second - first


def _excerpts(blocks_lufs: NDArray[np.float64], integrated_loudness_lufs: float, whole_s: int) -> list[int]:
    """Return the seconds where excerpts start: evenly over those seconds that hold what passes the relative gate."""
    loud = np.flatnonzero(blocks_lufs > integrated_loudness_lufs + RELATIVE_GATE_LU)
    seconds = np.unique(loud // _BLOCKS_PER_SECOND)
    picked = seconds[np.arange(EXCERPTS) * seconds.size // EXCERPTS]
    # A second early, so that what was picked is heard by filters that are warm.
    return sorted({max(0, min(int(second) - 1, whole_s - EXCERPT_S)) for second in picked})


def _gated(blocks_lufs: list[float]) -> float | None:
    loud = np.array([value for value in blocks_lufs if value > ABSOLUTE_GATE_LUFS])
    if not loud.size:
        return None
    return _mean(loud[loud > _mean(loud) + RELATIVE_GATE_LU])


def _mean(blocks_lufs: NDArray[np.float64]) -> float:
    return 10.0 * math.log10(float(np.mean(10.0 ** (blocks_lufs / 10.0))))
