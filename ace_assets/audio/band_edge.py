"""Where everything falls steeply at one frequency: what the music plays there and what lies between its lines.

A filter takes from all there is at a frequency: from the loudest note as from the noise, breath and transients between the
notes. Music that ends by itself ends otherwise. Pure tones stop at their last partial, while what lies between the lines
goes on; dark music slopes gently. So both are followed from band to band, and what counts is by how much they fall together.

Between the lines of a sum of sines there is less than most windows show: theirs leaks. This one's leaks 92 dB below a line, is
long enough to leave gaps between the partials of a bass, and so shows the transients, or the noise of 16 bits, or nothing.
Where such noise is flat and then ends, a filter came after it.

The cut-offs of lossy codecs lie higher (from about 14 kHz) and are left alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from ace_assets.audio.band import window_powers

WINDOW_S, SHORTEST_STEP_S, MOST_WINDOWS = 0.17, 0.25, 240
BLACKMAN_HARRIS = (0.35875, -0.48829, 0.14128, -0.01168)  # Harris 1978, four terms, highest side lobe -92 dB
LOWEST_EDGE_HZ, HIGHEST_END_HZ = 1_100.0, 15_300.0
BANDS_PER_OCTAVE = 6
FIRST_BAND_HZ = 1_000.0
# Encoders save up here: a fall that ends above this must have come so far one band before, and counts so much less an octave.
CODEC_HZ, BEFORE_CODEC_SHARE, CODEC_DB_PER_OCTAVE = 12_600.0, 0.35, 6.0
BETWEEN_SHARE = 0.1  # of the bins of a band: so many lie between its lines
# Between the lines is looked at in the frames with the most energy above this, where a codec spares no bits, and, for what
# sounds too briefly to be among them, in the loudest frames of each band.
BRIGHT_HZ, BRIGHT_SHARE, FEWEST_FRAMES = 1_500.0, 0.1, 8
LOUD_FROM_HZ, LOUD_PERCENTILE = 100.0, 98.0
UNHEARD_DB = -95.0  # lines below it, relative to the loudest, do not fall any further
TOGETHER_SHARE = 0.5  # what lies between the lines falls by at least this share of what they do
# Lines that end: most of their fall is one step, while what lies between them falls by degrees.
LAST_LINE_DB, LAST_LINE_SHARE, GRADUAL_SHARE, SUDDEN_DB = 30.0, 0.7, 0.8, 40.0
# A floor of noise: so flat over an octave and so faint; if less flat, lines fall with it by at least such a share.
FLAT_DB, FAINT_DB, FLOOR_END_HZ, FLOOR_TOGETHER_SHARE = 6.0, -85.0, 13_800.0, 0.6


@dataclass(frozen=True)
class BandEdge:
    """The steepest falls of everything together that nothing follows, in dB.

    Attributes:
        octave_fall_db: within an octave.
        half_octave_fall_db: within half an octave.
        floor_fall_db: of a faint floor of noise within an octave, above what it varied by over the octave before.
    """

    octave_fall_db: float
    half_octave_fall_db: float
    floor_fall_db: float


@dataclass(frozen=True)
class _Curves:
    """What is followed from band to band, in dB relative to the loudest line; empty at rates too low to tell.

    Attributes:
        centre_hz: of each sixth of an octave.
        between: level between the lines when it is bright.
        loudest_between: the same in the loudest frames of each band.
        lines: level of the loudest lines.
    """

    centre_hz: NDArray[np.float64]
    between: NDArray[np.float64]
    loudest_between: NDArray[np.float64]
    lines: NDArray[np.float64]


def find_edge(samples: NDArray[np.float32], sample_rate_hz: int) -> BandEdge:
    """Return the steepest falls of (frames, channels) samples; zeros where there are none, and at rates too low to tell."""
    window = scipy.fft.next_fast_len(round(WINDOW_S * sample_rate_hz), real=True)
    if len(samples) < window:
        samples = np.pad(samples, ((0, window - len(samples)), (0, 0)))
    step = max(round(SHORTEST_STEP_S * sample_rate_hz), -(-(len(samples) - window + 1) // MOST_WINDOWS))
    turns = 2.0 * np.pi * np.arange(window) / window
    taper = sum(weight * np.cos(order * turns) for order, weight in enumerate(BLACKMAN_HARRIS))
    power = np.concatenate(list(window_powers(samples, window, step, np.asarray(taper, np.float32))))
    curves = _curves_of(power, sample_rate_hz / window)
    falls = [_steepest(curves.centre_hz, gap, curves.lines) for gap in (curves.between, curves.loudest_between)]
    return BandEdge(
        max(octave for octave, _half in falls),
        max(half for _octave, half in falls),
        _floor_fall(curves.centre_hz, curves.between, curves.lines),
    )


def _curves_of(power: NDArray[np.float32], bin_hz: float) -> _Curves:
    top_hz = bin_hz * (power.shape[1] - 1)
    count = int(BANDS_PER_OCTAVE * np.log2(max(1.0, 0.95 * top_hz / FIRST_BAND_HZ)))
    edges = np.round(FIRST_BAND_HZ * 2.0 ** (np.arange(count + 1) / BANDS_PER_OCTAVE) / bin_hz).astype(int)
    if count < 2 * BANDS_PER_OCTAVE or np.diff(edges).min() < 4:
        return _Curves(*[np.zeros(0)] * 4)
    gaps = np.empty((len(power), count), np.float32)
    for band in range(count):
        part = power[:, edges[band] : edges[band + 1]]
        place = int(BETWEEN_SHARE * part.shape[1])
        gaps[:, band] = np.partition(part, place, axis=1)[:, place]
    high = power[:, int(BRIGHT_HZ / bin_hz) :].sum(axis=1)
    bright = np.argsort(high)[-max(FEWEST_FRAMES, int(BRIGHT_SHARE * len(power))) :]
    tops = np.maximum.reduceat(power[:, : edges[-1]], edges[:-1], axis=1)
    loudest = np.percentile(power[:, int(LOUD_FROM_HZ / bin_hz) :].max(axis=1), LOUD_PERCENTILE)
    levels = (
        np.median(gaps[bright], axis=0),
        np.percentile(gaps, LOUD_PERCENTILE, axis=0),
        np.percentile(tops, LOUD_PERCENTILE, axis=0),
    )
    decibels = [10.0 * np.log10(level / (float(loudest) + 1e-20) + 1e-17) for level in levels]
    return _Curves(np.sqrt(edges[:-1] * edges[1:]) * bin_hz, *decibels)


def _from_here_on(level: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the highest level from each band on: what rises again was not filtered off."""
    return np.asarray(np.maximum.accumulate(level[::-1])[::-1])


