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
    quantise(samples, pcm, seed=seed, first_frame=first_frame)
    return pcm


def to_pcm24(samples: NDArray[np.float32], *, seed: int, first_frame: int = 0) -> NDArray[np.int32]:
    """Return (frames, channels) float samples as dithered 24-bit integers, left-justified in int32."""
    pcm = np.empty(samples.shape, np.int32)
    quantise(samples, pcm, seed=seed, first_frame=first_frame)
    return pcm


def quantise(
    samples: NDArray[np.float32], pcm: NDArray[np.int16] | NDArray[np.int32], *, seed: int, first_frame: int = 0
) -> None:
    """Fill `pcm`, whose type says how many bits, as `to_pcm16` and `to_pcm24` do."""
    flat, flat_pcm = samples.reshape(-1), pcm.reshape(-1)
    low, high = np.uint32(seed & 0xFFFFFFFF), np.uint32(seed >> 32 & 0xFFFFFFFF)
    first = np.uint32(first_frame * samples.shape[1] & 0xFFFFFFFF)
    if pcm.dtype == np.int16:
        # Single precision resolves a 256th of a step of 16 bits, and twice as many values at a time.
        _quantise(flat, np.float32(PCM16_SCALE), np.float32(0.5), np.float32(2.0**-16), low, high, first, 1, flat_pcm)
    else:
        _quantise(flat, PCM24_SCALE, 0.5, 2.0**-16, low, high, first, 256, flat_pcm)


@compiled
def _quantise(
    samples: NDArray[np.float32],
    scale: float | np.float32,
    half: float | np.float32,
    unit: float | np.float32,
    low_seed: np.uint32,
    high_seed: np.uint32,
    first: np.uint32,
    justify: int,
    pcm: NDArray[np.int16] | NDArray[np.int32],
) -> None:
    """Fill `pcm` with rounded, dithered values times `justify`; `scale`, `half` and `unit` have the type to reckon in.

    The noise of a value is a hash of its position (a product by an odd number and the finaliser of MurmurHash3): values
    are independent of each other. Its 32 bits are two uniform numbers of 16.
    """
    low, high = -scale, scale - half - half
    for i in range(samples.size):
        mixed = np.uint32(np.uint32(np.uint32(i) + first) * np.uint32(0x9E3779B1) + low_seed)
        mixed = np.uint32(np.uint32(mixed ^ (mixed >> np.uint32(16))) * np.uint32(0x85EBCA6B) + high_seed)
        mixed = np.uint32(np.uint32(mixed ^ (mixed >> np.uint32(13))) * np.uint32(0xC2B2AE35))
        mixed = np.uint32(mixed ^ (mixed >> np.uint32(16)))
        noise = np.int32(mixed & np.uint32(0xFFFF)) - np.int32(mixed >> np.uint32(16))
        value = np.floor(samples[i] * scale + (noise * unit + half))
        value = value if value > low else low
        value = value if value < high else high
        pcm[i] = 0 if np.isnan(samples[i]) else np.int32(value) * justify


def seed_of(name: str) -> int:
    """Return the dither's seed for something with a name: 64 bits of its SHA-256."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
