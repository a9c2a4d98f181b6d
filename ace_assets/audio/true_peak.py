"""True peak (BS.1770-4 annex 2): the interpolation filter, and its exact maximum without filtering everything.

The signal is oversampled four times by a polyphase filter of 25 taps a phase. Most of a track cannot hold its true
peak, and a bound proves it: each phase is a linear interpolation between two neighbouring samples plus a remainder that
vanishes on straight lines, so no interpolated value exceeds the larger neighbour by more than a constant times the
largest second difference nearby. Blocks whose bound stays below the best peak found so far are skipped; the result is
the same as without skipping.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ace_assets.audio.compiled import compiled

OVERSAMPLING = 4  # BS.1770-4 annex 2: at least 4 at 48 kHz
TAPS = 25  # a phase; the annex's example has 12
HALF = TAPS // 2
BLOCK_VALUES = 128  # 64 stereo frames: few blocks are hot after one drum hit; a constant, so that loops are unrolled
_KAISER_BETA = 7.5
_MAGNITUDE = np.int32(0x7FFFFFFF)  # magnitudes of floats compare like integers, and integers compare eight at a time
_ROUNDING = 1.0 + 4e-6  # what float32 summation may add to a bound


def _phases() -> NDArray[np.float32]:
    """Return the polyphase filter, shape (4, 25): a windowed sinc, each phase with a gain of exactly 1 at 0 Hz."""
    length = (TAPS - 1) * OVERSAMPLING + 1
    offset = np.arange(length) - length // 2
    prototype = np.sinc(offset / OVERSAMPLING) * np.kaiser(length, _KAISER_BETA)
    phases = np.zeros((OVERSAMPLING, TAPS))
    for phase in range(OVERSAMPLING):
        # y[i + phase/4] = sum over k of phases[phase, k] * x[i - HALF + k]
        branch = prototype[::-1][OVERSAMPLING - phase :: OVERSAMPLING] if phase else prototype[::OVERSAMPLING]
        phases[phase, TAPS - len(branch) :] = branch / branch.sum()
    return phases.astype(np.float32)


def _bound_factors(phases: NDArray[np.float32]) -> tuple[float, float]:
    """Return (gain, curvature): |y| <= gain * max|x| and |y| <= max|x| + curvature * max|second difference|."""
    gain = float(np.abs(phases.astype(np.float64)).sum(axis=1).max())
    curvature = 0.0
    for phase in range(1, OVERSAMPLING):
        remainder = phases[phase].astype(np.float64)
        total = remainder.sum()
        moment = float((remainder * (np.arange(TAPS) - HALF)).sum())
        remainder[HALF] -= total - moment
        remainder[HALF + 1] -= moment
        # A filter without response to constants and straight lines is another filter of second differences.
        curvature = max(curvature, float(np.abs(np.cumsum(np.cumsum(remainder))).sum()))
    return gain, curvature


PHASES = _phases()
BOUND_GAIN, BOUND_CURVATURE = _bound_factors(PHASES)


@compiled
def block_bounds(
    samples: NDArray[np.float32], gain: float, curvature: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return per block of 128 values the sample peak and a bound of the true peak, over all channels.

    Frames outside the array count as zero. A block that holds a NaN or an infinity has a peak that is not finite.
    """
    frames, channels = samples.shape
    flat = samples.reshape(frames * channels)
    bits = flat.view(np.int32)
    width = BLOCK_VALUES
    blocks = (frames * channels + width - 1) // width
    peak_bits = np.zeros(blocks, np.int32)
    bend_bits = np.zeros(blocks, np.int32)
    bend = np.zeros(BLOCK_VALUES, np.float32)
    bend_view = bend.view(np.int32)
    for block in range(blocks):
        first = block * width
        last = min(first + width, frames * channels)
        largest = np.int32(0)
        for i in range(first, last):
            largest = max(largest, bits[i] & _MAGNITUDE)
        peak_bits[block] = largest
        if first >= channels and last + channels <= frames * channels and last - first == width:
            for i in range(BLOCK_VALUES):
                bend[i] = flat[first + i - channels] - np.float32(2.0) * flat[first + i] + flat[first + i + channels]
        else:
            bend[:] = np.float32(0.0)
            for i in range(first, last):
                before = flat[i - channels] if i >= channels else np.float32(0.0)
                after = flat[i + channels] if i + channels < frames * channels else np.float32(0.0)
                bend[i - first] = before - np.float32(2.0) * flat[i] + after
            # The second difference just outside the array is the outermost sample itself.
            for channel in range(channels):
                if first == 0:
                    bend[channel] = max(abs(bend[channel]), abs(flat[channel]))
                if last == frames * channels:
                    j = last - first - channels + channel
                    bend[j] = max(abs(bend[j]), abs(flat[last - channels + channel]))
        largest = np.int32(0)
        for i in range(BLOCK_VALUES):
            largest = max(largest, bend_view[i] & _MAGNITUDE)
        bend_bits[block] = largest
    peaks = peak_bits.view(np.float32)
    bends = bend_bits.view(np.float32)
    bounds = np.empty(blocks, np.float32)
    for block in range(blocks):
        near_peak = peaks[block]
        near_bend = bends[block]
        for other in range(max(block - 1, 0), min(block + 2, blocks)):
            near_peak = max(near_peak, peaks[other])
            near_bend = max(near_bend, bends[other])
        bounds[block] = min(near_peak * gain, near_peak + curvature * near_bend) * _ROUNDING
    return peaks, bounds


