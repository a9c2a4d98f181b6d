"""How strongly a requested tempo is the pulse of the music, and which tempo the music seems to have.

A tempo that was asked for is verified rather than estimated: an estimate alone is wrong by octaves and worse on many
pieces, while the question "is there a pulse at 92 beats a minute" has a reliable answer. Onset strength is correlated with
itself; a comb over 1, 2, 4, 8 and 16 beats makes lags a fraction of a beat apart distinguishable.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from ace_assets.audio.spectra import ANALYSIS_RATE_HZ, ONSET_HOP, Views

LOWEST_BPM, HIGHEST_BPM, STEP_BPM = 40.0, 240.0, 0.25
COMB_BEATS = (1, 2, 4, 8, 16)
TOLERANCE = 0.02  # a player's or a model's tempo may be this far from the number asked for
PREFERRED_BPM, PREFERENCE_OCTAVES = 110.0, 0.8  # where listeners tap: breaks ties between octaves in the estimate
FRAMES_PER_SECOND = ANALYSIS_RATE_HZ / ONSET_HOP
MIN_DURATION_S = 6.0  # a few bars
MIN_PULSE = 0.05  # below this the autocorrelation holds no pulse to speak of


@dataclass(frozen=True)
class Pulse:
    """How periodic the onsets are at every tempo.

    Attributes:
        bpm: (n,) tempi, 40 to 240 in steps of 0.25.
        strength: (n,) comb-filtered autocorrelation at each, 0 where there is nothing.
    """

    bpm: NDArray[np.float64]
    strength: NDArray[np.float64]


def onset_strength(views: Views) -> NDArray[np.float64]:
    """Return how much louder each 10.7 ms is than the one before, summed over bands, above its local mean."""
    bands = views.onset_bands
    level = np.log1p(bands * np.float32(100.0 / (float(bands.mean()) + 1e-9)))
    rise = np.maximum(level[1:] - level[:-1], 0).mean(axis=1).astype(np.float64)
    width = int(FRAMES_PER_SECOND / 2)
    if rise.size <= width:
        return np.zeros(0)
    local = np.convolve(rise, np.ones(width) / width, "same")
    return np.asarray(np.maximum(rise - local, 0.0))


def pulse_of(views: Views) -> Pulse | None:
    """Return the pulse of the music; None for less than six seconds or where nothing ever starts."""
    onsets = onset_strength(views)
    if views.duration_s < MIN_DURATION_S or not onsets.any():
        return None
    centred = onsets - onsets.mean()
    size = scipy.fft.next_fast_len(2 * onsets.size, real=True)
    correlation = scipy.fft.irfft(np.abs(scipy.fft.rfft(centred, size)) ** 2, size)[: onsets.size]
    correlation = correlation / (correlation[0] + 1e-12)
    correlation *= onsets.size / np.maximum(onsets.size - np.arange(onsets.size), onsets.size / 2)
    bpm = np.arange(LOWEST_BPM, HIGHEST_BPM + STEP_BPM, STEP_BPM)
    lag = 60.0 * FRAMES_PER_SECOND / bpm
    strength = np.zeros(bpm.size)
    total = np.zeros(bpm.size)
    for beats in COMB_BEATS:
        weight = 1.0 / np.sqrt(beats)
        usable = lag * beats + 1.5 < onsets.size / 2
        around = [_interpolated(correlation, lag * beats + shift) for shift in (-0.5, 0.0, 0.5)]
        strength += np.where(usable, weight * np.maximum.reduce(around), 0.0)
        total += np.where(usable, weight, 0.0)
    return Pulse(bpm, np.maximum(strength / np.maximum(total, 1e-9), 0.0))


def _interpolated(values: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.interp(at, np.arange(values.size), values, right=0.0)


def tempo_match(pulse: Pulse, requested_bpm: float) -> float:
    """Return 0 to 1: the pulse at the requested tempo, its double or its half, relative to the strongest anywhere.

    1 means that no other tempo explains the onsets better. Music without a pulse gives a low number.
    """
    strongest = float(pulse.strength.max())
    if strongest < MIN_PULSE:
        return 0.0
    best = 0.0
    for octave in (1.0, 2.0, 0.5):
        near = np.abs(pulse.bpm / (requested_bpm * octave) - 1.0) <= TOLERANCE
        if near.any():
            best = max(best, float(pulse.strength[near].max()))
    return min(1.0, best / strongest)


def tempo_bpm(pulse: Pulse) -> float | None:
    """Return the likeliest tempo, preferring where listeners tap; None where there is no pulse."""
    if float(pulse.strength.max()) < MIN_PULSE:
        return None
    preference = np.exp(-0.5 * (np.log2(pulse.bpm / PREFERRED_BPM) / PREFERENCE_OCTAVES) ** 2)
    return float(pulse.bpm[int(np.argmax(pulse.strength * preference))])
