"""The recipe: measure, trim, gain, limit, dither, encode, decode again, verify.

Nothing but gain, limiter, trims, fades and dither changes the sound. A master that fails its own verification is an
error and leaves no file.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ace_assets.audio import dither, renditions
from ace_assets.audio.codecs import Audio
from ace_assets.audio.limiter import MARGIN_DB, Limiter, Limiting
from ace_assets.audio.loudness import HOPS_PER_SECOND, BlockStatistics, Meter, block_statistics, loudness_of
from ace_assets.audio.renditions import LOUDNESS_TOLERANCE_LU, Pcm
from ace_assets.audio.tags import TrackTags
from ace_assets.audio.waveform import peaks
from ace_assets.errors import AudioError, MasteringError
from ace_assets.mastering.edges import Trim, apply_fades, fade_at, find_cues, find_trim
from ace_assets.mastering.report import MasterReport
from ace_assets.mastering.second_meter import SEGMENT_S, second_meter_lufs
from ace_assets.mastering.settings import MasteringSettings

MASTERING_VERSION = 1  # part of every master's identity: raise it when the same settings sound different
WAVEFORM_STRETCHES = 400  # enough for a picture as wide as a table
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
    kept = samples[trim.first_frame : trim.last_frame]
    limit_to_dbtp = settings.ceiling_dbtp - settings.codec_headroom_db
    limiter = Limiter(kept, rate)
    gain_db, limiting, peaks_bind = _find_gain(limiter, _kept_statistics(taken, trim), settings, limit_to_dbtp)
    pcm: Pcm = np.empty(kept.shape, np.int16 if settings.bit_depth == 16 else np.int32)
    quantise = dither.to_pcm16 if settings.bit_depth == 16 else dither.to_pcm24
    seed = dither.seed_of(f"{MASTERING_VERSION}:{len(kept)}:{rate}")
    for first, block in limiter.blocks(gain_db=gain_db, ceiling_dbtp=limit_to_dbtp):
        apply_fades(block, trim, first)
        pcm[first : first + len(block)] = quantise(block, seed=seed, first_frame=first)
    del limiter

    meter = Meter(rate, audio.channels)
    for block in renditions.float_blocks(pcm, rate):
        meter.add(block)
    finished = meter.statistics()
    result = loudness_of(finished)
    reached_lufs, peak_dbtp = result.integrated_loudness_lufs, result.true_peak_dbtp
    if reached_lufs is None or peak_dbtp is None:
        raise _failed("loudness of the master", "none", "a measurable loudness")
    missing_lu = settings.target_lufs - reached_lufs
    if missing_lu < -LOUDNESS_TOLERANCE_LU or (missing_lu > LOUDNESS_TOLERANCE_LU and not peaks_bind):
        raise _failed("loudness of the master in LUFS", f"{reached_lufs:.2f}", f"{settings.target_lufs} +-0.1")
    cues = find_cues(finished, reached_lufs)
    if tags is not None:
        tags = dataclasses.replace(tags, cues_s={**cues.by_name(), **tags.cues_s})
    with renditions.staged(outputs) as stage, ThreadPoolExecutor(max_workers=len(outputs) + 1) as threads:
        # Encoders and meters let go of the interpreter: MP3, the slowest, runs beside the rest where there are cores.
        jobs = {
            name: threads.submit(
                renditions.encode, pcm, rate, name, stage[name], outputs[name], result, settings.ceiling_dbtp, tags
            )
            for name in sorted(outputs, key=lambda name: not name.startswith("mp3"))
        }
        second_lufs = second_meter_lufs(_segments(pcm, rate), rate)
        written = {name: jobs[name].result() for name in outputs}
        if second_lufs is None or abs(second_lufs - reached_lufs) > LOUDNESS_TOLERANCE_LU:
            raise _failed(
                "loudness of the master by the second meter in LUFS", second_lufs, f"{reached_lufs:.2f} +-0.1"
            )
    return MasterReport(
        gain_db=gain_db,
        limiter_max_reduction_db=limiting.max_reduction_db,
        limited_share=limiting.limited_share,
        loudness_shortfall_lu=max(0.0, missing_lu) if peaks_bind else 0.0,
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
        waveform=_waveform(pcm),
        renditions=written,
    )


def _kept_statistics(taken: BlockStatistics, trim: Trim) -> BlockStatistics:
    """Return the statistics of what stays of a take, to the nearest hop, fades included; good enough to find a gain."""
    rate = taken.sample_rate_hz
    frames = trim.last_frame - trim.first_frame
    hops = -(-frames * HOPS_PER_SECOND // rate)
    first_hop = trim.first_frame * HOPS_PER_SECOND // rate
    ends = np.minimum(np.arange(1, hops + 1) * rate // HOPS_PER_SECOND, frames)
    energy = np.zeros((hops, taken.k_energy.shape[1]))
    found = taken.k_energy[first_hop : first_hop + hops]
    energy[: len(found)] = found
    energy *= fade_at(ends - 1, trim)[:, None] ** 2
    return dataclasses.replace(
        taken, frames=frames, hop_frames=np.diff(ends, prepend=0), k_energy=energy, peak=taken.peak[first_hop:][:hops]
    )


def _find_gain(
    limiter: Limiter, before: BlockStatistics, settings: MasteringSettings, limit_to_dbtp: float
) -> tuple[float, Limiting, bool]:
    """Return the gain that brings the limited samples to the target, or as near as limiting allows, and if that binds.

    What the limiter takes from the loudness is predicted from its envelope: gain moves so slowly that weighting before
    or after it makes no difference.
    """
    loudness = loudness_of(before)
    if loudness.integrated_loudness_lufs is None or loudness.true_peak_dbtp is None:
        raise AudioError("take", value="no measurable loudness", expected="at least 0.4 s of sound", remedy="reject it")
    most_db = limit_to_dbtp - MARGIN_DB + settings.max_limiting_db - loudness.true_peak_dbtp
    gain_db = min(settings.target_lufs - loudness.integrated_loudness_lufs, most_db)
    limiting = limiter.plan(gain_db=gain_db, ceiling_dbtp=limit_to_dbtp)
    for _ in range(_GAIN_STEPS):
        limited = loudness_of(
            dataclasses.replace(before, k_energy=before.k_energy * limiting.hop_power_gain[:, None])
        ).integrated_loudness_lufs
        missing_lu = 0.0 if limited is None else settings.target_lufs - (limited + gain_db)
        if abs(missing_lu) <= _GAIN_TOLERANCE_LU or (missing_lu > 0.0 and gain_db >= most_db):
            break
        gain_db = min(gain_db + missing_lu, most_db)
        limiting = limiter.plan(gain_db=gain_db, ceiling_dbtp=limit_to_dbtp)
    return gain_db, limiting, gain_db >= most_db


def _waveform(pcm: Pcm) -> NDArray[np.float32]:
    full_scale = dither.PCM16_SCALE if pcm.dtype == np.int16 else dither.PCM32_SCALE
    return peaks(pcm, WAVEFORM_STRETCHES) / np.float32(full_scale)


def _segments(pcm: Pcm, rate: int) -> Iterator[NDArray[np.float32]]:
    for first in range(0, len(pcm), SEGMENT_S * rate):
        yield np.concatenate(list(renditions.float_blocks(pcm[first : first + SEGMENT_S * rate], rate)))


def _failed(thing: str, found: object, expected: str) -> MasteringError:
    return MasteringError(
        thing, value=found, expected=expected, remedy="nothing was written; report this with the source file"
    )
