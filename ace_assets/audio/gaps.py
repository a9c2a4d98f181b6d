"""Silence where music should be: gaps inside the body of a piece, and how sharply the sound stops and comes back.

A rest and a dropout are equally quiet. They differ in how they begin: played or synthesised notes decay, a lost block cuts
the waveform within a few milliseconds on both sides. Head and tail silence are no gaps; mastering trims them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ace_assets.audio.grains import Grains

QUIET_BELOW_ACTIVE_DB = 50.0  # a gap is this far below the level of the music
FAINT_BELOW_ACTIVE_DB = 65.0
SILENCE_DBFS = -100.0  # stands for digital silence
ACTIVE_DBFS = -70.0  # below this nothing sounds at all
LOUD_BEFORE_DB = 21.0  # a gap only cuts something if the level just before is within this of the music's
FAINT_AFTER_DB = 34.0  # the music may come back in a quiet moment
DEEP_BELOW_BESIDE_DB = 45.0  # a pause between tight drums still holds their last decay
SHORTEST_GAP_MS = 8
SHORTEST_STUCK_MS = 15  # longer than half a wave of any note but the lowest
MOST_STUCK_PER_S = 0.2  # more than this is a wave form
SHARP_MS = 4  # a cut, or a cut with a short fade; releases of notes take longer
CONTEXT_MS, EDGE_MS = 30, 5  # the level beside a gap is taken from 5 to 30 ms away from it
QUICK_MS = 80  # a fade of half a second passes in this time from the level of music to nothing
LONE_SHARE = 0.25
RHYTHM_MIN_GAPS, RHYTHM_COHERENCE = 14, 0.8
STRICT_MIN_GAPS, STRICT_COHERENCE = 8, 0.94  # so few keep time by chance unless the time is exact
RHYTHM_LONGER = 3.0  # a gap so much longer than its fellows does not belong to them
CHANNEL_GAP_DB = 50.0
RESIDUE_DB = 10.0  # what is left of loud music in a gap may now and then rise so far above that


@dataclass(frozen=True)
class Gaps:
    """What the search for gaps found.

    Attributes:
        longest_silence_s: longest time inside the body in which no channel sounds.
        longest_cut_silence_s: the same, but only where the sound stopped within milliseconds.
        lone_silence_s: the same, but only where the sound faded quickly and no other silence in the piece comes near its
            length; rests that a composer wrote are seldom alone.
        sharp_gaps: gaps in any channel that begin and end within milliseconds.
        longest_sharp_gap_s: the longest of them.
        sounding_s: how long anything sounds, however faintly; 0 for silence.
    """

    longest_silence_s: float
    longest_cut_silence_s: float
    lone_silence_s: float
    sharp_gaps: int
    longest_sharp_gap_s: float
    sounding_s: float


def levels_db(energy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return mean squares as dB, never below -100."""
    return np.asarray(10.0 * np.log10(np.maximum(energy, 10.0 ** (SILENCE_DBFS / 10.0))))


def active_level_db(energy: NDArray[np.float64]) -> float:
    """Return the level of the grains in which anything sounds; -100 for silence."""
    sounding = energy[energy > 10.0 ** (ACTIVE_DBFS / 10.0)]
    return float(10.0 * np.log10(sounding.mean())) if sounding.size else SILENCE_DBFS


