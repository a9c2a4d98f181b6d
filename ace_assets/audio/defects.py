"""The gates: technical faults that reject a take anywhere, each with the measurement it rests on.

What belongs here: one function that measures everything the gates need and one that applies the thresholds, all of which
stand in `GateLimits`. What does not: whether music suits a zone (`scoring.fit`); a symphony is not broken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ace_assets.audio.band import Band, judge_band, long_spectra
from ace_assets.audio.band_edge import BandEdge, find_edge
from ace_assets.audio.endings import Ending, judge_ending
from ace_assets.audio.gaps import Gaps, find_gaps
from ace_assets.audio.grains import Grains, grains_of
from ace_assets.audio.loudness import BlockStatistics
from ace_assets.audio.plateaus import Plateaus, find_plateaus

GATES = (
    "silence",
    "dropout",
    "clipping",
    "dc_offset",
    "abrupt_ending",
    "phase_cancellation",
    "band_limited",
    "noise_ending",
    "wrong_duration",
    "non_finite",
)
PHASE_BLOCK_HOPS = 20  # 0.4 s
DEEP_GRAINS, DEEP_DETREND_GRAINS = 10, 60
DC_BLOCK_HOPS = 25  # 0.5 s


@dataclass(frozen=True)
class GateLimits:
    """Every threshold of the gates."""

    silence_s: float = 4.0
    cut_silence_s: float = 0.8
    lone_silence_s: float = 1.9
    sounding_share: float = 0.4
    clipped_tops_per_s: float = 0.5
    clipped_to_flat_ratio: float = 1.0
    maximum_to_densest: float = 0.45
    dc_offset: float = 0.0145
    dc_to_spread: float = 1.25
    dc_offset_any: float = 0.03
    ending_level_db: float = -24.0
    ending_fall_ms: float = 5.0
    loud_ending_level_db: float = -18.0
    loud_ending_fall_ms: float = 8.0
    phase_correlation: float = -0.3
    phase_share: float = 0.25
    bass_phase_share: float = 0.3
    deep_phase_share: float = 0.42
    cliff_db: float = 30.0
    dark_hz: float = 5_000.0
    dark_cliff_db: float = 36.0
    lines_db: float = 13.0
    step_share: float = 0.62
    sharp_step: float = 0.9
    lines_cliff_db: float = 38.0
    edge_move: float = 0.09
    lines_change_db: float = 18.0
    octave_fall_db: float = 30.0
    half_octave_fall_db: float = 22.0
    floor_fall_db: float = 16.0
    noise_s: float = 0.25
    noise_level_db: float = -30.0
    noise_spread_db: float = 2.0
    body_flatness: float = 0.48
    noise_above_body: float = 0.04
    floor_s: float = 0.25
    floor_spread_db: float = 1.2
    floor_level_db: float = -42.0
    floor_rise_db: float = 6.0
    end_flatness: float = 0.25
    duration_tolerance_s: float = 0.25


@dataclass(frozen=True)
class Offset:
    """The constant part of the signal, in the worse channel.

    Attributes:
        median: median of the means of half seconds.
        spread: their median absolute deviation from it.
    """

    median: float
    spread: float


@dataclass(frozen=True)
class Phase:
    """How the channels work against each other.

    Attributes:
        correlation: of the whole piece.
        opposed_share: share of the sounding 0.4-s blocks whose correlation is below -0.3.
        bass_correlation: correlation below about 400 Hz, of the whole piece.
        bass_opposed_share: share of the sounding blocks whose bass is opposed.
        deep_opposed_share: the same of what lies between about 15 and 60 Hz, which even the widest mix has in the middle.
    """

    correlation: float
    opposed_share: float
    bass_correlation: float
    bass_opposed_share: float
    deep_opposed_share: float


@dataclass(frozen=True)
class Evidence:
    """All that the gates rest on; None where it does not exist (silence, one channel)."""

    duration_s: float
    gaps: Gaps
    plateaus: Plateaus
    offset: Offset
    ending: Ending | None
    phase: Phase | None
    band: Band | None
    edge: BandEdge | None


def _offset_of(statistics: BlockStatistics) -> Offset:
    hops = len(statistics.total) // DC_BLOCK_HOPS
    if hops == 0:
        means = statistics.total.sum(axis=0, keepdims=True) / max(1, statistics.frames)
    else:
        used = hops * DC_BLOCK_HOPS
        means = statistics.total[:used].reshape(hops, DC_BLOCK_HOPS, -1).sum(axis=1)
        means = means / statistics.hop_frames[:used].reshape(hops, DC_BLOCK_HOPS).sum(axis=1)[:, None]
    median = np.median(means, axis=0)
    worse = int(np.argmax(np.abs(median)))
    return Offset(float(median[worse]), float(np.median(np.abs(means[:, worse] - median[worse]))))


def _blockwise_correlation(
    left: NDArray[np.float64], right: NDArray[np.float64], cross: NDArray[np.float64], per_block: int
) -> tuple[float, float]:
    """Return the correlation of the whole and the share of sounding blocks below -0.3."""
    whole = float(cross.sum() / np.sqrt(left.sum() * right.sum() + 1e-20))
    count = len(cross) // per_block
    if count == 0:
        return whole, float(whole < -0.3)
    left, right, cross = (part[: count * per_block].reshape(count, -1).sum(axis=1) for part in (left, right, cross))
    power = left + right
    sounding = (power > 0.01 * power.mean()) & (np.minimum(left, right) > 0.001 * power)
    if not sounding.any():
        return whole, 0.0
    block = cross[sounding] / np.sqrt(left[sounding] * right[sounding] + 1e-20)
    return whole, float(np.mean(block < -0.3))


def _smoothed(course: NDArray[np.float64], grains: int) -> NDArray[np.float64]:
    """Return the moving mean of a (n, channels) course; empty where it is shorter than the mean."""
    sums = np.concatenate([np.zeros((1, course.shape[1])), np.cumsum(course, axis=0)])
    return np.asarray((sums[grains:] - sums[:-grains]) / grains)


def _phase_of(statistics: BlockStatistics, grains: Grains) -> Phase | None:
    if statistics.energy.shape[1] != 2 or not statistics.energy.any() or not len(grains.mean):
        return None
    whole, opposed = _blockwise_correlation(
        statistics.energy[:, 0], statistics.energy[:, 1], statistics.cross_energy, PHASE_BLOCK_HOPS
    )
    bass = grains.mean - grains.mean.mean(axis=0)
    low, low_opposed = _blockwise_correlation(bass[:, 0] ** 2, bass[:, 1] ** 2, bass[:, 0] * bass[:, 1], 400)
    deep = _smoothed(bass, DEEP_GRAINS)
    deep = deep[DEEP_DETREND_GRAINS // 2 :][: max(0, len(deep) - DEEP_DETREND_GRAINS + 1)] - _smoothed(
        deep, DEEP_DETREND_GRAINS
    )
    _, deep_opposed = _blockwise_correlation(deep[:, 0] ** 2, deep[:, 1] ** 2, deep[:, 0] * deep[:, 1], 400)
    return Phase(whole, opposed, low, low_opposed, deep_opposed)


def gather_evidence(samples: NDArray[np.float32], sample_rate_hz: int, statistics: BlockStatistics) -> Evidence:
    """Measure what the gates rest on, of finite (frames, channels) samples with their per-hop statistics."""
    grains = grains_of(samples, sample_rate_hz)
    power, bin_hz = long_spectra(samples, sample_rate_hz)
    band = judge_band(power, bin_hz)
    return Evidence(
        duration_s=len(samples) / sample_rate_hz,
        gaps=find_gaps(grains),
        plateaus=find_plateaus(samples, statistics.peak.max(axis=0)),
        offset=_offset_of(statistics),
        ending=judge_ending(samples, sample_rate_hz, grains),
        phase=_phase_of(statistics, grains),
        band=band,
        edge=None if band is None else find_edge(samples, sample_rate_hz),
    )


def in_order(failed: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of failed gates in the order of `GATES`."""
    return tuple(gate for gate in GATES if gate in failed)


