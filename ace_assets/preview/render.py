"""The whole of the engine for callers who want audio and no server: `render(request)`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ace_assets.preview.compose import Score, compose
from ace_assets.preview.master import master
from ace_assets.preview.mix import mix
from ace_assets.preview.request import MusicRequest
from ace_assets.preview.styles import STYLES
from ace_assets.preview.synth import SAMPLE_RATE_HZ


@dataclass(frozen=True)
class Audio:
    """A rendered take.

    Attributes:
        samples: `(frames, 2)` float32, full scale 1.0, sample peak at -2.4 dBFS.
        sample_rate_hz: always 48,000.
        score: the notes it was made of.
    """

    samples: npt.NDArray[np.float32]
    sample_rate_hz: int
    score: Score


def render(request: MusicRequest) -> Audio:
    """Compose and render one take.

    The same request gives the same notes on every machine and the same audio up to rounding. A caption without a known
    word gives the default style.
    """
    score = compose(request)
    style = STYLES[score.style]
    tail_s = score.duration_s - score.final_s
    samples = master(
        mix(score),
        tilt_db_per_octave=style.tilt_db_per_octave + 0.5 * score.brightness,
        loudness_lufs=style.loudness_lufs,
        fade_from_s=score.final_s + 0.3 * tail_s,
    )
    return Audio(samples, SAMPLE_RATE_HZ, score)
