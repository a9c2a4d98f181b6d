"""Whether a listener hears that something was filtered off, by the textbook model of what a sound excites in the ear.

Both sounds are turned into excitation along the critical bands (Bark): power in half-Bark bands, spread as one tone masks its
neighbours (Schroeder, Atal and Hall 1979: 25 dB per Bark downwards, 10 upwards), never below the threshold of hearing in quiet
(Terhardt 1979), at 70 dB SPL, as music plays in a room. A change is heard where the excitation changes by 1 dB in any band.

The comparison is of power, not of waveforms: a filter delays what it lets through, which nobody hears and which makes the
difference of the waveforms large even where nothing is missing.
"""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import NDArray

LEVEL_DB_SPL = 70.0
HEARD_DB = 1.0
MOMENTS_PERCENTILE = 98.0  # what happens in fewer of the moments that sound is not noticed
WINDOW_S, STEP_S = 0.043, 0.1
BAND_BARK, HIGHEST_BARK = 0.5, 24.0
SOUNDING_SHARE = 1e-3  # of the mean power


def is_heard(sound: NDArray[np.float32], changed: NDArray[np.float32], sample_rate_hz: int) -> bool:
    """Tell whether a listener hears a difference in timbre between two pieces of the same length."""
    return excitation_change_db(sound, changed, sample_rate_hz) >= HEARD_DB


def excitation_change_db(sound: NDArray[np.float32], changed: NDArray[np.float32], sample_rate_hz: int) -> float:
    """Return the largest change of excitation in any band, at all but the 2 % most changed moments that sound."""
    before, after = (_powers(samples, sample_rate_hz) for samples in (sound, changed))
    hz = scipy.fft.rfftfreq(2 * (before.shape[1] - 1), 1.0 / sample_rate_hz)
    bark = 26.81 * hz / (1960.0 + hz) - 0.53  # Traunmueller 1990
    edges = np.unique(np.searchsorted(bark, np.arange(0.0, min(HIGHEST_BARK, bark[-1]), BAND_BARK)))
    centre = 0.5 * (bark[edges[:-1]] + bark[edges[1:]])
    khz = 1.96 * (centre + 0.53) / (26.28 - centre)
    quiet_db = 3.64 * khz**-0.8 - 6.5 * np.exp(-0.6 * (khz - 3.3) ** 2) + 1e-3 * khz**4
    away = centre[None, :] - centre[:, None] + 0.474
    spread = 10.0 ** ((15.81 + 7.5 * away - 17.5 * np.sqrt(1.0 + away**2)) / 10.0)
    total = before[:, 1:].sum(axis=1)
    sounding = total > SOUNDING_SHARE * total.mean()
    if not sounding.any():
        return 0.0
    scale = 10.0 ** (LEVEL_DB_SPL / 10.0) / total[sounding].mean()
    excited = [
        np.add.reduceat(power[sounding, : edges[-1]], edges[:-1], axis=1) * scale @ spread + 10.0 ** (quiet_db / 10.0)
        for power in (before, after)
    ]
    change = np.abs(10.0 * np.log10(excited[0] / excited[1])).max(axis=1)
    return float(np.percentile(change, MOMENTS_PERCENTILE))


def _powers(samples: NDArray[np.float32], sample_rate_hz: int) -> NDArray[np.float64]:
    """Return (moments, bins) power, the sum over channels."""
    window = 2 * round(WINDOW_S * sample_rate_hz / 2)
    if len(samples) < window:
        samples = np.pad(samples, ((0, window - len(samples)), (0, 0)))
    cut = np.lib.stride_tricks.sliding_window_view(samples, window, axis=0)[:: round(STEP_S * sample_rate_hz)]
    taper = np.hanning(window)
    return np.sum(
        [np.abs(scipy.fft.rfft(cut[:, channel] * taper, axis=1)) ** 2 for channel in range(cut.shape[1])], axis=0
    )
