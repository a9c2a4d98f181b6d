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
TONES_TO_HZ = 4_100.0  # nobody asks for a tone above: key reads to 2 kHz, the fingerprint to 4 kHz
_FRAMES_AT_ONCE = 512  # keeps a transform's working set inside the processor's cache
_TONES_AT_ONCE = 64
_MIXED_S = 10  # a mix of everything at the full rate would be the second largest thing in memory


@dataclass(frozen=True)
class Views:
    """The two short-time spectra of one mono signal at 12 kHz.

    Attributes:
        duration_s: length of the signal in seconds.
        onset_bands: (frames, bands) power in bands that widen with frequency, every 10.7 ms.
        tones: (frames, 1400) magnitudes of 341-ms windows, every 85 ms, up to 4.1 kHz.
    """

    duration_s: float
    onset_bands: NDArray[np.float32]
    tones: NDArray[np.float32]


def downmix(samples: NDArray[np.float32], sample_rate_hz: int) -> NDArray[np.float32]:
    """Return (frames, channels) samples as one channel at 12 kHz; the mean of the channels."""
    if sample_rate_hz == ANALYSIS_RATE_HZ:
        return _mean_channel(samples)
    stream = soxr.ResampleStream(sample_rate_hz, ANALYSIS_RATE_HZ, 1, dtype="float32", quality="LQ")
    mono = np.zeros(round(len(samples) * ANALYSIS_RATE_HZ / sample_rate_hz), np.float32)
    step = _MIXED_S * sample_rate_hz
    position = 0
    for first in range(0, len(samples), step):
        last = first + step >= len(samples)
        made = stream.resample_chunk(_mean_channel(samples[first : first + step]), last=last)[: mono.size - position]
        mono[position : position + made.size] = made
        position += made.size
    return mono


def _mean_channel(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    if samples.shape[1] == 1:
        return np.ascontiguousarray(samples[:, 0])
    if samples.shape[1] == 2:
        mono = samples[:, 0] + samples[:, 1]
        mono *= np.float32(0.5)
        return mono
    return np.asarray(samples.mean(axis=1, dtype=np.float32))


def tones_of(mono: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (frames, bins) magnitudes of 341-ms windows of the downmix, up to 4.1 kHz; a short signal is padded."""
    if mono.size < TONE_WINDOW:
        mono = np.pad(mono, (0, TONE_WINDOW - mono.size))
    bins = int(TONES_TO_HZ * TONE_WINDOW / ANALYSIS_RATE_HZ) + 1
    cut = np.lib.stride_tricks.sliding_window_view(mono, TONE_WINDOW)[::TONE_HOP]
    taper = np.hanning(TONE_WINDOW).astype(np.float32)
    result = np.empty((len(cut), bins), np.float32)
    for first in range(0, len(cut), _TONES_AT_ONCE):
        spectrum = scipy.fft.rfft(cut[first : first + _TONES_AT_ONCE] * taper, axis=1)
        np.abs(spectrum[:, :bins], out=result[first : first + _TONES_AT_ONCE])
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
    return Views(mono.size / ANALYSIS_RATE_HZ, _onset_bands(mono), tones_of(mono))
