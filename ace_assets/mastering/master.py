"""The recipe: measure, trim, gain, limit, dither, encode, decode again, verify.

Nothing but gain, limiter, trims, fades and dither changes the sound. A master that fails its own verification is an
error and leaves no file.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ace_assets.audio import dither, renditions
from ace_assets.audio.codecs import Audio
from ace_assets.audio.limiter import limit, plan_limiting
from ace_assets.audio.loudness import BlockStatistics, Meter, block_statistics, loudness_of
from ace_assets.audio.renditions import LOUDNESS_TOLERANCE_LU, Pcm
from ace_assets.audio.tags import TrackTags
from ace_assets.errors import AudioError, MasteringError
from ace_assets.mastering.edges import apply_fades, find_cues, find_trim
from ace_assets.mastering.report import MasterReport
from ace_assets.mastering.second_meter import SEGMENT_S, second_meter_lufs
from ace_assets.mastering.settings import MasteringSettings

MASTERING_VERSION = 1  # part of every master's identity: raise it when the same settings sound different
_GAIN_STEPS = 4
_GAIN_TOLERANCE_LU = 0.005


def master(
    audio: Audio,
    outputs: Mapping[str, Path],
    settings: MasteringSettings | None = None,
    *,
    tags: TrackTags | None = None,
    statistics: BlockStatistics | None = None,
) -> MasterReport:
    """Master one take and write its renditions.

    Args:
        audio: the take; its samples are left as they are.
        outputs: final path by rendition name (`flac`, `mp3`, `mp3-192`, `wav`); folders must exist.
        settings: how; the defaults if None.
        tags: what the files say about themselves; ReplayGain and cue points are filled in. None: no tags.
        statistics: of the whole take, where somebody has measured it already.

    Returns:
        What was done and measured.

    Raises:
        AudioError: if the take cannot be mastered: not finite, silent, shorter than 0.4 s, more than two channels.
        MasteringError: if the result failed its verification; then no file is left.
    """
    settings = settings or MasteringSettings()
    samples = audio.samples
    rate = audio.sample_rate_hz
    if not outputs:
        raise AudioError("outputs", value="none", expected="at least one file", remedy="name one")
    for name in outputs:
        renditions.parse_rendition(name)
    taken = block_statistics(samples, rate) if statistics is None else statistics
    if taken.non_finite_frames:
        raise AudioError(
            "take",
            value=f"{taken.non_finite_frames} frames with NaN or infinity",
            expected="numbers",
            remedy="reject it",
        )
    loudness = loudness_of(taken)
    if loudness.integrated_loudness_lufs is None:
        raise AudioError(
            "take",
            value=f"{audio.duration_s:.3f} s without measurable loudness",
            expected="at least 0.4 s of sound",
            remedy="reject it",
        )
    trim = find_trim(
        samples,
        taken,
        gain_db=settings.target_lufs - loudness.integrated_loudness_lufs,
        head_silence_s=settings.head_silence_s,
        tail_silence_s=settings.tail_silence_s,
        tail_fade_s=settings.tail_fade_s,
    )
    if trim is None:
        raise AudioError("take", value="silence", expected="sound", remedy="reject it")
    working = samples[trim.first_frame : trim.last_frame].copy()
    apply_fades(working, trim)

    limit_to_dbtp = settings.ceiling_dbtp - settings.codec_headroom_db
    gain_db = _find_gain(working, rate, settings, limit_to_dbtp)
    limiting = limit(working, rate, gain_db=gain_db, ceiling_dbtp=limit_to_dbtp)
    seed = dither.seed_of(f"{MASTERING_VERSION}:{len(working)}:{rate}")
    pcm: Pcm = dither.to_pcm16(working, seed=seed) if settings.bit_depth == 16 else dither.to_pcm24(working, seed=seed)
    del working

    meter = Meter(rate, audio.channels)
    for block in renditions.float_blocks(pcm, rate):
        meter.add(block)
    finished = meter.statistics()
    result = loudness_of(finished)
    reached_lufs, peak_dbtp = result.integrated_loudness_lufs, result.true_peak_dbtp
    if reached_lufs is None or peak_dbtp is None:
        raise _failed("loudness of the master", "none", "a measurable loudness")
    shortfall_lu = max(0.0, settings.target_lufs - reached_lufs)
    if shortfall_lu <= LOUDNESS_TOLERANCE_LU:
        shortfall_lu = 0.0
    elif limiting.max_reduction_db < settings.max_limiting_db - 0.5:
        raise _failed("loudness of the master in LUFS", f"{reached_lufs:.2f}", f"{settings.target_lufs} +-0.1")
    if reached_lufs > settings.target_lufs + LOUDNESS_TOLERANCE_LU:
        raise _failed("loudness of the master in LUFS", f"{reached_lufs:.2f}", f"{settings.target_lufs} +-0.1")
    second_lufs = second_meter_lufs(_segments(pcm, rate), rate)
    if second_lufs is None or abs(second_lufs - reached_lufs) > LOUDNESS_TOLERANCE_LU:
        raise _failed("loudness of the master by the second meter in LUFS", second_lufs, f"{reached_lufs:.2f} +-0.1")
    cues = find_cues(finished, reached_lufs)
    if tags is not None:
        tags = dataclasses.replace(tags, cues_s={**cues.by_name(), **tags.cues_s})
    with renditions.staged(outputs) as stage:
        written = {
            name: renditions.encode(pcm, rate, name, stage[name], outputs[name], result, settings.ceiling_dbtp, tags)
            for name in outputs
        }
    return MasterReport(
        gain_db=gain_db,
        limiter_max_reduction_db=limiting.max_reduction_db,
        limited_share=limiting.limited_share,
        loudness_shortfall_lu=shortfall_lu,
        integrated_loudness_lufs=reached_lufs,
        true_peak_dbtp=peak_dbtp,
        loudness_range_lu=result.loudness_range_lu,
        second_meter_lufs=second_lufs,
        head_trimmed_s=trim.first_frame / rate,
        tail_trimmed_s=(len(samples) - trim.last_frame) / rate,
        tail_fade_s=trim.tail_fade_frames / rate,
        duration_s=len(pcm) / rate,
        frames=len(pcm),
        sample_rate_hz=rate,
        channels=audio.channels,
        cues=cues,
        renditions=written,
    )


def _find_gain(samples: NDArray[np.float32], rate: int, settings: MasteringSettings, limit_to_dbtp: float) -> float:
    """Return the plain gain with which the limited samples come to the target, or as near as limiting allows.

    What the limiter takes from the loudness is predicted from its envelope: gain moves so slowly that weighting before
    or after it makes no difference.
    """
    before = block_statistics(samples, rate)
    loudness = loudness_of(before)
    if loudness.integrated_loudness_lufs is None or loudness.true_peak_dbtp is None:
        raise AudioError("take", value="no measurable loudness", expected="at least 0.4 s of sound", remedy="reject it")
    most_db = limit_to_dbtp + settings.max_limiting_db - loudness.true_peak_dbtp
    gain_db = min(settings.target_lufs - loudness.integrated_loudness_lufs, most_db)
    for _ in range(_GAIN_STEPS):
        if loudness.true_peak_dbtp + gain_db <= limit_to_dbtp:
            break
        power = plan_limiting(samples, rate, gain_db=gain_db, ceiling_dbtp=limit_to_dbtp)
        limited = loudness_of(dataclasses.replace(before, k_energy=before.k_energy * power[:, None]))
        if limited.integrated_loudness_lufs is None:
            break
        missing_lu = settings.target_lufs - (limited.integrated_loudness_lufs + gain_db)
        if abs(missing_lu) <= _GAIN_TOLERANCE_LU or (missing_lu > 0.0 and gain_db >= most_db):
            break
        gain_db = min(gain_db + missing_lu, most_db)
    return gain_db


def _segments(pcm: Pcm, rate: int) -> Iterator[NDArray[np.float32]]:
    for first in range(0, len(pcm), SEGMENT_S * rate):
        yield np.concatenate(list(renditions.float_blocks(pcm[first : first + SEGMENT_S * rate], rate)))


def _failed(thing: str, found: object, expected: str) -> MasteringError:
    return MasteringError(
        thing, value=found, expected=expected, remedy="nothing was written; report this with the source file"
    )
