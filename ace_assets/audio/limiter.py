"""A look-ahead limiter that keeps the true peak of linked channels under a ceiling.

The gain that each frame needs comes from the four times oversampled signal. It is held over the look-ahead, let go
slowly and averaged over the look-ahead, so that it is already there when the peak comes and never jumps. Where nothing
peaks, samples are only multiplied by the gain.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ace_assets.audio import true_peak
from ace_assets.audio.compiled import compiled
from ace_assets.audio.loudness import HOPS_PER_SECOND

LOOKAHEAD_S = 0.002  # 1 to 5 ms is usual; shorter distorts bass, longer dulls attacks
RELEASE_S = 0.080
MARGIN_DB = 0.01  # interpolating a limited signal can overshoot its envelope by a hair; the last step below is exact
_MAGNITUDE = np.int32(0x7FFFFFFF)
_AUDIBLY = 0.99885  # -0.01 dB
_BLOCK_S = 2.0  # little enough for a processor's cache
_NOTHING = np.zeros((0, 2), np.float32)
_SETTLED = 1e-5  # the release has ended when the gain is this near to 1


@dataclass(frozen=True)
class Limiting:
    """What limiting did, or would do.

    Attributes:
        max_reduction_db: how far the gain went down at most, 0 or positive.
        limited_share: share of the frames turned down by more than 0.01 dB.
        hop_power_gain: (hops,) mean squared gain (the limiter's own, without the plain gain) of each 20 ms hop.
    """

    max_reduction_db: float
    limited_share: float
    hop_power_gain: NDArray[np.float64]


class Limiter:
    """Limits one piece of audio, as often as it takes to find the right gain; the samples stay as they are.

    Args:
        samples: (frames, channels) float32 in C order, finite.
        sample_rate_hz: frames per second.
        highest: true peak of the samples, linear, where it is known: what stays below the ceiling needs no search.
    """

    def __init__(self, samples: NDArray[np.float32], sample_rate_hz: int, *, highest: float = math.inf) -> None:
        self._samples = samples
        self._rate = sample_rate_hz
        self._highest = highest
        self._bounds: NDArray[np.float32] | None = None

    def _run(self, gain_db: float, ceiling_dbtp: float) -> _Run:
        gain = 10.0 ** (gain_db / 20.0)
        threshold = 10.0 ** ((ceiling_dbtp - MARGIN_DB) / 20.0) / gain
        if self._highest <= threshold:
            blocks = -(-self._samples.size // true_peak.BLOCK_VALUES)
            return _Run(self._samples, self._rate, np.full(blocks + 1, -1), np.ones((0, 1), np.float32), gain)
        if self._bounds is None:
            _peaks, self._bounds = true_peak.block_bounds(
                self._samples, true_peak.BOUND_GAIN, true_peak.BOUND_CURVATURE
            )
        slots, needs = _needed_gain(self._samples, self._bounds, threshold, true_peak.PHASES)
        return _Run(self._samples, self._rate, slots, needs, gain)

    def plan(self, *, gain_db: float, ceiling_dbtp: float) -> Limiting:
        """Return what limiting would do after a plain gain."""
        run = self._run(gain_db, ceiling_dbtp)
        run.shape(0, len(self._samples), _NOTHING)
        return run.result()

    def blocks(self, *, gain_db: float, ceiling_dbtp: float) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield (first frame, limited samples) in turn; a block is only valid until the next one.

        What is yielded can pass the ceiling by a hair, since interpolating a limited signal is not limiting an
        interpolated one; `limit` is exact.
        """
        run = self._run(gain_db, ceiling_dbtp)
        step = round(_BLOCK_S * self._rate / true_peak.BLOCK_VALUES) * true_peak.BLOCK_VALUES
        scratch = np.empty((min(step, len(self._samples)), self._samples.shape[1]), np.float32)
        for first in range(0, len(self._samples), step):
            last = min(first + step, len(self._samples))
            run.shape(first, last, scratch)
            yield first, scratch[: last - first]


def limit(samples: NDArray[np.float32], sample_rate_hz: int, *, gain_db: float = 0.0, ceiling_dbtp: float) -> float:
    """Apply a gain and hold the true peak under the ceiling, in place; return the true peak, linear, 0 for silence.

    Args:
        samples: (frames, channels) float32 in C order, finite; changed.
        sample_rate_hz: frames per second.
        gain_db: plain gain before the limiter.
        ceiling_dbtp: highest true peak of the result, on the four times oversampled signal.
    """
    if not len(samples):
        return 0.0
    for first, block in Limiter(samples, sample_rate_hz).blocks(gain_db=gain_db, ceiling_dbtp=ceiling_dbtp):
        samples[first : first + len(block)] = block
    highest = float(true_peak.true_peak_of(samples))
    ceiling = float(10.0 ** (ceiling_dbtp / 20.0))
    if highest <= ceiling:
        return highest
    samples *= np.float32(ceiling / highest * (1.0 - 1e-6))
    return ceiling


class _Run:
    """One pass of the limiter over a piece, block after block."""

    def __init__(
        self,
        samples: NDArray[np.float32],
        sample_rate_hz: int,
        slots: NDArray[np.int64],
        needs: NDArray[np.float32],
        gain: float,
    ) -> None:
        self._samples = samples
        self._rate = sample_rate_hz
        self._gain = gain
        self._slots, self._needs = slots, needs
        lookahead = max(1, round(LOOKAHEAD_S * sample_rate_hz))
        self._release = 1.0 - math.exp(-1.0 / (RELEASE_S * sample_rate_hz))
        self._ring = self._before_the_beginning(lookahead)
        self._queue_frames = np.zeros(lookahead + 2, np.int64)
        self._queue_needs = np.ones(lookahead + 2)
        # Total of the ring, curve, lowest envelope, sum of the hop.
        self._state = np.array([self._ring.sum(), self._ring[-1], 1.0, 0.0])
        calm = lookahead if self._ring[-1] == 1.0 else 0
        self._counts = np.array([0, 0, 0, 0, calm, 0], np.int64)  # queue head and length, limited, fed, calm, hop
        self._power = np.ones(-(-len(samples) * HOPS_PER_SECOND // sample_rate_hz))

    def _before_the_beginning(self, lookahead: int) -> NDArray[np.float64]:
        """Return the curve over the look-ahead before the first frame, as if it had seen what comes then."""
        first = np.ones(lookahead)
        width = true_peak.BLOCK_VALUES // self._samples.shape[1]
        for block in range(min(-(-lookahead // width), self._slots.size)):
            if self._slots[block] >= 0:
                here = first[block * width : (block + 1) * width]
                here[:] = self._needs[self._slots[block]][: here.size]
        return np.minimum.accumulate(first)

    def shape(self, first: int, last: int, out: NDArray[np.float32]) -> None:
        _shape(
            self._samples,
            first,
            last,
            self._slots,
            self._needs,
            self._gain,
            self._release,
            self._rate,
            self._ring,
            self._queue_frames,
            self._queue_needs,
            self._state,
            self._counts,
            self._power,
            out,
        )

    def result(self) -> Limiting:
        return Limiting(
            max_reduction_db=max(0.0, -20.0 * math.log10(self._state[2])),
            limited_share=float(self._counts[2] / max(1, len(self._samples))),
            hop_power_gain=self._power,
        )


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
    first_frame: int,
    last_frame: int,
    slots: NDArray[np.int64],
    needs: NDArray[np.float32],
    gain: float,
    release: float,
    sample_rate_hz: int,
    ring: NDArray[np.float64],
    queue_frames: NDArray[np.int64],
    queue_needs: NDArray[np.float64],
    state: NDArray[np.float64],
    counts: NDArray[np.int64],
    power: NDArray[np.float64],
    out: NDArray[np.float32],
) -> None:
    """Turn needed gains into an envelope for some frames, write limited samples to `out` if it has room, fill `power`.

    The envelope at frame j is the mean over the look-ahead up to j of a curve that falls at once to the lowest need
    within the next look-ahead and rises exponentially: every term of the mean has seen the peak at j. `first_frame` is
    where a block starts; `ring`, the queue (rising frames with rising needs: the first is the lowest ahead), `state`
    and `counts` carry over from the call before.
    """
    frames, channels = samples.shape
    flat = samples.reshape(frames * channels)
    flat_out = out.reshape(out.size)
    apply = out.size > 0
    block_frames = true_peak.BLOCK_VALUES // channels
    lookahead = ring.size
    capacity = queue_frames.size
    ahead_blocks = lookahead // block_frames + 1
    total, current, lowest, hop_sum = state
    head, count, limited, fed, calm, hop = counts
    plain = np.float32(gain)
    hop_first = hop * sample_rate_hz // HOPS_PER_SECOND
    hop_end = (hop + 1) * sample_rate_hz // HOPS_PER_SECOND
    for block in range(first_frame // block_frames, (last_frame + block_frames - 1) // block_frames):
        first = block * block_frames
        last = min(first + block_frames, last_frame)
        busy = count > 0 or calm < lookahead or current < 1.0
        for other in range(block, min(block + ahead_blocks + 1, slots.size)):
            busy = busy or slots[other] >= 0
        if not busy:
            fed = last + lookahead
            if apply:
                shift = first_frame * channels
                for i in range(first * channels, last * channels):
                    flat_out[i - shift] = flat[i] * plain
            position = first
            while position < last:
                stop = min(last, hop_end)
                hop_sum += stop - position
                position = stop
                if position == hop_end:
                    power[hop] = hop_sum / (hop_end - hop_first)
                    hop += 1
                    hop_first = hop_end
                    hop_end = (hop + 1) * sample_rate_hz // HOPS_PER_SECOND
                    hop_sum = 0.0
            continue
        for frame in range(first, last):
            fed = max(fed, frame)
            while fed <= frame + lookahead:
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
            if envelope < _AUDIBLY:
                limited += 1
            hop_sum += envelope * envelope
            if apply:
                factor = np.float32(envelope * gain)
                for channel in range(channels):
                    out[frame - first_frame, channel] = samples[frame, channel] * factor
            if frame + 1 == hop_end:
                power[hop] = hop_sum / (hop_end - hop_first)
                hop += 1
                hop_first = hop_end
                hop_end = (hop + 1) * sample_rate_hz // HOPS_PER_SECOND
                hop_sum = 0.0
    if last_frame == frames and hop < power.size and frames > hop_first:
        power[hop] = hop_sum / (frames - hop_first)
    state[:] = (total, current, lowest, hop_sum)
    counts[:] = (head, count, limited, fed, calm, hop)
