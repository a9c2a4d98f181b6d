"""What mastering says about what it did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ace_assets.audio.renditions import Rendition
from ace_assets.mastering.edges import Cues


@dataclass(frozen=True, kw_only=True)
class MasterReport:
    """The numbers of one master.

    Attributes:
        gain_db: plain gain that was applied, before the limiter.
        limiter_max_reduction_db: how far the limiter turned down at most; 0 where it had nothing to do.
        limited_share: share of the frames that it turned down.
        loudness_shortfall_lu: how far the master stays below its target because its ceiling binds; else 0.
        integrated_loudness_lufs, true_peak_dbtp, loudness_range_lu: of its samples; the range is None under 3 s.
        second_meter_lufs: integrated loudness by pyloudnorm, which shares no code with the first meter.
        head_trimmed_s, tail_trimmed_s: silence taken off.
        tail_fade_s: length of the fade that was applied, 0 if the take ended by itself.
        duration_s, frames, sample_rate_hz, channels: of the master.
        cues: where a player comes in and goes out.
        waveform: (400, 2) lowest and highest sample of equal stretches, for pictures and players.
        renditions: the files by name.
    """

    gain_db: float
    limiter_max_reduction_db: float
    limited_share: float
    loudness_shortfall_lu: float
    integrated_loudness_lufs: float
    true_peak_dbtp: float
    loudness_range_lu: float | None
    second_meter_lufs: float
    head_trimmed_s: float
    tail_trimmed_s: float
    tail_fade_s: float
    duration_s: float
    frames: int
    sample_rate_hz: int
    channels: int
    cues: Cues
    waveform: NDArray[np.float32] = field(compare=False, repr=False)
    renditions: Mapping[str, Rendition]
