"""The independent second meter: pyloudnorm, which shares no code with ours, over audio piece by piece."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ace_assets.audio.loudness import ABSOLUTE_GATE_LUFS, RELATIVE_GATE_LU

FILTER_CLASS = "DeMan"  # its default is biased by -0.041 LU at 1 kHz (AUDIO.md)
SEGMENT_S = 15  # pyloudnorm keeps several copies of what it hears
_WARM_UP_S = 1  # after which the filters have forgotten that they started from silence


def second_meter_lufs(segments: Iterable[NDArray[np.float32]], sample_rate_hz: int) -> float | None:
    """Return the integrated loudness by pyloudnorm, or None if nothing passes the gates.

    Args:
        segments: consecutive (frames, channels) pieces, all but the last of `SEGMENT_S` seconds.
        sample_rate_hz: of the pieces.
    """
    import pyloudnorm  # brings scipy.stats: a second and 40 MB that only a worker that masters shall pay for

    meter = pyloudnorm.Meter(sample_rate_hz, filter_class=FILTER_CLASS)
    loudness_db: list[float] = []
    before: NDArray[np.float32] | None = None
    for segment in segments:
        piece = segment if before is None else np.concatenate([before, segment])
        before = piece[-_WARM_UP_S * sample_rate_hz :]
        if len(piece) < meter.block_size * sample_rate_hz:
            continue
        meter.integrated_loudness(piece)
        # The blocks that start in the warm-up but for its last 300 ms were heard with the segment before.
        loudness_db += meter.blockwise_loudness[7:] if loudness_db else meter.blockwise_loudness
    blocks = np.array([value for value in loudness_db if value > ABSOLUTE_GATE_LUFS])
    if not blocks.size:
        return None
    gate = _mean(blocks) + RELATIVE_GATE_LU
    return _mean(blocks[blocks > gate])


def _mean(blocks_lufs: NDArray[np.float64]) -> float:
    return 10.0 * math.log10(float(np.mean(10.0 ** (blocks_lufs / 10.0))))
