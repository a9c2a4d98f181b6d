"""How one number is made of what was measured: weights, references and versions, all in one table.

The score orders takes of one cell. It is built from signal properties only and says so (`SCORE_BASIS`); it knows nothing of
taste. Scores of different bases or versions are never compared. What a learned model thinks has columns of its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ace_assets.audio.codecs import Audio

SCORE_BASIS = "signal_only"
SCORE_VERSION = "1"
KEY_VALUE = {"exact": 1.0, "relative": 0.9, "fifth": 0.6, "parallel": 0.4, "none": 0.0}
FREE_DEVIATION, DEVIATION_SCALE = 1.0, 1.5  # one spread costs nothing, each further one more and more


@dataclass(frozen=True)
class Component:
    """One measured quantity's part of the score.

    Attributes:
        weight: share of the score; shares of what was not measured are left out and the rest counts for the whole.
        median, spread: what finished music shows: median and 1.4826 x median absolute deviation. None: the quantity is 0 to 1
            already and counts as it is.
        harmful: which deviation costs: `low`, `high` or `both`.
    """

    weight: float
    median: float | None
    spread: float | None
    harmful: str


# References: measured on 51 whole game soundtracks, every third piece of the packages in .ci/apt-music.txt.
COMPONENTS: Mapping[str, Component] = {
    #                              weight median spread harmful
    "tempo_match": Component(20.0, None, None, "low"),
    "key_value": Component(10.0, None, None, "low"),
    "loudness_range_lu": Component(10.0, 4.9, 2.6, "both"),
    "loudness_jump_lu": Component(10.0, 5.4, 3.1, "high"),
    "peak_to_loudness_db": Component(10.0, 14.0, 2.2, "low"),
    "mono_loss_db": Component(10.0, -1.0, 0.8, "low"),
    "stereo_width": Component(5.0, 0.21, 0.14, "both"),
    "bandwidth_hz": Component(10.0, 18600.0, 2500.0, "low"),
    "repetition": Component(10.0, 0.47, 0.16, "both"),
    "novelty": Component(5.0, 0.4, 0.18, "high"),
}


class Scorer(Protocol):
    """A learned scorer, given its weights by path and checksum. None is shipped; what is absent gives NULL, never a guess."""

    name: str
    columns: tuple[str, ...]

    def score(self, audio: Audio, caption: str) -> Mapping[str, float | None]:
        """Return one number per column for a piece of audio and the caption that asked for it."""
        ...


def component_value(component: Component, value: float) -> float:
    """Return 0 to 1 for a measured value.

    >>> component_value(Component(1.0, 10.0, 2.0, "high"), 4.0)
    1.0
    """
    if component.median is None or component.spread is None:
        return min(1.0, max(0.0, value))
    deviation = (value - component.median) / component.spread
    if (component.harmful == "low" and deviation > 0) or (component.harmful == "high" and deviation < 0):
        return 1.0
    excess = max(0.0, abs(deviation) - FREE_DEVIATION)
    return math.exp(-0.5 * (excess / DEVIATION_SCALE) ** 2)


def signal_score(measured: Mapping[str, float | None]) -> float | None:
    """Return 0 to 100 from the measured quantities named in `COMPONENTS`; None where nothing was measured."""
    total = weights = 0.0
    for name, component in COMPONENTS.items():
        value = measured.get(name)
        if value is not None:
            total += component.weight * component_value(component, value)
            weights += component.weight
    return 100.0 * total / weights if weights else None
