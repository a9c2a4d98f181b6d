"""A look-ahead limiter that keeps the true peak of linked channels under a ceiling.

The gain that each frame needs comes from the four times oversampled signal. It is held over the look-ahead, let go
slowly and averaged over the look-ahead, so that it is already there when the peak comes and never jumps. Where nothing
peaks, samples are only multiplied by the gain.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ace_assets.audio import true_peak
from ace_assets.audio.compiled import compiled
from ace_assets.audio.loudness import HOPS_PER_SECOND

LOOKAHEAD_S = 0.002  # 1 to 5 ms is usual; shorter distorts bass, longer dulls attacks
RELEASE_S = 0.080
_MARGIN_DB = 0.01  # interpolating a limited signal can overshoot its envelope by a hair; the last step below is exact
_MAGNITUDE = np.int32(0x7FFFFFFF)
_SETTLED = 1e-5  # the release has ended when the gain is this near to 1


@dataclass(frozen=True)
class Limiting:
    """What limiting did.

    Attributes:
        max_reduction_db: how far the gain went down at most, 0 or positive.
        limited_share: share of the frames turned down by more than 0.01 dB.
        hop_power_gain: mean squared gain (the limiter's own, without the plain gain) of each 20 ms hop.
        true_peak_dbtp: of the output; never above the ceiling. None for silence.
    """

    max_reduction_db: float
    limited_share: float
    hop_power_gain: NDArray[np.float64]
    true_peak_dbtp: float | None


def plan_limiting(
    samples: NDArray[np.float32], sample_rate_hz: int, *, gain_db: float, ceiling_dbtp: float
) -> NDArray[np.float64]:
    """Return the mean squared gain of each 20 ms hop that `limit` would apply, without changing the samples."""
    hops = -(-len(samples) * HOPS_PER_SECOND // sample_rate_hz)
    power = np.ones(hops)
    _run(samples, sample_rate_hz, gain_db, ceiling_dbtp - _MARGIN_DB, power, apply=False)
    return power


def limit(samples: NDArray[np.float32], sample_rate_hz: int, *, gain_db: float = 0.0, ceiling_dbtp: float) -> Limiting:
    """Apply a gain and hold the true peak under the ceiling, in place.

    Args:
        samples: (frames, channels) float32 in C order, finite; changed.
        sample_rate_hz: frames per second.
        gain_db: plain gain before the limiter.
        ceiling_dbtp: highest true peak of the result.
    """
    hops = -(-len(samples) * HOPS_PER_SECOND // sample_rate_hz)
    power = np.ones(hops)
    lowest, share = _run(samples, sample_rate_hz, gain_db, ceiling_dbtp - _MARGIN_DB, power, apply=True)
    highest = true_peak.true_peak_of(samples)
    ceiling = 10.0 ** (ceiling_dbtp / 20.0)
    if highest > ceiling:
        samples *= np.float32(ceiling / highest * (1.0 - 1e-6))
        highest = ceiling
    return Limiting(
        max_reduction_db=max(0.0, -20.0 * math.log10(lowest)),
        limited_share=share,
        hop_power_gain=power,
        true_peak_dbtp=20.0 * math.log10(highest) if highest > 0.0 else None,
    )


def _run(
    samples: NDArray[np.float32],
    sample_rate_hz: int,
    gain_db: float,
    ceiling_dbtp: float,
    power: NDArray[np.float64],
    *,
    apply: bool,
) -> tuple[float, float]:
    if not len(samples):
        return 1.0, 0.0
    gain = 10.0 ** (gain_db / 20.0)
    threshold = 10.0 ** (ceiling_dbtp / 20.0) / gain
    lookahead = max(1, round(LOOKAHEAD_S * sample_rate_hz))
    release = 1.0 - math.exp(-1.0 / (RELEASE_S * sample_rate_hz))
    _peaks, bounds = true_peak.block_bounds(samples, true_peak.BOUND_GAIN, true_peak.BOUND_CURVATURE)
    slots, needs = _needed_gain(samples, bounds, threshold, true_peak.PHASES)
    lowest, limited = _shape(samples, slots, needs, gain, lookahead, release, sample_rate_hz, power, apply)
    return lowest, limited / len(samples)


@compiled
def _needed_gain(
    samples: NDArray[np.float32], bounds: NDArray[np.float32], threshold: float, phases: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return for each block its row in the second array, or -1, and there the gain that each of its frames needs.

    A value between two frames is the business of both, so the last value of a block also counts for the next block.
    """
    frames, channels = samples.shape
    flat = samples.reshape(frames * channels)
    width = true_peak.BLOCK_VALUES
    block_frames = width // channels
    blocks = bounds.size
    slots = np.full(blocks + 1, -1, np.int64)
    rows = 0
    for block in range(blocks):
        if bounds[block] > threshold:
            for other in (block, block + 1):
                if slots[other] < 0:
                    slots[other] = rows
                    rows += 1
    needs = np.ones((rows, block_frames), np.float32)
    segment = np.zeros(true_peak.BLOCK_VALUES + (true_peak.TAPS - 1) * channels, np.float32)
    values = np.zeros((3, true_peak.BLOCK_VALUES), np.float32)
    bits = values.view(np.int32)
    flat_bits = flat.view(np.int32)
    threshold_bits = np.full(1, threshold, np.float32).view(np.int32)[0]
    highest = np.zeros(block_frames + 1, np.float32)
    for block in range(blocks):
        if bounds[block] <= threshold:
            continue
        first = block * width
        if channels == 2:  # a constant in either branch lets the compiler unroll the taps
            true_peak.interpolate_block(flat, 2, first, phases, segment, values)
        else:
            true_peak.interpolate_block(flat, 1, first, phases, segment, values)
        largest = np.int32(0)
        for i in range(first, min(first + width, flat.size)):
            largest = max(largest, flat_bits[i] & _MAGNITUDE)
        for phase in range(3):
            for i in range(true_peak.BLOCK_VALUES):
                largest = max(largest, bits[phase, i] & _MAGNITUDE)
        if largest <= threshold_bits:
            continue
        highest[:] = np.float32(0.0)
        for i in range(width):
            frame = i // channels
            between = max(abs(values[0, i]), abs(values[1, i]), abs(values[2, i]))
            here = abs(flat[first + i]) if first + i < flat.size else np.float32(0.0)
            highest[frame] = max(highest[frame], between, here)
            highest[frame + 1] = max(highest[frame + 1], between)
        for frame in range(block_frames + 1):
            if highest[frame] > threshold:
                row = slots[block] if frame < block_frames else slots[block + 1]
                column = frame % block_frames
                needs[row, column] = min(needs[row, column], np.float32(threshold / highest[frame]))
    return slots, needs


@compiled
def _shape(
    samples: NDArray[np.float32],
    slots: NDArray[np.int64],
    needs: NDArray[np.float32],
    gain: float,
    lookahead: int,
    release: float,
    sample_rate_hz: int,
    power: NDArray[np.float64],
    apply: bool,
) -> tuple[float, int]:
    """Turn needed gains into an envelope, apply it if asked, fill `power`; return the lowest gain and frames limited.

    The envelope at frame j is the mean over the `lookahead` frames up to j of a curve that falls at once to the lowest
    need within the next `lookahead` frames and rises exponentially: every term of the mean has seen the peak at j.
    """
    frames, channels = samples.shape
    flat = samples.reshape(frames * channels)
    block_frames = true_peak.BLOCK_VALUES // channels
    blocks = slots.size - 1
    ahead_blocks = lookahead // block_frames + 1
    capacity = lookahead + block_frames + 2
    queue_frames = np.zeros(
        capacity, np.int64
    )  # rising frames with rising needs: the first is the lowest in the window
    queue_needs = np.ones(capacity, np.float64)
    ring = np.ones(lookahead, np.float64)
    head = 0
    count = 0
    total = float(lookahead)
    current = 1.0
    lowest = 1.0
    limited = 0
    fed = 0  # frames whose need has entered the queue
    calm = lookahead  # frames since the curve was last below 1
    plain = np.float32(gain)
    hop = 0
    hop_first = 0
    hop_end = sample_rate_hz // 50
    hop_sum = 0.0
    for block in range(blocks):
        first = block * block_frames
        last = min(first + block_frames, frames)
        busy = count > 0 or calm < lookahead or current < 1.0
        for other in range(block, min(block + ahead_blocks + 1, blocks + 1)):
            busy = busy or slots[other] >= 0
        if not busy:
            fed = last + lookahead
            if apply:
                for i in range(first * channels, last * channels):
                    flat[i] = flat[i] * plain
            position = first
            while position < last:
                stop = min(last, hop_end)
                hop_sum += stop - position
                position = stop
                if position == hop_end:
                    power[hop] = hop_sum / (hop_end - hop_first)
                    hop += 1
                    hop_first = hop_end
                    hop_end = (hop + 1) * sample_rate_hz // 50
                    hop_sum = 0.0
            continue
        for frame in range(first, last):
            fed = max(fed, frame)
            while fed <= frame + lookahead - 1 + 1:
                row = slots[fed // block_frames] if fed // block_frames < slots.size else -1
                need = float(needs[row, fed % block_frames]) if row >= 0 else 1.0
                if need < 1.0:
                    while count > 0 and queue_needs[(head + count - 1) % capacity] >= need:
                        count -= 1
                    spot = (head + count) % capacity
                    queue_frames[spot] = fed
                    queue_needs[spot] = need
                    count += 1
                fed += 1
            while count > 0 and queue_frames[head] < frame:
                head = (head + 1) % capacity
                count -= 1
            wanted = queue_needs[head] if count > 0 else 1.0
            if wanted < current:
                current = wanted
            else:
                current += (wanted - current) * release
                if 1.0 - current < _SETTLED:
                    current = 1.0
            slot = frame % lookahead
            total += current - ring[slot]
            ring[slot] = current
            if current < 1.0:
                calm = 0
            else:
                calm += 1
                if calm == lookahead:
                    total = float(lookahead)
            envelope = total / lookahead
            lowest = min(lowest, envelope)
            if envelope < 0.99885:
                limited += 1
            hop_sum += envelope * envelope
            if apply:
                factor = np.float32(envelope * gain)
                for channel in range(channels):
                    samples[frame, channel] = samples[frame, channel] * factor
            if frame + 1 == hop_end:
                power[hop] = hop_sum / (hop_end - hop_first)
                hop += 1
                hop_first = hop_end
                hop_end = (hop + 1) * sample_rate_hz // 50
                hop_sum = 0.0
    if hop < power.size and frames > hop_first:
        power[hop] = hop_sum / (frames - hop_first)
    return lowest, limited
