"""The shared views of a piece of music from which tempo, key, structure and fingerprint are read.

Music's pulse, harmony and identity lie below 6 kHz, so one mono signal at 12 kHz serves them all and makes them cheap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
import soxr
from numpy.typing import NDArray

ANALYSIS_RATE_HZ = 12_000
ONSET_WINDOW, ONSET_HOP = 512, 128  # 43 ms and 10.7 ms: sharp enough in time for a pulse
TONE_WINDOW, TONE_HOP = 4096, 1024  # 341 ms and 85 ms: sharp enough in frequency for semitones from 100 Hz up
_FRAMES_AT_ONCE = 512  # keeps a transform's working set inside the processor's cache


@dataclass(frozen=True)
class Views:
    """One mono signal at 12 kHz and its two short-time spectra.

    Attributes:
        mono: (n,) the downmix at 12 kHz.
        onset_bands: (frames, bands) power in bands that widen with frequency, every 10.7 ms.
        tones: (frames, 2049) magnitudes of 341-ms windows, every 85 ms.
    """

    mono: NDArray[np.float32]
    onset_bands: NDArray[np.float32]
    tones: NDArray[np.float32]

    @property
    def duration_s(self) -> float:
        """Length of the signal in seconds."""
        return self.mono.size / ANALYSIS_RATE_HZ


def downmix(samples: NDArray[np.float32], sample_rate_hz: int) -> NDArray[np.float32]:
    """Return (frames, channels) samples as one channel at 12 kHz; the mean of the channels."""
    if samples.shape[1] == 1:
        mono = np.ascontiguousarray(samples[:, 0])
    elif samples.shape[1] == 2:
        mono = samples[:, 0] + samples[:, 1]
        mono *= np.float32(0.5)
    else:
        mono = samples.mean(axis=1, dtype=np.float32)
    if sample_rate_hz == ANALYSIS_RATE_HZ:
        return mono
    return np.asarray(soxr.resample(mono, sample_rate_hz, ANALYSIS_RATE_HZ, "LQ"), np.float32)


def magnitudes(signal: NDArray[np.float32], window: int, hop: int) -> NDArray[np.float32]:
    """Return (frames, window // 2 + 1) magnitudes of a Hann-windowed short-time spectrum; a short signal is padded."""
    if signal.size < window:
        signal = np.pad(signal, (0, window - signal.size))
    frames = 1 + (signal.size - window) // hop
    cut = np.lib.stride_tricks.sliding_window_view(signal, window)[::hop]
    taper = np.hanning(window).astype(np.float32)
    result = np.empty((frames, window // 2 + 1), np.float32)
    for first in range(0, frames, _FRAMES_AT_ONCE):
        last = min(first + _FRAMES_AT_ONCE, frames)
        np.abs(scipy.fft.rfft(cut[first:last] * taper, axis=1), out=result[first:last])
    return result


def _onset_bands(signal: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (frames, bands) mean magnitudes in bands whose edges grow as the square of their number."""
    bins = ONSET_WINDOW // 2 + 1
    edges = np.unique(np.round(2 + (bins - 3) * np.linspace(0.0, 1.0, 25) ** 2).astype(int))
    if signal.size < ONSET_WINDOW:
        signal = np.pad(signal, (0, ONSET_WINDOW - signal.size))
    frames = 1 + (signal.size - ONSET_WINDOW) // ONSET_HOP
    cut = np.lib.stride_tricks.sliding_window_view(signal, ONSET_WINDOW)[::ONSET_HOP]
    taper = np.hanning(ONSET_WINDOW).astype(np.float32)
    result = np.empty((frames, edges.size - 1), np.float32)
    for first in range(0, frames, _FRAMES_AT_ONCE):
        last = min(first + _FRAMES_AT_ONCE, frames)
        spectrum = np.abs(scipy.fft.rfft(cut[first:last] * taper, axis=1))
        result[first:last] = np.add.reduceat(spectrum[:, : edges[-1]], edges[:-1], axis=1)
    return result


def views_of(samples: NDArray[np.float32], sample_rate_hz: int) -> Views:
    """Return the shared views of (frames, channels) finite samples."""
    mono = downmix(samples, sample_rate_hz)
    return Views(mono, _onset_bands(mono), magnitudes(mono, TONE_WINDOW, TONE_HOP))