def wrong_duration(
    duration_s: float, requested_duration_s: float | None, *, limits: GateLimits = GateLimits()
) -> dict[str, str]:
    """Return the gate `wrong_duration` with its reason, or nothing where the length is right or none was requested."""
    if requested_duration_s is None or abs(duration_s - requested_duration_s) <= limits.duration_tolerance_s:
        return {}
    return {"wrong_duration": f"{duration_s:.2f} s instead of {requested_duration_s:.2f} s"}


def _is_cut(band: Band, limits: GateLimits) -> bool:
    """Tell a filter from dark music: noise and drums end in a cliff only there, tones in a skirt or a standing edge."""
    if band.lines_db <= limits.lines_db:
        dark = (
            band.cliff_hz < limits.dark_hz and band.edge_move > limits.edge_move and band.step_share < limits.sharp_step
        )
        return band.cliff_db >= (limits.dark_cliff_db if dark else limits.cliff_db)
    skirt = band.step_share <= limits.step_share
    standing = band.edge_move <= limits.edge_move and band.change_db >= limits.lines_change_db
    return band.cliff_db >= limits.lines_cliff_db and (skirt or standing)


def _edge_reason(edge: BandEdge, limits: GateLimits) -> str:
    """Return in words what a filter left, or nothing."""
    if edge.octave_fall_db >= limits.octave_fall_db:
        return f"everything falls by {edge.octave_fall_db:.0f} dB in an octave"
    if edge.half_octave_fall_db >= limits.half_octave_fall_db:
        return f"everything falls by {edge.half_octave_fall_db:.0f} dB in half an octave"
    if edge.floor_fall_db >= limits.floor_fall_db:
        return f"a floor of noise ends ({edge.floor_fall_db:.0f} dB in an octave)"
    return ""


