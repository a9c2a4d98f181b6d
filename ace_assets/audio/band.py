"""Whether the top of the spectrum was cut off by a filter or a codec, which dark music is not.

Dark music grows quieter towards the top gradually and differently at every moment. A low-pass leaves the same cliff at the
same frequency at all times: even the brightest moments fall off there. So the brightest level of every band over the whole
piece is looked at, and how steeply it falls.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

WINDOW_S = 0.085
STEP_S = 0.25
BRIGHT_PERCENTILE = 98.0
BANDS_PER_OCTAVE = 6
LOWEST_CLIFF_HZ, HIGHEST_CLIFF_HZ = 1_200.0, 10_000.0
FLOOR_DB = -95.0  # below the loudest band: the noise of 16 bits and of codecs


@dataclass(frozen=True)
class Band:
    """Where and how steeply the spectrum ends.

    Attributes:
        cliff_db: fall of the brightest level over one octave at the steepest place between 1.2 and 10 kHz.
        cliff_hz: the lower end of that octave.
        above_db: brightest level anywhere above the cliff, relative to the loudest band.
        bandwidth_hz: frequency below which nearly all energy lies.
    """

    cliff_db: float
    cliff_hz: float
    above_db: float
    bandwidth_hz: float | None


def long_spectra(samples: NDArray[np.float32], sample_rate_hz: int) -> tuple[NDArray[np.float32], float]:
    """Return (frames, bins) power of the downmix at its full rate, one window each quarter second, and Hz per bin."""
    window = scipy.fft.next_fast_len(round(WINDOW_S * sample_rate_hz), real=True)
    step = round(STEP_S * sample_rate_hz)
    if len(samples) < window:
        samples = np.pad(samples, ((0, window - len(samples)), (0, 0)))
    starts = range(0, len(samples) - window + 1, step)
    taper = np.hanning(window).astype(np.float32)
    cut = np.stack([samples[start : start + window].sum(axis=1) for start in starts]) * taper
    return np.abs(scipy.fft.rfft(cut, axis=1)) ** 2, sample_rate_hz / window


def judge_band(power: NDArray[np.float32], bin_hz: float) -> Band | None:
    """Return where the spectrum of (frames, bins) power ends; None for silence."""
    mean = power.mean(axis=0)
    if float(mean.max()) <= 0.0:
        return None
    top_hz = bin_hz * (power.shape[1] - 1)
    count = int(np.log2(0.95 * top_hz / 200.0) * BANDS_PER_OCTAVE)
    edges = np.unique(np.round(200.0 * 2.0 ** (np.arange(count + 1) / BANDS_PER_OCTAVE) / bin_hz).astype(int))
    bands = np.add.reduceat(power[:, : edges[-1]], edges[:-1], axis=1) / np.diff(edges)
    bright = 10.0 * np.log10(np.percentile(bands, BRIGHT_PERCENTILE, axis=0) + 1e-20)
    bright = np.maximum(bright - bright.max(), FLOOR_DB)
    centre = np.sqrt(edges[:-1] * edges[1:]) * bin_hz
    cliff = cliff_hz = 0.0
    above = 0.0
    for low in range(len(bright) - BANDS_PER_OCTAVE):
        if not LOWEST_CLIFF_HZ <= centre[low] <= HIGHEST_CLIFF_HZ:
            continue
        fall = float(bright[low] - bright[low + BANDS_PER_OCTAVE])
        if fall > cliff:
            cliff, cliff_hz = fall, float(centre[low])
            above = float(bright[low + BANDS_PER_OCTAVE :].max())
    level = 10.0 * np.log10(mean.astype(np.float64) + 1e-20)
    frequency = np.arange(level.size) * bin_hz
    middle = (frequency > 200.0) & (frequency < 5000.0)
    heard = np.flatnonzero(level > np.median(level[middle]) - 60.0)
    return Band(cliff, cliff_hz, above, float(frequency[heard[-1]]) if heard.size else None)
