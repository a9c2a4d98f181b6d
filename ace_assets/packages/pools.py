"""Which tracks each daypart draws from, and how many it lacks.

A daypart keeps its no-repeat promise with any order of play as long as its own music lasts at least as long as the
busiest window of the promise (`hours.busiest_window_ms`): less cannot be enough, and as much always is, because a
track that has rested long enough may be taken at any time without making another one late. So the tracks are first
shared out so that every daypart has enough, and the order is chosen freely afterwards (`programme`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ace_assets.packages.hours import Segment, busiest_window_ms, longest_window_ms


@dataclass
class Pool:
    """The tracks of one daypart, or of several that had to be thrown together because none of them has enough.

    Attributes:
        dayparts: whose it is.
        tracks: row numbers.
        rest_ms: time between two starts of a track that the pool can keep; the promise where the pool is large enough.
    """

    dayparts: list[int]
    tracks: list[int] = field(default_factory=list)
    rest_ms: int = 0


@dataclass(frozen=True)
class Supply:
    """What one daypart needs and has.

    Attributes:
        need_ms: music that the promise needs.
        have_ms: music of the tracks that fit it, shared out so that others get theirs.
        fitting: number of those tracks.
        missing: tracks of typical length that it lacks.
        borrowed: tracks of other dayparts that stand in.
    """

    daypart: int
    need_ms: int
    have_ms: int
    fitting: int
    missing: int
    borrowed: int


def share_out(
    fits: Sequence[frozenset[int]], lengths_ms: np.ndarray, need_ms: Sequence[int]
) -> tuple[list[list[int]], list[int]]:
    """Give every track to one of the dayparts that it fits, so that as many needs as possible are met.

    Args:
        fits: for each track the dayparts that it fits; a track that fits none is left over.
        lengths_ms: for each track how long it plays.
        need_ms: for each daypart how much music it needs.

    Returns:
        The tracks of each daypart, and the tracks left over.
    """
    pools: list[list[int]] = [[] for _ in need_ms]
    have = [0] * len(need_ms)
    left_over = []

    def hunger(daypart: int) -> float:
        return have[daypart] / need_ms[daypart] if need_ms[daypart] else math.inf

    for track in sorted(range(len(fits)), key=lambda t: (len(fits[t]), t)):
        wanted = [d for d in fits[track] if need_ms[d]]
        if not wanted:
            left_over.append(track)
            continue
        chosen = min(wanted, key=lambda d: (hunger(d), d))
        pools[chosen].append(track)
        have[chosen] += int(lengths_ms[track])
    while _move_one(pools, have, fits, lengths_ms, need_ms):
        pass
    return pools, left_over


def _move_one(
    pools: list[list[int]],
    have: list[int],
    fits: Sequence[frozenset[int]],
    lengths_ms: np.ndarray,
    need_ms: Sequence[int],
) -> bool:
    """Bring one more track to a hungry daypart along a chain of dayparts that pass one on; False when none can."""
    for hungry in range(len(need_ms)):
        if have[hungry] >= need_ms[hungry]:
            continue
        came_from: dict[int, tuple[int, int]] = {}
        queue = [hungry]
        seen = {hungry}
        while queue:
            taker = queue.pop(0)
            for giver in range(len(need_ms)):
                if giver in seen:
                    continue
                movable = [t for t in pools[giver] if taker in fits[t]]
                if not movable:
                    continue
                track = min(movable, key=lambda t: (int(lengths_ms[t]), t))
                seen.add(giver)
                came_from[giver] = (track, taker)
                if have[giver] - int(lengths_ms[track]) >= need_ms[giver]:
                    here = giver
                    while here != hungry:
                        track, there = came_from[here]
                        pools[here].remove(track)
                        pools[there].append(track)
                        have[here] -= int(lengths_ms[track])
                        have[there] += int(lengths_ms[track])
                        here = there
                    return True
                queue.append(giver)
    return False


def make_pools(
    fits: Sequence[frozenset[int]],
    lengths_ms: np.ndarray,
    distance: np.ndarray,
    stretches: Sequence[Segment],
    *,
    dayparts: int,
    promise_ms: int,
    rank: Sequence[int],
    max_tracks: int,
) -> tuple[list[Pool], list[Supply]]:
    """Share the tracks out, let short dayparts borrow, and say what is missing.

    Args:
        fits: for each track the dayparts that it fits.
        lengths_ms: for each track how long it plays.
        distance: (tracks, dayparts) how ill a track suits a daypart; the nearest are borrowed first.
        stretches: the programme's segments.
        dayparts: how many dayparts the venue has.
        promise_ms: the no-repeat promise.
        rank: for each track its place in the order in which tracks are kept where there are more than wanted.
        max_tracks: most tracks wanted in all; 0 for no limit. Never cuts below what the promise needs.

    Returns:
        The pools, each daypart in exactly one, and the supply of each daypart that plays at all.
    """
    own = [[s for s in stretches if s.daypart == d] for d in range(dayparts)]
    # Even without a promise a daypart that plays needs something to play.
    need = [max(1, busiest_window_ms(own[d], promise_ms)) if own[d] else 0 for d in range(dayparts)]
    members, spare = share_out(fits, lengths_ms, need)
    fitting = [len(tracks) for tracks in members]
    fitting_ms = [_sum(lengths_ms, tracks) for tracks in members]
    typical_ms = float(np.median(lengths_ms)) if len(lengths_ms) else 180_000.0
    missing = [max(0, math.ceil(round((need[d] - fitting_ms[d]) / typical_ms, 6))) for d in range(dayparts)]
    if max_tracks:
        _trim(members, spare, lengths_ms, need, own, rank, max_tracks, promise_ms)
    borrowed = _borrow(members, spare, lengths_ms, distance, need)
    supplies = [
        Supply(d, need[d], fitting_ms[d], fitting[d], missing[d], borrowed[d]) for d in range(dayparts) if own[d]
    ]
    playing = [d for d in range(dayparts) if own[d]]
    short = [d for d in playing if _sum(lengths_ms, members[d]) < need[d]]
    pools = [Pool([d], sorted(members[d]), promise_ms) for d in playing if d not in short]
    if short:
        together = sorted(t for d in short for t in members[d])
        if not together:
            together = sorted(t for pool in pools for t in pool.tracks)
        merged = sorted((s for d in short for s in own[d]), key=lambda s: s.start_ms)
        pools.append(Pool(short, together, longest_window_ms(merged, _sum(lengths_ms, together), promise_ms)))
    return pools, supplies


def _sum(lengths_ms: np.ndarray, tracks: Sequence[int]) -> int:
    return int(lengths_ms[list(tracks)].sum()) if tracks else 0


def _trim(
    members: list[list[int]],
    spare: list[int],
    lengths_ms: np.ndarray,
    need: Sequence[int],
    own: Sequence[Sequence[Segment]],
    rank: Sequence[int],
    max_tracks: int,
    promise_ms: int,
) -> None:
    """Keep the first-ranked tracks of each daypart, as many as its share of the limit and at least what it needs."""
    total = sum(need) or 1
    longest_ms = int(lengths_ms.max()) if len(lengths_ms) else 0
    for daypart, tracks in enumerate(members):
        if not own[daypart]:
            continue
        openings = 2 + math.ceil(promise_ms / 86_400_000)
        enough_ms = need[daypart] + openings * longest_ms
        quota = math.ceil(max_tracks * need[daypart] / total)
        kept: list[int] = []
        held_ms = 0
        for track in sorted(tracks, key=lambda t: rank[t]):
            if len(kept) >= quota and held_ms >= enough_ms:
                break
            kept.append(track)
            held_ms += int(lengths_ms[track])
        members[daypart] = kept
    spare.sort(key=lambda t: rank[t])


def _borrow(
    members: list[list[int]], spare: list[int], lengths_ms: np.ndarray, distance: np.ndarray, need: Sequence[int]
) -> list[int]:
    """Let short dayparts take what others can do without, nearest first, the shortest daypart first."""
    have = [_sum(lengths_ms, tracks) for tracks in members]
    borrowed = [0] * len(members)
    free = list(spare)
    while True:
        short = [d for d in range(len(members)) if have[d] < need[d]]
        if not short:
            return borrowed
        taker = min(short, key=lambda d: (have[d] / need[d], d))
        offers = [(float(distance[t, taker]), t, -1) for t in free]
        for giver, tracks in enumerate(members):
            if need[giver] and have[giver] >= need[giver] and giver != taker:
                offers += [
                    (float(distance[t, taker]), t, giver)
                    for t in tracks
                    if have[giver] - int(lengths_ms[t]) >= need[giver]
                ]
        if not offers:
            return borrowed
        _, track, giver = min(offers)
        if giver < 0:
            free.remove(track)
        else:
            members[giver].remove(track)
            have[giver] -= int(lengths_ms[track])
        members[taker].append(track)
        have[taker] += int(lengths_ms[track])
        borrowed[taker] += 1