def failed_gates(
    evidence: Evidence, *, requested_duration_s: float | None = None, limits: GateLimits = GateLimits()
) -> dict[str, str]:
    """Return each failed gate with its reason in words, in the order of `GATES`; empty where nothing is wrong."""
    failed: dict[str, str] = {}
    gaps = evidence.gaps
    if gaps.sounding_s == 0.0:
        failed["silence"] = "nothing sounds"
    elif gaps.sounding_s < limits.sounding_share * evidence.duration_s:
        failed["silence"] = f"only {gaps.sounding_s:.1f} of {evidence.duration_s:.1f} s sound"
    elif gaps.longest_silence_s >= limits.silence_s:
        failed["silence"] = f"{gaps.longest_silence_s:.1f} s of silence inside"
    elif gaps.longest_cut_silence_s >= limits.cut_silence_s:
        failed["silence"] = f"the sound is cut off for {gaps.longest_cut_silence_s:.1f} s"
    elif gaps.lone_silence_s >= limits.lone_silence_s:
        failed["silence"] = f"the sound is gone for {gaps.lone_silence_s:.1f} s"
    if gaps.sharp_gaps:
        failed["dropout"] = (
            f"{gaps.sharp_gaps} gaps that begin and end at once, up to {1000 * gaps.longest_sharp_gap_s:.0f} ms"
        )
    tops = evidence.plateaus
    many = limits.clipped_tops_per_s * evidence.duration_s
    clear = tops.clipped_tops >= many and tops.clipped_tops >= limits.clipped_to_flat_ratio * tops.flat_elsewhere
    at_maximum = tops.tops_at_maximum >= many and tops.tops_at_maximum >= limits.maximum_to_densest * tops.clipped_tops
    if clear or at_maximum:
        failed["clipping"] = f"{max(tops.clipped_tops, tops.tops_at_maximum)} tops cut flat"
    offset = abs(evidence.offset.median)
    if offset >= limits.dc_offset_any or (
        offset >= limits.dc_offset and offset >= limits.dc_to_spread * evidence.offset.spread
    ):
        failed["dc_offset"] = f"constant offset of {evidence.offset.median:+.4f}"
    ending = evidence.ending
    if ending is not None:
        cut = ending.level_db >= limits.ending_level_db and ending.fall_ms <= limits.ending_fall_ms
        if cut or (ending.level_db >= limits.loud_ending_level_db and ending.fall_ms <= limits.loud_ending_fall_ms):
            failed["abrupt_ending"] = (
                f"cut off within {ending.fall_ms:.0f} ms at {ending.level_db:+.0f} dB of its level"
            )
        if (
            ending.noise_s >= limits.noise_s
            and ending.noise_level_db >= limits.noise_level_db
            and ending.noise_spread_db <= limits.noise_spread_db
            and (ending.body_flatness <= limits.body_flatness or ending.noise_above_body >= limits.noise_above_body)
        ):
            failed["noise_ending"] = f"ends in {ending.noise_s:.1f} s of noise"
        elif (
            ending.floor_s >= limits.floor_s
            and ending.floor_spread_db <= limits.floor_spread_db
            and ending.floor_level_db >= limits.floor_level_db
            and (ending.floor_rise_db >= limits.floor_rise_db or ending.end_flatness >= limits.end_flatness)
        ):
            failed["noise_ending"] = f"steady noise under the last {ending.floor_s:.1f} s"
    phase = evidence.phase
    if phase is not None and (
        phase.opposed_share >= limits.phase_share
        or phase.bass_opposed_share >= limits.bass_phase_share
        or phase.deep_opposed_share >= limits.deep_phase_share
    ):
        failed["phase_cancellation"] = f"left and right cancel (correlation {phase.correlation:.2f})"
    band = evidence.band
    if band is not None and _is_cut(band, limits):
        failed["band_limited"] = f"cut off above {band.cliff_hz / 1000:.1f} kHz ({band.cliff_db:.0f} dB in an octave)"
    elif evidence.edge is not None and (reason := _edge_reason(evidence.edge, limits)):
        failed["band_limited"] = reason
    failed |= wrong_duration(evidence.duration_s, requested_duration_s, limits=limits)
    return {gate: failed[gate] for gate in in_order(failed)}
