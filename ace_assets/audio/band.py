"""Whether the top of the spectrum was cut off by a filter or a codec, which dark music is not.

Dark music grows quieter towards the top by degrees and differently at every moment. A low-pass leaves the same cliff at
the same frequency at all times: even the brightest moments fall off there. So the brightest level of every band over
the whole piece is looked at, and how steeply it falls.

Music of pure tones ends in a cliff too, above its last partial. There the spectrum is all lines with nothing between
them, and ends from one line to the next; a filter leaves a skirt.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

WINDOW_S = 0.085
STEP_S = 0.25
WINDOWS_AT_ONCE = 64
BRIGHT_PERCENTILE = 98.0
BANDS_PER_OCTAVE = 6
BANDWIDTH_DB = 60.0  # energy this far below the middle of the spectrum does not count
LOWEST_CLIFF_HZ, HIGHEST_CLIFF_HZ = 1_100.0, 10_200.0
HIGHEST_SLOPE_HZ, SHARP_STEP_SHARE = 7_200.0, 0.6  # above it only a step counts: microphones and codecs slope off there
HIGHEST_STEP_HZ = 12_600.0  # codecs at ordinary bit rates end at 14 kHz and above
FLOOR_DB = -95.0  # below the loudest band: the noise of 16 bits and of codecs
SOUND_ABOVE_DB = 8.0  # what rises again by this much above a cliff was not filtered off
EDGE_DB = 50.0
EDGE_SOUNDING_SHARE = 0.03
EDGE_MIN_FRAMES = 12
EDGE_MIN_CLIFF_DB = 20.0
LINES_WITHIN_DB = 20.0
VALLEY_PERCENTILE = 25.0  # of the bins of one band: the level between its lines


@dataclass(frozen=True)
class Band:
    """Where and how steeply the spectrum ends.

    Attributes:
        cliff_db: fall of the brightest level over one octave at the steepest place between 1.1 and 10.2 kHz that nothing
            follows and whose steepest part lies below 12.6 kHz.
        cliff_hz: the lower end of that octave.
        lines_db: how far the spectrum just below the cliff rises above what lies between its lines: about 10 for noise and
            drums, over 22 for pure tones.
        step_share: share of the fall that happens within a third of an octave.
        edge_move: octaves between the highest frequencies that sound at most moments and at the brightest; the last
            partial moves with the melody, a filter stays.
        change_db: how much the lines in the octave below the cliff come and go; a drone has the same ones throughout, and an
            end of its spectrum that stands still tells nothing.
        bandwidth_hz: frequency below which nearly all energy lies.
    """

    cliff_db: float
    cliff_hz: float
    lines_db: float
    step_share: float
    edge_move: float
    change_db: float
    bandwidth_hz: float | None


def mixed(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the sum of the channels of (frames, 1 or 2) samples; quicker than a sum along an axis of two."""
    return samples[:, 0] + samples[:, 1] if samples.shape[1] == 2 else samples[:, 0]


def window_powers(
    samples: NDArray[np.float32], window: int, step: int, taper: NDArray[np.float32] | None = None
) -> Iterator[NDArray[np.float32]]:
    """Yield (frames, bins) power of the downmix, some windows at a time: all cut out at once would fill the memory.

    Args:
        samples: (frames, channels).
        window: frames of one window.
        step: frames from one window to the next.
        taper: (window,) weights; Hann's where none are given.
    """
    starts = range(0, len(samples) - window + 1, step)
    weights = np.hanning(window).astype(np.float32) if taper is None else taper
    for first in range(0, len(starts), WINDOWS_AT_ONCE):
        some = starts[first : first + WINDOWS_AT_ONCE]
        cut = np.stack([mixed(samples[start : start + window]) for start in some]) * weights
        yield np.abs(scipy.fft.rfft(cut, axis=1)) ** 2


