"""Loudness and true peak as ITU-R BS.1770-4, EBU Tech 3341 and EBU Tech 3342 define them.

What lives here: the K-weighting, the gates, the maxima, the range, and one pass over the samples that leaves per 20 ms
everything that loudness needs and that detectors can share. True peak itself is in `true_peak`, changing loudness in
`limiter`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ace_assets.audio import true_peak
from ace_assets.audio.compiled import compiled
from ace_assets.errors import AudioError

HOPS_PER_SECOND = 50  # the 20 ms grid that EBU Tech 3341 case 13 needs
MOMENTARY_HOPS = 20  # 400 ms, BS.1770-4 gating block and Tech 3341 momentary window
SHORT_TERM_HOPS = 150  # 3 s, Tech 3341
GATING_STEP_HOPS = 5  # 100 ms: blocks overlap by 75 %, BS.1770-4
ABSOLUTE_GATE_LUFS = -70.0  # BS.1770-4
RELATIVE_GATE_LU = -10.0  # BS.1770-4
RANGE_GATE_LU = -20.0  # Tech 3342
RANGE_PERCENTILES = (0.10, 0.95)  # Tech 3342
LOUDNESS_OFFSET_DB = -0.691  # BS.1770-4, equation 2
MIN_RATE_HZ, MAX_RATE_HZ = 8_000, 192_000
MAX_CHANNELS = 2
_LARGEST_ENERGY = 1.7e308  # float64, less than infinity
_LARGEST_SAMPLE = 3.5e38  # float32 ends just below
_CHUNK_S = 10  # what one call of the compiled loops sees: whole seconds, so that hops end where chunks do


@dataclass(frozen=True)
class Loudness:
    """What a meter says about a piece of audio; None where a quantity does not exist (silence, too short, not finite).

    Attributes:
        integrated_loudness_lufs: gated loudness of the whole; needs 400 ms.
        loudness_range_lu: 95th minus 10th percentile of the gated short-term loudness; needs 3 s.
        momentary_max_lufs: loudest 400 ms on a 20 ms grid.
        short_term_max_lufs: loudest 3 s on a 20 ms grid.
        true_peak_dbtp: highest absolute value of the four times oversampled signal.
        sample_peak_dbfs: highest absolute sample.
    """

    integrated_loudness_lufs: float | None
    loudness_range_lu: float | None
    momentary_max_lufs: float | None
    short_term_max_lufs: float | None
    true_peak_dbtp: float | None
    sample_peak_dbfs: float | None


@dataclass(frozen=True)
class BlockStatistics:
    """What one pass over the samples leaves per 20 ms hop, for loudness and for whoever else wants it.

    All sums run over the frames of one hop; the last hop may be shorter.

    Attributes:
        sample_rate_hz: of the samples.
        frames: how many frames were seen.
        hop_frames: (hops,) frames of each hop.
        k_energy: (hops, channels) sums of squares after K-weighting.
        energy: (hops, channels) sums of squares.
        cross_energy: (hops,) sums of left times right; the energy itself for one channel.
        total: (hops, channels) sums, for the offset.
        peak: (hops, channels) highest absolute samples.
        true_peak: highest absolute value of the oversampled signal, linear.
        non_finite_frames: frames that hold a NaN or an infinity.
    """

    sample_rate_hz: int
    frames: int
    hop_frames: NDArray[np.int64]
    k_energy: NDArray[np.float64]
    energy: NDArray[np.float64]
    cross_energy: NDArray[np.float64]
    total: NDArray[np.float64]
    peak: NDArray[np.float64]
    true_peak: float
    non_finite_frames: int


def k_weighting(sample_rate_hz: int) -> NDArray[np.float64]:
    """Return (b0, b1, b2, a1, a2) of the shelf and (a1, a2) of the high-pass, whose numerator is (1, -2, 1).

    BS.1770-4 tabulates 48 kHz only; these are its analogue prototypes (AUDIO.md), prewarped for any rate.
    """
    centre_hz, gain_db, quality = 1681.974450955533, 3.999843853973347, 0.7071752369554196
    warped = math.tan(math.pi * centre_hz / sample_rate_hz)
    high = 10.0 ** (gain_db / 20.0)
    band = high**0.4996667741545416
    scale = 1.0 + warped / quality + warped * warped
    shelf = (
        (high + band * warped / quality + warped * warped) / scale,
        2.0 * (warped * warped - high) / scale,
        (high - band * warped / quality + warped * warped) / scale,
        2.0 * (warped * warped - 1.0) / scale,
        (1.0 - warped / quality + warped * warped) / scale,
    )
    centre_hz, quality = 38.13547087602444, 0.5003270373238773
    warped = math.tan(math.pi * centre_hz / sample_rate_hz)
    scale = 1.0 + warped / quality + warped * warped
    high_pass = (2.0 * (warped * warped - 1.0) / scale, (1.0 - warped / quality + warped * warped) / scale)
    return np.array(shelf + high_pass)


@compiled
def _sum_hops(
    samples: NDArray[np.float32],
    ends: NDArray[np.int64],
    weights: NDArray[np.float64],
    state: NDArray[np.float64],
    sums: NDArray[np.float64],
) -> int:
    """Fill `sums` (hops, 3 x channels + 1): K-energy, energy and total per channel, cross energy; carry `state`.

    Returns how many frames are not finite. `state` is (channels, 4).
    """
    b0, b1, b2, a1, a2, c1, c2 = weights
    channels = samples.shape[1]
    stereo = channels == 2
    p1, p2, q1, q2 = state[0]
    r1, r2, s1, s2 = state[channels - 1]
    first = 0
    broken = 0
    for hop in range(ends.size):
        weighted_left = weighted_right = left_energy = right_energy = cross = left_total = right_total = 0.0
        if stereo:
            for i in range(first, ends[hop]):
                left = float(samples[i, 0])
                right = float(samples[i, 1])
                y = b0 * left + p1
                p1 = b1 * left - a1 * y + p2
                p2 = b2 * left - a2 * y
                z = y + q1
                q1 = q2 - 2.0 * y - c1 * z
                q2 = y - c2 * z
                u = b0 * right + r1
                r1 = b1 * right - a1 * u + r2
                r2 = b2 * right - a2 * u
                v = u + s1
                s1 = s2 - 2.0 * u - c1 * v
                s2 = u - c2 * v
                weighted_left += z * z
                weighted_right += v * v
                left_energy += left * left
                right_energy += right * right
                cross += left * right
                left_total += left
                right_total += right
        else:
            for i in range(first, ends[hop]):
                left = float(samples[i, 0])
                y = b0 * left + p1
                p1 = b1 * left - a1 * y + p2
                p2 = b2 * left - a2 * y
                z = y + q1
                q1 = q2 - 2.0 * y - c1 * z
                q2 = y - c2 * z
                weighted_left += z * z
                left_energy += left * left
                left_total += left
            cross = left_energy
        # In digital silence the filters would decay into subnormal numbers, which processors handle slowly.
        if left_energy == 0.0:
            p1, p2, q1, q2 = _flushed(p1), _flushed(p2), _flushed(q1), _flushed(q2)
        if stereo and right_energy == 0.0:
            r1, r2, s1, s2 = _flushed(r1), _flushed(r2), _flushed(s1), _flushed(s2)
        # Comparisons, for `isfinite` subtracts a number from itself, which relaxed arithmetic takes for zero.
        if not left_energy + right_energy <= _LARGEST_ENERGY:
            for i in range(first, ends[hop]):
                for channel in range(channels):
                    if not abs(samples[i, channel]) <= _LARGEST_SAMPLE:
                        broken += 1
                        break
        sums[hop, 0] = weighted_left
        sums[hop, channels] = left_energy
        sums[hop, 2 * channels] = left_total
        if stereo:
            sums[hop, 1] = weighted_right
            sums[hop, 3] = right_energy
            sums[hop, 5] = right_total
        sums[hop, 3 * channels] = cross
        first = ends[hop]
    state[channels - 1, :] = (r1, r2, s1, s2)
    if stereo or channels == 1:
        state[0, :] = (p1, p2, q1, q2)
    return broken


@compiled
def _flushed(value: float) -> float:
    return 0.0 if abs(value) < 1e-30 else value


@compiled
def _hop_peaks(samples: NDArray[np.float32], ends: NDArray[np.int64], peaks: NDArray[np.float64]) -> None:
    """Fill `peaks` (hops, channels) with the highest absolute sample of each hop; NaN counts as the highest."""
    channels = samples.shape[1]
    bits = samples.view(np.int32)
    mask = np.int32(0x7FFFFFFF)
    largest = np.zeros(2, np.int32)
    first = 0
    for hop in range(ends.size):
        left = np.int32(0)
        right = np.int32(0)
        for i in range(first, ends[hop]):
            left = max(left, bits[i, 0] & mask)
            right = max(right, bits[i, channels - 1] & mask)
        largest[0] = left
        largest[1] = right
        for channel in range(channels):
            peaks[hop, channel] = largest.view(np.float32)[channel]
        first = ends[hop]


class Meter:
    """Takes audio block by block and measures it in one pass; memory does not grow with the audio but for its hops.

    Args:
        sample_rate_hz: 8,000 to 192,000.
        channels: 1 or 2.
        true_peak: leave True unless nobody will ask for it.

    Raises:
        AudioError: for another rate or more channels: BS.1770 weighs channels by where their loudspeaker stands, which
            a file does not tell reliably, so nothing is guessed.
    """

    def __init__(self, sample_rate_hz: int, channels: int, *, true_peak: bool = True) -> None:
        if not MIN_RATE_HZ <= sample_rate_hz <= MAX_RATE_HZ:
            raise AudioError(
                "sample rate in Hz",
                value=sample_rate_hz,
                expected=f"{MIN_RATE_HZ} to {MAX_RATE_HZ}",
                remedy="resample the file",
            )
        if not 1 <= channels <= MAX_CHANNELS:
            raise AudioError(
                "channels", value=channels, expected="1 or 2", remedy="mix the file down to stereo before measuring it"
            )
        self.sample_rate_hz = sample_rate_hz
        self.channels = channels
        self._wants_true_peak = true_peak
        self._weights = k_weighting(sample_rate_hz)
        self._state = np.zeros((channels, 4))
        self._pending: list[NDArray[np.float32]] = []
        self._pending_frames = 0
        self._frames = 0
        self._non_finite_frames = 0
        self._sums: list[NDArray[np.float64]] = []
        self._peaks: list[NDArray[np.float64]] = []
        self._hop_frames: list[NDArray[np.int64]] = []
        self._tail = np.zeros((2 * true_peak_context(), channels), np.float32)
        self._highest = 0.0

    def add(self, samples: NDArray[np.float32]) -> None:
        """Take the next (frames, channels) samples; whole seconds are processed at once, the rest is kept."""
        samples = as_frames(samples)
        if samples.shape[1] != self.channels:
            raise AudioError(
                "a block's channels", value=samples.shape[1], expected=str(self.channels), remedy="feed one file only"
            )
        if self._pending_frames:
            missing = self.sample_rate_hz - self._pending_frames
            head, samples = samples[:missing], samples[missing:]
            self._pending.append(head)
            self._pending_frames += len(head)
            if self._pending_frames < self.sample_rate_hz:
                return
            self._process(np.concatenate(self._pending))
            self._pending, self._pending_frames = [], 0
        whole = len(samples) - len(samples) % self.sample_rate_hz
        for first in range(0, whole, _CHUNK_S * self.sample_rate_hz):
            self._process(samples[first : min(first + _CHUNK_S * self.sample_rate_hz, whole)])
        if whole < len(samples):
            self._pending = [samples[whole:].copy()]
            self._pending_frames = len(samples) - whole

    def _process(self, samples: NDArray[np.float32]) -> None:
        frames = len(samples)
        hops = -(-frames * HOPS_PER_SECOND // self.sample_rate_hz)
        ends = np.minimum(np.arange(1, hops + 1) * self.sample_rate_hz // HOPS_PER_SECOND, frames)
        sums = np.zeros((hops, 3 * self.channels + 1))
        peaks = np.zeros((hops, self.channels))
        self._non_finite_frames += _sum_hops(samples, ends, self._weights, self._state, sums)
        _hop_peaks(samples, ends, peaks)
        self._sums.append(sums)
        self._peaks.append(peaks)
        self._hop_frames.append(np.diff(ends, prepend=0))
        self._frames += frames
        if self._wants_true_peak and not self._non_finite_frames:
            self._scan(samples)

    def _scan(self, samples: NDArray[np.float32]) -> None:
        half = true_peak_context()
        if len(samples) < 2 * half:
            joined = np.concatenate([self._tail, samples])
            self._highest = _true_peak_between(joined, half, len(joined) - half, self._highest)
            self._tail = joined[-2 * half :].copy()
            return
        joined = np.concatenate([self._tail, samples[: 2 * half]])
        self._highest = _true_peak_between(joined, half, 3 * half, self._highest)
        self._highest = _true_peak_between(samples, half, len(samples) - half, self._highest)
        self._tail = samples[-2 * half :].copy()

    def statistics(self) -> BlockStatistics:
        """Return what was seen so far, having processed what was kept; nothing can be added afterwards."""
        if self._pending_frames:
            self._process(np.concatenate(self._pending))
            self._pending, self._pending_frames = [], 0
        if self._wants_true_peak and not self._non_finite_frames:
            self._scan(np.zeros((2 * true_peak_context(), self.channels), np.float32))
        n = self.channels
        sums = np.concatenate(self._sums) if self._sums else np.zeros((0, 3 * n + 1))
        return BlockStatistics(
            sample_rate_hz=self.sample_rate_hz,
            frames=self._frames,
            hop_frames=np.concatenate(self._hop_frames) if self._hop_frames else np.zeros(0, np.int64),
            k_energy=sums[:, :n],
            energy=sums[:, n : 2 * n],
            cross_energy=sums[:, 3 * n],
            total=sums[:, 2 * n : 3 * n],
            peak=np.concatenate(self._peaks) if self._peaks else np.zeros((0, n)),
            true_peak=self._highest if self._wants_true_peak and not self._non_finite_frames else math.nan,
            non_finite_frames=self._non_finite_frames,
        )


def true_peak_context() -> int:
    """Return how many frames on each side an interpolated value depends on."""
    return true_peak.HALF


def _true_peak_between(samples: NDArray[np.float32], first: int, last: int, highest: float) -> float:
    return true_peak.highest_true_peak(
        samples, first, last, highest, true_peak.PHASES, true_peak.BOUND_GAIN, true_peak.BOUND_CURVATURE
    )


def as_frames(samples: NDArray[np.floating] | NDArray[np.float32]) -> NDArray[np.float32]:
    """Return samples as C-ordered (frames, channels) float32; one dimension is one channel.

    Raises:
        AudioError: for another number of dimensions, or integers, whose full scale is unknown.
    """
    array = np.asarray(samples)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or array.dtype.kind != "f":
        raise AudioError(
            "samples",
            value=f"{array.dtype} of shape {array.shape}",
            expected="floating point of shape (frames, channels), full scale 1.0",
            remedy="decode the file with ace_assets.audio.codecs.decode",
        )
    return np.ascontiguousarray(array, np.float32)


def block_statistics(samples: NDArray[np.float32], sample_rate_hz: int, *, true_peak: bool = True) -> BlockStatistics:
    """Return the per-hop sums of (frames, channels) samples in one pass; see `BlockStatistics`."""
    samples = as_frames(samples)
    meter = Meter(sample_rate_hz, samples.shape[1], true_peak=true_peak)
    meter.add(samples)
    return meter.statistics()


def measure(samples: NDArray[np.float32], sample_rate_hz: int) -> Loudness:
    """Measure (frames, channels) samples.

    Raises:
        AudioError: for more than two channels or a rate outside 8 to 192 kHz.

    >>> tone = 0.5 * np.sin(2 * np.pi * 997 * np.arange(48000 * 4) / 48000)
    >>> round(measure(np.column_stack([tone, tone]).astype(np.float32), 48000).integrated_loudness_lufs, 1)
    -6.0
    """
    return loudness_of(block_statistics(samples, sample_rate_hz))


def measure_blocks(blocks: Iterable[NDArray[np.float32]], sample_rate_hz: int, channels: int) -> Loudness:
    """Measure audio that arrives block by block, e.g. from `codecs.decode_blocks`."""
    meter = Meter(sample_rate_hz, channels)
    for block in blocks:
        meter.add(block)
    return loudness_of(meter.statistics())


def loudness_of(statistics: BlockStatistics) -> Loudness:
    """Return the loudness that the sums of one pass amount to."""
    if statistics.non_finite_frames:
        return Loudness(None, None, None, None, None, None)
    sample_peak = float(statistics.peak.max(initial=0.0))
    power = statistics.k_energy.sum(axis=1)
    momentary = _windows(power, statistics, MOMENTARY_HOPS)
    short_term = _windows(power, statistics, SHORT_TERM_HOPS)
    return Loudness(
        integrated_loudness_lufs=gated_loudness(momentary[::GATING_STEP_HOPS]),
        loudness_range_lu=_loudness_range(short_term[::GATING_STEP_HOPS]),
        momentary_max_lufs=_lufs(momentary.max()) if momentary.size else None,
        short_term_max_lufs=_lufs(short_term.max()) if short_term.size else None,
        true_peak_dbtp=_decibels(statistics.true_peak),
        sample_peak_dbfs=_decibels(sample_peak),
    )


def momentary_lufs(statistics: BlockStatistics, step_hops: int = GATING_STEP_HOPS) -> NDArray[np.float64]:
    """Return the loudness of each 400 ms window, one value per step, -inf in silence.

    Value i covers the hops i * step_hops to i * step_hops + 20 (20 ms each).
    """
    return _to_lufs(_windows(statistics.k_energy.sum(axis=1), statistics, MOMENTARY_HOPS)[::step_hops])


def short_term_lufs(statistics: BlockStatistics, step_hops: int = GATING_STEP_HOPS) -> NDArray[np.float64]:
    """Return the loudness of each 3-s window, one value per step, -inf in silence.

    Value i covers the hops i * step_hops to i * step_hops + 150 (20 ms each).
    """
    return _to_lufs(_windows(statistics.k_energy.sum(axis=1), statistics, SHORT_TERM_HOPS)[::step_hops])


def gated_loudness(mean_squares: NDArray[np.float64]) -> float | None:
    """Return the twice gated loudness of 400 ms blocks' K-weighted mean squares (BS.1770-4), None if none passes."""
    loud = mean_squares[mean_squares > _power(ABSOLUTE_GATE_LUFS)]
    if not loud.size:
        return None
    gate = loud.mean() * 10.0 ** (RELATIVE_GATE_LU / 10.0)
    return _lufs(loud[loud > gate].mean())