def _steepest(
    centre_hz: NDArray[np.float64], between: NDArray[np.float64], lines: NDArray[np.float64]
) -> tuple[float, float]:
    """Return the steepest joint falls within an octave and within half of one."""
    gap, line = _from_here_on(between), _from_here_on(np.maximum(lines, UNHEARD_DB))
    half = BANDS_PER_OCTAVE // 2
    falls = [_joint_fall(gap[low : low + half + 1], line[low : low + half + 1]) for low in range(gap.size - half)]
    octave_fall = half_octave_fall = 0.0
    for low in range(gap.size - half):
        for high in (low + half, low + BANDS_PER_OCTAVE):
            if high >= gap.size or centre_hz[low] < LOWEST_EDGE_HZ or centre_hz[high] > HIGHEST_END_HZ:
                continue
            fall = sum(falls[low:high:half])
            if centre_hz[high] > CODEC_HZ:
                before = min(gap[high - half] - gap[high - 1], line[high - half] - line[high - 1])
                if before < BEFORE_CODEC_SHARE * falls[high - half]:
                    continue
                fall -= CODEC_DB_PER_OCTAVE * (high - low) / BANDS_PER_OCTAVE
            if high == low + half:
                half_octave_fall = max(half_octave_fall, fall)
            else:
                octave_fall = max(octave_fall, fall)
    return octave_fall, half_octave_fall


def _joint_fall(gap: NDArray[np.float64], line: NDArray[np.float64]) -> float:
    """Return by how much both fall over some bands; 0 where the lines end by themselves."""
    gap_fall, line_fall = float(gap[0] - gap[-1]), float(line[0] - line[-1])
    line_step, gap_step = float(-np.diff(line).min()), float(-np.diff(gap).min())
    last_line = line_step >= max(LAST_LINE_DB, LAST_LINE_SHARE * line_fall)
    if gap_fall < TOGETHER_SHARE * line_fall or (last_line and gap_step < min(SUDDEN_DB, GRADUAL_SHARE * gap_fall)):
        return 0.0
    return min(gap_fall, line_fall)


def _floor_fall(centre_hz: NDArray[np.float64], between: NDArray[np.float64], lines: NDArray[np.float64]) -> float:
    """Return by how much a floor of noise falls within an octave, less what it varied by over the octave before."""
    gap = _from_here_on(between)
    steepest = 0.0
    for low in range(BANDS_PER_OCTAVE - 1, gap.size - BANDS_PER_OCTAVE):
        high = low + BANDS_PER_OCTAVE
        if centre_hz[low] < LOWEST_EDGE_HZ or centre_hz[high] > FLOOR_END_HZ or between[low] > FAINT_DB:
            continue
        fall = float(gap[low] - gap[high])
        varied = float(np.ptp(between[low - BANDS_PER_OCTAVE + 1 : low + 1]))
        # down to the lowest on the way: the images of a resampler may rise again, unheard
        lines_fall = float(lines[low] - lines[low : high + 1].min())
        if varied <= FLAT_DB or lines_fall >= FLOOR_TOGETHER_SHARE * fall:
            steepest = max(steepest, fall - varied)
    return steepest
