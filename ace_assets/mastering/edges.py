"""Where a take starts and ends: silence to trim, an ending that needs a fade, cue points for players.

Everything is judged at the level at which the track will be played, so that a soft take is not trimmed into.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from ace_assets.audio.loudness import (
    HOPS_PER_SECOND,
    LOUDNESS_OFFSET_DB,
    MOMENTARY_HOPS,
    BlockStatistics,
    momentary_lufs,
)

SILENCE_DBFS = -60.0  # below it nothing is heard in a room at the target loudness
SHORTEST_S = 0.5  # what stays of a take that is a single sound: what loudness needs, and a little
TRIM_FADE_S = 0.010  # over a new edge, against clicks
ENDING_S = 0.060  # what an ending is judged by (AUDIO.md, abrupt_ending)
ENDING_DECAY_DB = 40.0  # a take whose last moments are this far below its body has ended by itself
CUE_LU = 30.0  # below the integrated loudness: what counts as there for a player that mixes
BODY_LU = 10.0  # below the integrated loudness: what counts as the body between intro and outro


@dataclass(frozen=True)
class Cues:
    """Where a player comes in and goes out, in seconds of the master, in rising order.

    Attributes:
        cue_in_s: the first sound worth hearing.
        intro_end_s: the music has reached its level.
        outro_start_s: it leaves that level for good; the next track may come in.
        cue_out_s: the last sound worth hearing.
    """

    cue_in_s: float
    intro_end_s: float
    outro_start_s: float
    cue_out_s: float

    def by_name(self) -> dict[str, float]:
        """Return the cues as tags name them, e.g. `cue_in`."""
        return {name.removesuffix("_s"): value for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Trim:
    """Which frames of a take stay, and over how many of them it fades."""

    first_frame: int
    last_frame: int
    head_fade_frames: int
    tail_fade_frames: int


def find_trim(
    samples: NDArray[np.float32],
    statistics: BlockStatistics,
    *,
    gain_db: float,
    head_silence_s: float,
    tail_silence_s: float,
    tail_fade_s: float,
) -> Trim | None:
    """Return what stays of a take, or None if nothing in it is audible after the gain.

    Args:
        samples: (frames, channels).
        statistics: of `samples`.
        gain_db: what it will be raised by.
        head_silence_s, tail_silence_s: how much silence may stay.
        tail_fade_s: length of the fade if the take does not end by itself.
    """
    rate = statistics.sample_rate_hz
    threshold = 10.0 ** ((SILENCE_DBFS - gain_db) / 20.0)
    ends = np.cumsum(statistics.hop_frames)
    audible = np.nonzero(statistics.peak.max(axis=1) > threshold)[0]
    if not audible.size:
        return None
    first_sound, last_sound = (
        _within(samples, ends, int(audible[0]), threshold, first=True),
        _within(samples, ends, int(audible[-1]), threshold, first=False),
    )
    first = max(0, first_sound - round(head_silence_s * rate))
    last = min(len(samples), last_sound + 1 + round(tail_silence_s * rate))
    last = min(len(samples), max(last, first + round(SHORTEST_S * rate)))
    first = max(0, min(first, last - round(SHORTEST_S * rate)))
    click_guard = round(TRIM_FADE_S * rate)
    tail_fade = 0
    # What was trimmed is as good as nothing: the energy is known without another pass.
    body = math.sqrt(float(statistics.energy.sum()) / ((last - first) * samples.shape[1]))
    if last == len(samples) and _ends_abruptly(samples[first:last], rate, body):
        tail_fade = min(round(tail_fade_s * rate), (last - first) // 4)
    elif last < len(samples):
        tail_fade = min(click_guard, last - last_sound - 1)
    return Trim(first, last, min(click_guard, first_sound - first) if first else 0, tail_fade)


def _within(samples: NDArray[np.float32], ends: NDArray[np.int64], hop: int, threshold: float, *, first: bool) -> int:
    start = int(ends[hop - 1]) if hop else 0
    loud = np.nonzero(np.abs(samples[start : int(ends[hop])]).max(axis=1) > threshold)[0]
    return start + int(loud[0] if first else loud[-1])


def _ends_abruptly(samples: NDArray[np.float32], rate: int, body: float) -> bool:
    ending = samples[-max(1, round(ENDING_S * rate)) :]
    level = math.sqrt(float(np.square(ending, dtype=np.float64).mean()))
    return bool(level > body * 10.0 ** (-ENDING_DECAY_DB / 20.0))


def apply_fades(block: NDArray[np.float32], trim: Trim, first_frame: int) -> None:
    """Fade a (frames, channels) block in place; `first_frame` is where it stands in what stays of the take."""
    frames = trim.last_frame - trim.first_frame
    head = trim.head_fade_frames - first_frame
    if head > 0:
        block[:head] *= fade_at(np.arange(first_frame, first_frame + len(block[:head])), trim)[:, None]
    tail = max(0, frames - trim.tail_fade_frames - first_frame)
    if tail < len(block) and trim.tail_fade_frames:
        block[tail:] *= fade_at(np.arange(first_frame + tail, first_frame + len(block)), trim)[:, None]


def fade_at(frames: NDArray[np.int64], trim: Trim) -> NDArray[np.float32]:
    """Return the gain of the fades at some frames of what stays of the take: half a cosine at either end."""
    total = trim.last_frame - trim.first_frame
    gain = np.ones(frames.size)
    for length, distance in ((trim.head_fade_frames, frames), (trim.tail_fade_frames, total - 1 - frames)):
        if length:
            gain *= 0.5 - 0.5 * np.cos(math.pi * np.clip(distance / length, 0.0, 1.0))
    return gain.astype(np.float32)


def find_cues(statistics: BlockStatistics, integrated_loudness_lufs: float) -> Cues:
    """Return the cue points of a finished master from its momentary loudness."""
    rate = statistics.sample_rate_hz
    duration_s = statistics.frames / rate
    ends_s = np.cumsum(statistics.hop_frames) / rate
    with np.errstate(divide="ignore"):
        hops_lufs = LOUDNESS_OFFSET_DB + 10.0 * np.log10(statistics.k_energy.sum(axis=1) / statistics.hop_frames)
    present = np.nonzero(hops_lufs > integrated_loudness_lufs - CUE_LU)[0]
    body = np.nonzero(momentary_lufs(statistics, 1) > integrated_loudness_lufs - BODY_LU)[0]
    if not present.size or not body.size:
        return Cues(0.0, 0.0, duration_s, duration_s)
    cue_in_s = max(0.0, ends_s[present[0]] - 1.0 / HOPS_PER_SECOND)
    cue_out_s = ends_s[present[-1]]
    # The first window that is loud enough became so by its last hop, the last one by its first.
    intro_end_s = ends_s[body[0] + MOMENTARY_HOPS - 1] if body[0] else cue_in_s
    outro_start_s = ends_s[body[-1]] if body[-1] + MOMENTARY_HOPS < ends_s.size else cue_out_s
    outro_start_s = min(outro_start_s, cue_out_s)
    values = np.maximum.accumulate([cue_in_s, min(intro_end_s, outro_start_s), outro_start_s, cue_out_s])
    return Cues(*(round(min(float(value), duration_s), 3) for value in values))
