"""Tones of the right length at next to no cost, for benchmarks of a fleet against many servers on one machine.

Valid audio that no gate for silence, clipping or phase finds wrong, but no music. A small bank of encoded tones per
length and format is kept; seeds next to each other sound different.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict

import numpy as np

from ace_assets.preview.encode import encode

SAMPLE_RATE_HZ = 48_000
_TONES = 64
_MOST_BANK_BYTES = 128_000_000
_FADE_S = 1.0


class ToneBank:
    """Encoded tones by length, format and tone; the least recently used are forgotten beyond 128 MB."""

    def __init__(self) -> None:
        self._files: OrderedDict[tuple[float, str, int], bytes] = OrderedDict()
        self._bytes = 0

    def take(self, caption: str, seed: int, duration_s: float, audio_format: str) -> bytes:
        """Return the file of a take; the same caption, seed, length and format give the same bytes."""
        key = (duration_s, audio_format, (zlib.crc32(caption.encode()) + seed) % _TONES)
        if key in self._files:
            self._files.move_to_end(key)
            return self._files[key]
        data = encode(tone(key[2], duration_s), SAMPLE_RATE_HZ, audio_format)
        self._files[key] = data
        self._bytes += len(data)
        while self._bytes > _MOST_BANK_BYTES and len(self._files) > 1:
            self._bytes -= len(self._files.popitem(last=False)[1])
        return data


def tone(number: int, duration_s: float) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Return a soft chord of two sines that beats slowly and dies away, `(frames, 2)` float32."""
    t = np.arange(round(duration_s * SAMPLE_RATE_HZ), dtype=np.float32) / np.float32(SAMPLE_RATE_HZ)
    hz = np.float32(220.0 * 2 ** (number / 24))
    left = np.sin(2 * np.pi * ((hz * t) % 1)).astype(np.float32)
    right = np.sin(2 * np.pi * ((hz * np.float32(1.5) * t) % 1)).astype(np.float32)
    level = np.float32(0.2) * np.minimum(1, np.minimum(t / np.float32(0.05), (t[-1] - t) / np.float32(_FADE_S)))
    out = np.stack([left + np.float32(0.6) * right, right + np.float32(0.6) * left], axis=1)
    return np.ascontiguousarray(out * level[:, None], np.float32)
