"""One piece of audio in, everything that is measured of it out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ace_assets.audio import defects, fingerprint, key, loudness, spectra, structure, tempo
from ace_assets.audio.codecs import Audio
from ace_assets.errors import AudioError
from ace_assets.scoring.fit import FitPolicy, failed_fit, policy_for
from ace_assets.scoring.score import KEY_VALUE, SCORE_BASIS, SCORE_VERSION, signal_score

JUMP_S = 3.0
JUMP_STEP_HOPS = 25  # half a second
JUMP_FLOOR_LU = 20.0  # quieter passages count as this far below the whole
FADE_MOST_S = 8.0  # no more than this of either end counts as intro or ending
FADE_LU = 6.0  # the intro ends where the loudness first comes this close to that of the whole


@dataclass(frozen=True)
class Analysis:
    """What was measured of one piece; None where a quantity was not measured or does not exist.

    Attributes carry their units; `gate_failures` are technical defects, `fit_failures` breaches of a zone's policy, `reasons`
    says each in words.
    """

    duration_s: float
    sample_rate_hz: int
    channels: int
    integrated_loudness_lufs: float | None = None
    loudness_range_lu: float | None = None
    momentary_max_lufs: float | None = None
    short_term_max_lufs: float | None = None
    true_peak_dbtp: float | None = None
    loudness_jump_lu: float | None = None
    requested_bpm: float | None = None
    tempo_bpm: float | None = None
    tempo_match: float | None = None
    requested_key: str | None = None
    key: str | None = None
    key_match: str | None = None
    key_margin: float | None = None
    requested_duration_s: float | None = None
    stereo_correlation: float | None = None
    stereo_width: float | None = None
    mono_loss_db: float | None = None
    bandwidth_hz: float | None = None
    repetition: float | None = None
    novelty: float | None = None
    fingerprint: bytes | None = None
    gate_failures: tuple[str, ...] = ()
    fit_failures: tuple[str, ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)
    signal_score: float | None = None
    score_basis: str = SCORE_BASIS
    score_version: str = SCORE_VERSION

    @property
    def why(self) -> str:
        """Return in words what speaks against the piece, or that nothing does."""
        return (
            "; ".join(f"{name}: {reason}" for name, reason in self.reasons.items()) or "passed every gate and fit rule"
        )

    def as_json(self) -> dict[str, Any]:
        """Return the fields that `ace-assets analyze --json` prints, without the path."""
        return {
            "duration_s": round(self.duration_s, 4),
            "sample_rate_hz": self.sample_rate_hz,
            "channels": self.channels,
            "integrated_loudness_lufs": _rounded(self.integrated_loudness_lufs),
            "loudness_range_lu": _rounded(self.loudness_range_lu),
            "momentary_max_lufs": _rounded(self.momentary_max_lufs),
            "short_term_max_lufs": _rounded(self.short_term_max_lufs),
            "true_peak_dbtp": _rounded(self.true_peak_dbtp),
            "tempo_bpm": _rounded(self.tempo_bpm),
            "tempo_match": _rounded(self.tempo_match),
            "key": self.key,
            "key_match": self.key_match,
            "stereo_correlation": _rounded(self.stereo_correlation),
            "mono_loss_db": _rounded(self.mono_loss_db),
            "bandwidth_hz": _rounded(self.bandwidth_hz),
            "repetition": _rounded(self.repetition),
            "loudness_jump_lu": _rounded(self.loudness_jump_lu),
            "gate_failures": list(self.gate_failures),
            "fit_failures": list(self.fit_failures),
            "reasons": dict(self.reasons),
            "signal_score": _rounded(self.signal_score),
            "score_basis": self.score_basis,
            "score_version": self.score_version,
        }

    def as_columns(self) -> dict[str, Any]:
        """Return the measured columns of the table `take_scores`; the request's own columns are the caller's."""
        return {
            "duration_s": self.duration_s,
            "integrated_loudness_lufs": self.integrated_loudness_lufs,
            "loudness_range_lu": self.loudness_range_lu,
            "momentary_max_lufs": self.momentary_max_lufs,
            "short_term_max_lufs": self.short_term_max_lufs,
            "true_peak_dbtp": self.true_peak_dbtp,
            "measured_bpm": self.tempo_bpm,
            "tempo_match": self.tempo_match,
            "measured_key": self.key,
            "key_match": self.key_match,
            "stereo_correlation": self.stereo_correlation,
            "mono_loss_db": self.mono_loss_db,
            "bandwidth_hz": self.bandwidth_hz,
            "repetition": self.repetition,
            "fingerprint": self.fingerprint,
            "gate_failures": list(self.gate_failures),
            "fit_failures": list(self.fit_failures),
            "signal_score": self.signal_score,
            "score_basis": self.score_basis,
            "score_version": self.score_version,
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def loudness_jump_lu(statistics: loudness.BlockStatistics, integrated_lufs: float | None) -> float | None:
    """Return the largest step of the short-term loudness over 3 s, intro and ending aside; None for less than 9 s."""
    if integrated_lufs is None:
        return None
    course = loudness.short_term_lufs(statistics, JUMP_STEP_HOPS)
    course = np.maximum(course, integrated_lufs - JUMP_FLOOR_LU)
    near = np.flatnonzero(course > integrated_lufs - FADE_LU)
    if not near.size:
        return None
    most = round(FADE_MOST_S * loudness.HOPS_PER_SECOND / JUMP_STEP_HOPS)
    course = course[min(int(near[0]), most) : max(int(near[-1]) + 1, course.size - most)]
    apart = round(JUMP_S * loudness.HOPS_PER_SECOND / JUMP_STEP_HOPS)
    if course.size <= apart:
        return None
    return float(np.abs(course[apart:] - course[:-apart]).max())


def analyze(
    audio: Audio,
    *,
    requested_bpm: float | None = None,
    requested_key: str | None = None,
    requested_duration_s: float | None = None,
    fit: FitPolicy | None = None,
    statistics: loudness.BlockStatistics | None = None,
) -> Analysis:
    """Measure one piece of audio, judge it against the gates and a zone's policy, and score it.

    Args:
        audio: one or two channels.
        requested_bpm: tempo that was asked for; without it `tempo_match` is None.
        requested_key: key that was asked for, e.g. "A minor".
        requested_duration_s: length that was asked for.
        fit: the zone's thresholds; None uses the default's.
        statistics: of the samples, where somebody has measured them already.

    Raises:
        AudioError: no frames, more than two channels, a rate out of range, or a requested key that is none.

    A piece with NaN or infinite samples fails `non_finite` and is measured no further. Any gate failure leaves the score in
    place for those who look at rejects; selection never reads it then.
    """
    wanted_key = key.parse_key(requested_key) if requested_key else None
    if audio.frames == 0:
        raise AudioError("audio", value="0 frames", expected="at least one frame", remedy="generate or export it again")
    policy = fit or policy_for(None)
    samples, rate = audio.samples, audio.sample_rate_hz
    requests: dict[str, Any] = {
        "requested_bpm": requested_bpm,
        "requested_key": str(wanted_key) if wanted_key else None,
        "requested_duration_s": requested_duration_s,
    }
    if statistics is None:
        statistics = loudness.block_statistics(samples, rate)
    if not np.isfinite(statistics.energy).all():
        broken = int(np.count_nonzero(~np.isfinite(samples).all(axis=1)))
        reasons = {"non_finite": f"{broken} frames hold NaN or infinite samples"}
        reasons |= defects.wrong_duration(audio.duration_s, requested_duration_s)
        return Analysis(
            audio.duration_s, rate, audio.channels, gate_failures=defects.in_order(reasons), reasons=reasons, **requests
        )
    measured = loudness.loudness_of(statistics)
    evidence = defects.gather_evidence(samples, rate, statistics)
    gates = defects.failed_gates(evidence, requested_duration_s=requested_duration_s)
    views = spectra.views_of(samples, rate)
    pulse = tempo.pulse_of(views)
    chroma, bass = key.chroma_of(views)
    estimate = key.estimate_key(chroma, bass, spectra.ANALYSIS_RATE_HZ / spectra.TONE_HOP)
    build = structure.structure_of(chroma)
    stereo = structure.stereo_of(statistics)
    tempo_match = tempo.tempo_match(pulse, requested_bpm) if pulse and requested_bpm else None
    key_match = key.key_match(estimate.key, wanted_key) if estimate and wanted_key else None
    jump = loudness_jump_lu(statistics, measured.integrated_loudness_lufs)
    breaches = failed_fit(
        policy,
        loudness_jump_lu=jump,
        loudness_range_lu=measured.loudness_range_lu,
        tempo_match=tempo_match,
        key_match=key_match,
        key_margin=estimate.margin if estimate else None,
    )
    peak_to_loudness = (
        measured.true_peak_dbtp - measured.integrated_loudness_lufs
        if measured.true_peak_dbtp is not None and measured.integrated_loudness_lufs is not None
        else None
    )
    bandwidth = evidence.band.bandwidth_hz if evidence.band else None
    score = signal_score(
        {
            "tempo_match": tempo_match,
            "key_value": KEY_VALUE[key_match] if key_match else None,
            "loudness_range_lu": measured.loudness_range_lu,
            "loudness_jump_lu": jump,
            "peak_to_loudness_db": peak_to_loudness,
            "mono_loss_db": stereo.mono_loss_db,
            "stereo_width": stereo.width,
            "bandwidth_hz": bandwidth,
            "repetition": build.repetition,
            "novelty": build.novelty,
        }
    )
    return Analysis(
        duration_s=audio.duration_s,
        sample_rate_hz=rate,
        channels=audio.channels,
        integrated_loudness_lufs=measured.integrated_loudness_lufs,
        loudness_range_lu=measured.loudness_range_lu,
        momentary_max_lufs=measured.momentary_max_lufs,
        short_term_max_lufs=measured.short_term_max_lufs,
        true_peak_dbtp=measured.true_peak_dbtp,
        loudness_jump_lu=jump,
        tempo_bpm=tempo.tempo_bpm(pulse) if pulse else None,
        tempo_match=tempo_match,
        key=str(estimate.key) if estimate else None,
        key_match=key_match,
        key_margin=estimate.margin if estimate else None,
        stereo_correlation=stereo.correlation,
        stereo_width=stereo.width,
        mono_loss_db=stereo.mono_loss_db,
        bandwidth_hz=bandwidth,
        repetition=build.repetition,
        novelty=build.novelty,
        fingerprint=fingerprint.fingerprint_of(views),
        gate_failures=tuple(gates),
        fit_failures=tuple(breaches),
        reasons=gates | breaches,
        signal_score=score,
        **requests,
    )
