"""From float samples to integers: triangular dither whose noise is the same at every run.

Dither of two uniform values of one step each makes the rounding error independent of the signal; the noise is a hash of
seed and position, so that the same samples and seed give the same bytes whether or not they come in blocks.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from ace_assets.audio.compiled import compiled

PCM16_SCALE = 32768.0  # full scale 1.0, as libsndfile reads it back
PCM24_SCALE = 8388608.0
PCM32_SCALE = 2147483648.0  # of 24 bits, left-justified in int32


def to_pcm16(samples: NDArray[np.float32], *, seed: int, first_frame: int = 0) -> NDArray[np.int16]:
    """Return (frames, channels) float samples as dithered int16; values beyond full scale stop there, NaN becomes 0.

    Args:
        samples: (frames, 1 or 2 channels) float32, full scale 1.0.
        seed: of the noise.
        first_frame: where in the whole the first frame stands, when it comes in blocks.
    """
    pcm = np.empty(samples.shape, np.int16)
    _quantise(samples, PCM16_SCALE, np.uint64(seed), np.uint64(first_frame), 1, pcm)
    return pcm


def to_pcm24(samples: NDArray[np.float32], *, seed: int, first_frame: int = 0) -> NDArray[np.int32]:
    """Return (frames, channels) float samples as dithered 24-bit integers, left-justified in int32."""
    pcm = np.empty(samples.shape, np.int32)
    _quantise(samples, PCM24_SCALE, np.uint64(seed), np.uint64(first_frame), 256, pcm)
    return pcm


@compiled
def _quantise(
    samples: NDArray[np.float32],
    scale: float,
    seed: np.uint64,
    first_frame: np.uint64,
    justify: int,
    pcm: NDArray[np.int16] | NDArray[np.int32],
) -> None:
    """Fill `pcm` with rounded, dithered samples times `justify`.

    The noise of a frame is a hash of its position (the finaliser of SplitMix64): frames are independent of each other.
    Its 64 bits are four uniform numbers, two for each of two channels.
    """
    frames, channels = samples.shape
    low, high = -scale, scale - 1.0
    for i in range(frames):
        mixed = seed + (first_frame + np.uint64(i + 1)) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed = mixed ^ (mixed >> np.uint64(31))
        for channel in range(channels):
            first = np.int64(mixed & np.uint64(0xFFFF))
            second = np.int64((mixed >> np.uint64(16)) & np.uint64(0xFFFF))
            value = np.floor(float(samples[i, channel]) * scale + (first - second) * (1.0 / 65536.0) + 0.5)
            value = 0.0 if np.isnan(value) else min(max(value, low), high)
            pcm[i, channel] = int(value) * justify
            mixed >>= np.uint64(32)


def seed_of(name: str) -> int:
    """Return the dither's seed for something with a name: 64 bits of its SHA-256."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
