"""The recipe: measure, trim, gain, limit, dither, encode, decode again, verify.

Nothing but gain, limiter, trims, fades and dither changes the sound. A master that fails its own verification is an
error and leaves no file.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

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
from ace_assets.mastering.second_meter import second_meter_lufs
from ace_assets.mastering.settings import MasteringSettings

MASTERING_VERSION = 1  # part of every master's identity: raise it when the same settings sound different
WAVEFORM_STRETCHES = 400  # enough for a picture as wide as a table
_GAIN_STEPS = 24
_GAIN_TOLERANCE_LU = 0.005
_FORECASTS = 6
_FORECAST_TOLERANCE_LU = 0.01
_SHORT_S = 10.0  # where trims and fades, which are forecast to the nearest 20 ms, still weigh


def master(
    audio: Audio,
    outputs: Mapping[str, Path],
    settings: MasteringSettings | None = None,
    *,
    tags: TrackTags | None = None,
    statistics: BlockStatistics | None = None,
    overwrite: bool = False,
) -> MasterReport:
    """Master one take and write its renditions.

    Args:
        audio: the take.
        outputs: final path by rendition name (`flac`, `mp3`, `mp3-192`, `wav`); folders must exist.
        settings: how; the defaults if None.
        tags: what the files say about themselves; ReplayGain and cue points are filled in. None: no tags.
        statistics: of the whole take, where somebody has measured it already.
        overwrite: the master may be made in the take's own memory, whose samples are lost then; they are left as they
            are otherwise.

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
    limiter = Limiter(kept, rate, highest=taken.true_peak)
    gain_db, limiting, peaks_bind = _find_gain(limiter, trim, _kept_statistics(taken, trim), settings, limit_to_dbtp)
    dtype = np.dtype(np.int16 if settings.bit_depth == 16 else np.int32)
    pcm: Pcm = _room_in(samples, kept.size, dtype).reshape(kept.shape) if overwrite else np.empty(kept.shape, dtype)
    seed = dither.seed_of(f"{MASTERING_VERSION}:{len(kept)}:{rate}")
    for first, block in limiter.blocks(gain_db=gain_db, ceiling_dbtp=limit_to_dbtp):
        apply_fades(block, trim, first)
        dither.quantise(block, pcm[first : first + len(block)], seed=seed, first_frame=first)
    frames_taken = len(samples)
    channels = audio.channels
    del limiter, kept, samples, audio  # where nobody else holds the take, only the master stays in memory

    meter = Meter(rate, channels)
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
        second_lufs = second_meter_lufs(
            lambda first, last: renditions.as_floats(pcm[first:last]), finished, reached_lufs
        )
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
        tail_trimmed_s=(frames_taken - trim.last_frame) / rate,
        tail_fade_s=trim.tail_fade_frames / rate,
        duration_s=len(pcm) / rate,
        frames=len(pcm),
        sample_rate_hz=rate,
        channels=channels,
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
    limiter: Limiter, trim: Trim, before: BlockStatistics, settings: MasteringSettings, limit_to_dbtp: float
) -> tuple[float, Limiting, bool]:
    """Return the gain that brings the limited samples to the target, or as near as limiting allows, and if that binds.

    What the limiter takes from the loudness is forecast from its envelope, as if a sound were even within each 20 ms; it is
    not, so what has been limited is then measured, and the forecast mended by what it was wrong.
    """
    loudness = loudness_of(before)
    if loudness.integrated_loudness_lufs is None or loudness.true_peak_dbtp is None:
        raise AudioError("take", value="no measurable loudness", expected="at least 0.4 s of sound", remedy="reject it")
    most_db = limit_to_dbtp - MARGIN_DB + settings.max_limiting_db - loudness.true_peak_dbtp
    gain_db = min(settings.target_lufs - loudness.integrated_loudness_lufs, most_db)
    error_lu = 0.0
    for _ in range(_FORECASTS):
        gain_db, limiting, forecast_lufs, bound = _forecast_gain(
            limiter, before, settings.target_lufs - error_lu, gain_db, most_db, limit_to_dbtp
        )
        if limiting.max_reduction_db < _FORECAST_TOLERANCE_LU and before.frames > _SHORT_S * before.sample_rate_hz:
            break
        meter = Meter(before.sample_rate_hz, before.k_energy.shape[1], true_peak=False)
        for first, block in limiter.blocks(gain_db=gain_db, ceiling_dbtp=limit_to_dbtp):
            apply_fades(block, trim, first)
            meter.add(block)
        found_lufs = loudness_of(meter.statistics()).integrated_loudness_lufs
        if found_lufs is None:
            break
        error_lu = found_lufs - forecast_lufs
        if abs(found_lufs - settings.target_lufs) <= _FORECAST_TOLERANCE_LU:
            break
        if bound and found_lufs < settings.target_lufs:
            break
    return gain_db, limiting, bound


def _forecast_gain(
    limiter: Limiter,
    before: BlockStatistics,
    target_lufs: float,
    gain_db: float,
    most_db: float,
    limit_to_dbtp: float,
) -> tuple[float, Limiting, float, bool]:
    """Return gain, limiting, forecast loudness, and whether more gain is forbidden, or would jump beyond the target.

    The absolute gate lets loudness jump where more gain lifts long soft passages over it: between two gains, one too
    soft and one too loud, the search closes in from the soft side.
    """
    too_soft_db, too_loud_db = -np.inf, np.inf
    while_soft: tuple[float, Limiting, float] | None = None
    for _ in range(_GAIN_STEPS):
        limiting = limiter.plan(gain_db=gain_db, ceiling_dbtp=limit_to_dbtp)
        power = limiting.hop_power_gain * 10.0 ** (gain_db / 10.0)
        found = loudness_of(dataclasses.replace(before, k_energy=before.k_energy * power[:, None]))
        lufs = -np.inf if found.integrated_loudness_lufs is None else found.integrated_loudness_lufs
        missing_lu = min(target_lufs - lufs, 20.0)
        if abs(missing_lu) <= _GAIN_TOLERANCE_LU:
            return gain_db, limiting, lufs, gain_db >= most_db
        if missing_lu > 0.0:
            while_soft = gain_db, limiting, lufs
            if gain_db >= most_db:
                break
            too_soft_db = gain_db
        else:
            too_loud_db = gain_db
        gain_db = min(gain_db + missing_lu, most_db)
        if not too_soft_db < gain_db < too_loud_db:
            gain_db = 0.5 * (too_soft_db + too_loud_db)
    return (*while_soft, True) if while_soft is not None else (gain_db, limiting, lufs, False)


def _room_in(samples: NDArray[np.float32], values: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return room for integers at the beginning of the memory of some samples, whose every block is read before."""
    return samples.reshape(-1).view(dtype)[:values]


def _waveform(pcm: Pcm) -> NDArray[np.float32]:
    full_scale = dither.PCM16_SCALE if pcm.dtype == np.int16 else dither.PCM32_SCALE
    return peaks(pcm, WAVEFORM_STRETCHES) / np.float32(full_scale)


def _failed(thing: str, found: object, expected: str) -> MasteringError:
    return MasteringError(
        thing, value=found, expected=expected, remedy="nothing was written; report this with the source file"
    )