def runs_of(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return (runs, 2) first and one-past-last index of each run of True.

    >>> runs_of(np.array([False, True, True, False, True])).tolist()
    [[1, 3], [4, 5]]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return edges.reshape(-1, 2)


def _edge_ms(levels: NDArray[np.float64], inner: int, outward: int) -> tuple[float, int]:
    """Return the level beside a gap and how many milliseconds before the gap it was last reached, within 12 dB.

    Args:
        levels: (grains,) dB.
        inner: first grain outside of the gap.
        outward: -1 looks before the gap, 1 after it.
    """
    span = (
        levels[max(0, inner - CONTEXT_MS + 1) : inner + 1][::-1] if outward < 0 else levels[inner : inner + CONTEXT_MS]
    )
    if span.size < CONTEXT_MS // 2:
        return SILENCE_DBFS, CONTEXT_MS
    beside = float(10.0 * np.log10(np.mean(10.0 ** (span[EDGE_MS:] / 10.0))))
    return beside, int(np.argmax(span > beside - 12.0))


def _is_rhythm(starts_s: NDArray[np.float64]) -> bool:
    """Tell whether gaps recur in time, as chopped pads and dry staccato do; faults do not keep time."""
    if starts_s.size < STRICT_MIN_GAPS:
        return False
    periods = 0.08 * 2.0 ** (np.arange(400) / 90.0)  # 0.08 to 1.7 s
    local = np.exp(2j * np.pi * starts_s[:, None] / periods)
    if starts_s.size < RHYTHM_MIN_GAPS:
        return bool(np.abs(local.mean(axis=0)).max() >= STRICT_COHERENCE)
    window = min(starts_s.size, 24)
    sums = np.cumsum(np.concatenate([np.zeros((1, periods.size)), local]), axis=0)
    coherence = np.abs(sums[window:] - sums[:-window]) / window
    return bool(np.median(coherence.max(axis=1)) >= RHYTHM_COHERENCE)


def find_gaps(grains: Grains) -> Gaps:
    """Return the gaps of a piece."""
    per_second = grains.per_second
    together = grains.energy.mean(axis=1)
    active = active_level_db(together)
    if active <= SILENCE_DBFS:
        return Gaps(0.0, 0.0, 0.0, 0, 0.0, 0.0)
    floor = max(active - QUIET_BELOW_ACTIVE_DB, -85.0)
    levels = levels_db(together)
    sounds = np.flatnonzero(levels > floor)
    first, last = int(sounds[0]), int(sounds[-1]) + 1
    longest = longest_cut = second = 0.0
    lone = False
    for start, stop in runs_of(levels[first:last] <= floor) + first:
        length = (stop - start) / per_second
        if length > longest:
            longest, second = length, longest
            heard = np.flatnonzero(levels[max(0, start - QUICK_MS) : start] > active - LOUD_BEFORE_DB)
            lone = bool(heard.size)
        else:
            second = max(second, length)
        beside, fall = _edge_ms(levels, start - 1, -1)
        if fall <= SHARP_MS and beside > active - LOUD_BEFORE_DB:
            longest_cut = max(longest_cut, length)
    sharp = 0
    longest_sharp = 0.0
    stuck = _stuck(grains)
    for channel in range(grains.energy.shape[1]):
        found = _sharp_gaps(
            levels_db(np.where(stuck[:, channel], 0.0, grains.energy[:, channel])),
            active_level_db(grains.energy[:, channel]),
            first,
            last,
        )
        lengths = found[:, 1] - found[:, 0]
        if found.size and _is_rhythm(found[:, 0] / per_second):
            lengths = lengths[lengths > RHYTHM_LONGER * np.median(lengths)]
        if lengths.size:
            sharp = max(sharp, lengths.size)
            longest_sharp = max(longest_sharp, float(lengths.max() / per_second))
    return Gaps(
        float(longest),
        float(longest_cut),
        float(longest) if lone and second < LONE_SHARE * longest else 0.0,
        sharp,
        longest_sharp,
        float(np.count_nonzero(levels > max(active - FAINT_BELOW_ACTIVE_DB, -90.0)) / per_second),
    )


def _stuck(grains: Grains) -> NDArray[np.bool_]:
    """Return (grains, channels) where a sample is repeated instead of music; the flat sides of square waves are not."""
    stuck = np.zeros_like(grains.still)
    for channel in range(stuck.shape[1]):
        runs = runs_of(grains.still[:, channel] & (grains.energy[:, channel] > 0.0))
        runs = runs[runs[:, 1] - runs[:, 0] >= SHORTEST_STUCK_MS]
        if len(runs) <= MOST_STUCK_PER_S * len(stuck) / grains.per_second + 6:
            for start, stop in runs:
                stuck[start:stop, channel] = True
    return stuck


def _sharp_gaps(levels: NDArray[np.float64], active: float, first: int, last: int) -> NDArray[np.int64]:
    """Return (gaps, 2) first and one-past-last grain of the gaps of one channel that begin and end at once."""
    if active <= SILENCE_DBFS:
        return np.zeros((0, 2), np.int64)
    found = []
    silent = max(active - CHANNEL_GAP_DB, -85.0)
    for loosely in runs_of(levels[first:last] <= silent + RESIDUE_DB) + first:
        quiet = loosely[0] + np.flatnonzero(levels[loosely[0] : loosely[1]] <= silent)
        if not quiet.size:
            continue
        start, stop = int(quiet[0]), int(quiet[-1]) + 1
        if stop - start < SHORTEST_GAP_MS or start == first or stop == last:
            continue
        before, fall = _edge_ms(levels, start - 1, -1)
        after, rise = _edge_ms(levels, stop, 1)
        deep = float(np.median(levels[start:stop])) <= before - DEEP_BELOW_BESIDE_DB
        audible = deep and before > active - LOUD_BEFORE_DB and after > active - FAINT_AFTER_DB
        if fall <= SHARP_MS and rise <= SHARP_MS and audible:
            found.append((start, stop))
    return np.array(found, np.int64).reshape(-1, 2)