@compiled
def interpolate_block(
    flat: NDArray[np.float32],
    channels: int,
    first: int,
    phases: NDArray[np.float32],
    segment: NDArray[np.float32],
    values: NDArray[np.float32],
) -> None:
    """Fill `values` (3, 128) with the three interpolated phases after each of 128 interleaved values from `first`.

    `segment` is scratch of 128 + 24 x channels values; values outside `flat` count as zero.
    """
    start = first - HALF * channels
    span = BLOCK_VALUES + (TAPS - 1) * channels
    if start >= 0 and start + span <= flat.size:
        for i in range(span):
            segment[i] = flat[start + i]
    else:
        for i in range(span):
            j = start + i
            segment[i] = flat[j] if 0 <= j < flat.size else np.float32(0.0)
    for i in range(BLOCK_VALUES):
        values[0, i] = np.float32(0.0)
        values[1, i] = np.float32(0.0)
        values[2, i] = np.float32(0.0)
    for tap in range(TAPS):
        first_weight = phases[1, tap]
        second_weight = phases[2, tap]
        third_weight = phases[3, tap]
        shift = tap * channels
        for i in range(BLOCK_VALUES):
            value = segment[i + shift]
            values[0, i] += first_weight * value
            values[1, i] += second_weight * value
            values[2, i] += third_weight * value


@compiled
def highest_true_peak(
    samples: NDArray[np.float32],
    first_frame: int,
    last_frame: int,
    highest: float,
    phases: NDArray[np.float32],
    gain: float,
    curvature: float,
) -> float:
    """Return the larger of `highest` and the true peak (linear) between two frames of (frames, channels) samples.

    Frames outside the array count as zero; samples that are not finite are to be kept away by the caller.
    """
    frames, channels = samples.shape
    flat = samples.reshape(frames * channels)
    width = BLOCK_VALUES
    block_frames = width // channels
    peaks, bounds = block_bounds(samples, gain, curvature)
    best = np.float32(highest)
    for frame in range(first_frame, min(last_frame, first_frame + block_frames)):
        for channel in range(channels):
            best = max(best, abs(samples[frame, channel]))
    first_whole = (first_frame + block_frames - 1) // block_frames
    for block in range(first_whole, last_frame // block_frames):
        best = max(best, peaks[block])
    for frame in range(max(first_frame, last_frame - block_frames), last_frame):
        for channel in range(channels):
            best = max(best, abs(samples[frame, channel]))
    first_block = first_frame // block_frames
    last_block = (last_frame + block_frames - 1) // block_frames
    segment = np.zeros(BLOCK_VALUES + (TAPS - 1) * channels, np.float32)
    values = np.zeros((3, BLOCK_VALUES), np.float32)
    bits = values.view(np.int32)
    found = np.zeros(1, np.int32)
    # The most promising block first: what it reaches lets most others be skipped.
    promising = first_block + np.argmax(bounds[first_block:last_block])
    for visit in range(first_block - 1, last_block):
        block = visit if visit >= first_block else promising
        if bounds[block] <= best:
            continue
        if channels == 2:  # a constant in either branch lets the compiler unroll the taps
            interpolate_block(flat, 2, block * width, phases, segment, values)
        else:
            interpolate_block(flat, 1, block * width, phases, segment, values)
        low = max(0, first_frame * channels - block * width)
        high = min(width, last_frame * channels - block * width)
        largest = np.int32(0)
        if low > 0 or high < width:
            values[:, :low] = np.float32(0.0)
            values[:, high:] = np.float32(0.0)
        for phase in range(3):
            for i in range(BLOCK_VALUES):
                largest = max(largest, bits[phase, i] & _MAGNITUDE)
        found[0] = largest
        best = max(best, found.view(np.float32)[0])
    return float(best)


def true_peak_of(samples: NDArray[np.float32]) -> float:
    """Return the linear true peak of (frames, channels) float32 samples, what rings before and after them included."""
    context = 2 * HALF
    edge = np.zeros((context, samples.shape[1]), np.float32)
    ends = [np.concatenate([edge, samples[:context], edge]), np.concatenate([edge, samples[-context:], edge])]
    highest = 0.0
    if len(samples) > context:
        highest = highest_true_peak(samples, 0, len(samples), highest, PHASES, BOUND_GAIN, BOUND_CURVATURE)
        # Only the outsides of the ends: inside, these short pieces lack the other half of their surroundings.
        highest = highest_true_peak(ends[0], HALF, context, highest, PHASES, BOUND_GAIN, BOUND_CURVATURE)
        return highest_true_peak(
            ends[1], len(ends[1]) - context, len(ends[1]) - HALF, highest, PHASES, BOUND_GAIN, BOUND_CURVATURE
        )
    whole = np.concatenate([edge, samples, edge])
    return highest_true_peak(whole, HALF, len(whole) - HALF, highest, PHASES, BOUND_GAIN, BOUND_CURVATURE)