def _loudness_range(mean_squares: NDArray[np.float64]) -> float | None:
    loud = mean_squares[mean_squares >= _power(ABSOLUTE_GATE_LUFS)]
    if not loud.size:
        return None
    kept = np.sort(loud[loud >= loud.mean() * 10.0 ** (RANGE_GATE_LU / 10.0)])
    low, high = (kept[round((kept.size - 1) * share)] for share in RANGE_PERCENTILES)
    return float(10.0 * np.log10(high / low))


def _windows(power: NDArray[np.float64], statistics: BlockStatistics, hops: int) -> NDArray[np.float64]:
    """Return the mean square of each window of whole hops, starting at every hop."""
    frames = statistics.hop_frames
    whole = frames.size
    if whole and statistics.frames * HOPS_PER_SECOND < whole * statistics.sample_rate_hz - HOPS_PER_SECOND:
        whole -= 1  # the last hop is shorter than 20 ms
    if whole < hops:
        return np.zeros(0)
    # Added up window by window: differences of a running sum could not tell silence from rounding.
    sums = sliding_window_view(power[:whole], hops).sum(axis=1)
    counts = sliding_window_view(frames[:whole], hops).sum(axis=1)
    return np.asarray(sums / counts, np.float64)


def _power(lufs: float) -> float:
    return float(10.0 ** ((lufs - LOUDNESS_OFFSET_DB) / 10.0))


def _lufs(mean_square: float) -> float | None:
    return float(LOUDNESS_OFFSET_DB + 10.0 * math.log10(mean_square)) if mean_square > 0.0 else None


def _to_lufs(mean_squares: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        return LOUDNESS_OFFSET_DB + 10.0 * np.log10(mean_squares)


def _decibels(amplitude: float) -> float | None:
    return 20.0 * math.log10(amplitude) if amplitude > 0.0 else None