def long_spectra(samples: NDArray[np.float32], sample_rate_hz: int) -> tuple[NDArray[np.float32], float]:
    """Return (frames, bins) power of the downmix at its full rate, one window each quarter second, and Hz per bin."""
    window = scipy.fft.next_fast_len(round(WINDOW_S * sample_rate_hz), real=True)
    step = round(STEP_S * sample_rate_hz)
    if len(samples) < window:
        samples = np.pad(samples, ((0, window - len(samples)), (0, 0)))
    power = np.empty((len(range(0, len(samples) - window + 1, step)), window // 2 + 1), np.float32)
    first = 0
    for some in window_powers(samples, window, step):
        power[first : first + len(some)] = some
        first += len(some)
    return power, sample_rate_hz / window


def judge_band(power: NDArray[np.float32], bin_hz: float) -> Band | None:
    """Return where the spectrum of (frames, bins) power ends; None for silence."""
    mean = power.mean(axis=0)
    if float(mean.max()) <= 0.0:
        return None
    top_hz = bin_hz * (power.shape[1] - 1)
    count = int(np.log2(0.95 * top_hz / 200.0) * BANDS_PER_OCTAVE)
    edges = np.unique(np.round(200.0 * 2.0 ** (np.arange(count + 1) / BANDS_PER_OCTAVE) / bin_hz).astype(int))
    bands = np.add.reduceat(power[:, : edges[-1]], edges[:-1], axis=1) / np.diff(edges)
    bright = _decibels(np.percentile(bands, BRIGHT_PERCENTILE, axis=0))
    loudest = float(bright.max())
    floored = np.maximum(bright - loudest, FLOOR_DB)
    centre = np.sqrt(edges[:-1] * edges[1:]) * bin_hz
    cliff, at = 0.0, 0
    for low in range(len(floored) - BANDS_PER_OCTAVE):
        high = low + BANDS_PER_OCTAVE
        fall = float(floored[low] - floored[high])
        inside = LOWEST_CLIFF_HZ <= centre[low] <= HIGHEST_CLIFF_HZ
        if inside and fall > cliff and float(floored[high:].max() - floored[high]) <= SOUND_ABOVE_DB:
            steps = floored[low : high - 1] - floored[low + 2 : high + 1]
            sharp = centre[low] <= HIGHEST_SLOPE_HZ or float(steps.max()) >= SHARP_STEP_SHARE * fall
            if sharp and centre[low + 1 + int(np.argmax(steps))] <= HIGHEST_STEP_HZ:
                cliff, at = fall, low
    lines = step = 0.0
    if cliff > 0.0:
        first = max(0, at - BANDS_PER_OCTAVE + 1)
        below = [bright[band] - _valley_db(power[:, edges[band] : edges[band + 1]]) for band in range(first, at + 2)]
        lines = float(np.median(below))
        step = max(float(floored[band] - floored[band + 2]) for band in range(at, at + BANDS_PER_OCTAVE - 1)) / cliff
    move, change = _edge_of(power, bin_hz, float(centre[at])) if cliff >= EDGE_MIN_CLIFF_DB else (1.0, 0.0)
    return Band(cliff, float(centre[at]) if cliff else 0.0, lines, step, move, change, _bandwidth_hz(mean, bin_hz))


def _edge_of(power: NDArray[np.float32], bin_hz: float, cliff_hz: float) -> tuple[float, float]:
    """Return how far the upper end of (frames, bins) power moves, in octaves, and how much the lines below it change."""
    low, cliff, high = (int(cliff_hz * factor / bin_hz) for factor in (0.5, 1.0, 2.3))
    energy = power[:, 2:].sum(axis=1)
    part = power[energy > EDGE_SOUNDING_SHARE * energy.mean(), low : high + 1]
    below = part[:, : cliff - low + 1]
    loudest = below.max(axis=1)
    heard = part > np.percentile(loudest, 90.0) * 10.0 ** (-EDGE_DB / 10.0)
    heard = heard[heard.any(axis=1)]
    if len(heard) < EDGE_MIN_FRAMES:
        return 1.0, 0.0
    ends = np.log2(low + heard.shape[1] - 1 - np.argmax(heard[:, ::-1], axis=1))
    weak, strong = _decibels(np.percentile(below, (15.0, 90.0), axis=0))
    change = np.median((strong - weak)[strong > strong.max() - LINES_WITHIN_DB])
    middle, top = np.percentile(ends, (50.0, 97.0))
    return float(top - middle), float(change)


def _decibels(power: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(10.0 * np.log10(power + 1e-20))


def _valley_db(band: NDArray[np.float32]) -> float:
    """Return how loud it gets between the lines of one band of (frames, bins) power."""
    return float(10.0 * np.log10(np.percentile(np.percentile(band, VALLEY_PERCENTILE, axis=1), 95.0) + 1e-20))


def _bandwidth_hz(mean: NDArray[np.float32], bin_hz: float) -> float | None:
    level = _decibels(mean.astype(np.float64))
    frequency = np.arange(level.size) * bin_hz
    middle = (frequency > 200.0) & (frequency < 5000.0)
    heard = np.flatnonzero(level > np.median(level[middle]) - BANDWIDTH_DB) if middle.any() else np.zeros(0, int)
    return float(frequency[heard[-1]]) if heard.size else None
