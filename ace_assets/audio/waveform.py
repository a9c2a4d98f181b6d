"""The outline of a track, for pictures and players."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def peaks(samples: NDArray[Any], n: int) -> NDArray[np.float32]:
    """Return (n, 2): the lowest and highest sample of each of n equal stretches, over all channels.

    With fewer frames than stretches, neighbours repeat a frame; without frames everything is zero.

    >>> peaks(np.array([[0.5], [-0.25], [0.0], [1.0]], np.float32), 2).tolist()
    [[-0.25, 0.5], [0.0, 1.0]]
    """
    frames = len(samples)
    if not frames or n <= 0:
        return np.zeros((max(n, 0), 2), np.float32)
    flat = samples.reshape(frames, -1)
    edges = np.arange(n) * frames // n
    if frames < n:
        picked = flat[np.minimum(edges, frames - 1)]
        return np.stack([picked.min(axis=1), picked.max(axis=1)], axis=1).astype(np.float32)
    low = np.minimum.reduceat(flat, edges, axis=0).min(axis=1)
    high = np.maximum.reduceat(flat, edges, axis=0).max(axis=1)
    return np.stack([low, high], axis=1).astype(np.float32)
