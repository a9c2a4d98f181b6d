"""One pass over the samples in grains of one millisecond: what the detectors of short faults look at.

A hop of 20 ms (`loudness.BlockStatistics`) is too long to see how fast a sound stops. A grain's sum is also a sample of the
signal below about 400 Hz, which costs nothing more and tells whether the bass of both channels moves together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ace_assets.audio.compiled import compiled

GRAINS_PER_SECOND = 1000
STILL = 4e-5  # just over one 16-bit step: dither may leave it in a signal that stands still


@dataclass(frozen=True)
class Grains:
    """Sums per millisecond.

    Attributes:
        frames_per_grain: frames of each grain; an incomplete last grain is left out.
        per_second: grains a second, 1000 but for rates that are no multiple of 1000.
        energy: (grains, channels) mean square.
        mean: (grains, channels) mean.
        still: (grains, channels) whether the signal stands still, at zero or at any other value.
    """

    frames_per_grain: int
    per_second: float
    energy: NDArray[np.float64]
    mean: NDArray[np.float64]
    still: NDArray[np.bool_]


@compiled
def _stands_still(samples: NDArray[np.float32], first: int, frames: int, channel: int, limit: np.float32) -> bool:
    value = samples[first, channel]
    last = first + 1
    while last < first + frames and abs(samples[last, channel] - value) <= limit:
        last += 1
    return last == first + frames


@compiled
def _sum_grains(
    samples: NDArray[np.float32],
    frames: int,
    energy: NDArray[np.float64],
    mean: NDArray[np.float64],
    still: NDArray[np.bool_],
) -> None:
    stereo = samples.shape[1] == 2
    scale = 1.0 / frames
    limit = np.float32(STILL)
    for grain in range(energy.shape[0]):
        first = grain * frames
        if stereo:
            left_sum = right_sum = left_energy = right_energy = np.float32(0.0)
            for i in range(first, first + frames):
                left = samples[i, 0]
                right = samples[i, 1]
                left_sum += left
                right_sum += right
                left_energy += left * left
                right_energy += right * right
            energy[grain, 0] = left_energy * scale
            energy[grain, 1] = right_energy * scale
            mean[grain, 0] = left_sum * scale
            mean[grain, 1] = right_sum * scale
            still[grain, 0] = _stands_still(samples, first, frames, 0, limit)
            still[grain, 1] = _stands_still(samples, first, frames, 1, limit)
        else:
            one_sum = one_energy = np.float32(0.0)
            for i in range(first, first + frames):
                one_sum += samples[i, 0]
                one_energy += samples[i, 0] * samples[i, 0]
            energy[grain, 0] = one_energy * scale
            mean[grain, 0] = one_sum * scale
            still[grain, 0] = _stands_still(samples, first, frames, 0, limit)


def grains_of(samples: NDArray[np.float32], sample_rate_hz: int) -> Grains:
    """Return the grains of (frames, channels) float32 samples of one or two channels."""
    frames = max(1, round(sample_rate_hz / GRAINS_PER_SECOND))
    count = len(samples) // frames
    energy = np.zeros((count, samples.shape[1]))
    mean = np.zeros((count, samples.shape[1]))
    still = np.zeros((count, samples.shape[1]), np.bool_)
    _sum_grains(samples, frames, energy, mean, still)
    return Grains(frames, sample_rate_hz / frames, energy, mean, still)
