"""How a piece is built and how wide it sounds: repetition, novelty, stereo width, loss in mono."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ace_assets.audio.loudness import BlockStatistics
from ace_assets.audio.spectra import ANALYSIS_RATE_HZ, TONE_HOP

SEGMENT_S = 1.0  # length of one point of the self-similarity
NOVELTY_SEGMENTS = 8  # contrast of this many segments before and after
SHORTEST_REPEAT_S = 4.0


@dataclass(frozen=True)
class Structure:
    """What the self-similarity of the harmony shows; None for pieces of less than 16 s.

    Attributes:
        repetition: 0 to 1, similarity at the lag at which the piece comes back most.
        novelty: 0 to 1, the sharpest change between one passage and the next.
    """

    repetition: float | None
    novelty: float | None


@dataclass(frozen=True)
class Stereo:
    """How left and right relate; None where there is one channel or silence.

    Attributes:
        correlation: -1 to 1.
        mono_loss_db: level lost when both are summed, 0 for identical channels, about -3 for unrelated ones.
        width: share of the energy that lies in the difference of the channels, 0 to 1.
    """

    correlation: float | None
    mono_loss_db: float | None
    width: float | None


def structure_of(chroma: NDArray[np.float64]) -> Structure:
    """Return repetition and novelty of (frames, 12) chroma."""
    per_segment = max(1, round(SEGMENT_S * ANALYSIS_RATE_HZ / TONE_HOP))
    count = len(chroma) // per_segment
    if count < 2 * NOVELTY_SEGMENTS:
        return Structure(None, None)
    points = chroma[: count * per_segment].reshape(count, per_segment, 12).mean(axis=1)
    points = points - points.mean(axis=0)
    points /= np.linalg.norm(points, axis=1, keepdims=True) + 1e-9
    similarity = np.einsum("ic,jc->ij", points, points)  # too little work to wake the threads of a matrix library for
    shortest = round(SHORTEST_REPEAT_S / SEGMENT_S)
    lags = [float(np.diagonal(similarity, lag).mean()) for lag in range(shortest, count // 2 + 1)]
    half = NOVELTY_SEGMENTS
    contrast = np.kron(np.array([[1.0, -1.0], [-1.0, 1.0]]), np.ones((half, half))) / (4 * half * half)
    novelty = max(
        float((similarity[i - half : i + half, i - half : i + half] * contrast).sum())
        for i in range(half, count - half + 1)
    )
    return Structure(float(np.clip(max(lags), 0.0, 1.0)), float(np.clip(novelty, 0.0, 1.0)))


def stereo_of(statistics: BlockStatistics) -> Stereo:
    """Return how the channels of a measured piece relate."""
    if statistics.energy.shape[1] != 2:
        return Stereo(None, None, None)
    left, right = statistics.energy.sum(axis=0)
    cross = float(statistics.cross_energy.sum())
    if left + right <= 0.0:
        return Stereo(None, None, None)
    mono = max((left + right + 2.0 * cross) / 4.0, 1e-12 * (left + right))
    correlation = float(cross / np.sqrt(left * right)) if left > 0.0 and right > 0.0 else None
    return Stereo(
        correlation,
        float(10.0 * np.log10(2.0 * mono / (left + right))),
        float(np.clip(0.5 - cross / (left + right), 0, 1)),
    )
