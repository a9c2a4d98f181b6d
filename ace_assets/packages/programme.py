"""The programme: what plays when at a venue.

Hard rules, broken only where nothing else is left and then named: no track again within the promise's elapsed
hours, no two neighbours of one prompt, no near-duplicates within the hour. Wishes, weighed against each other: the
energy curve, a steady tempo, each genre's share, rested tracks first. The same rows, venue and date always give the
same programme.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ace_assets.packages import hours, pools
from ace_assets.packages.rows import duplicate_groups
from ace_assets.packages.venues import DAY_MINUTES, Venue

NEAR_DUPLICATE_REST_MS = hours.HOUR_MS
NEVER = -(2**60)
MAX_REPAIR_NODES = 8_000
WIDE_POOL_TRACKS = 64
WIDE_POOL_CHOICES = 16

# Weights of the wishes: one unit of energy, 30 bpm of tempo, a whole genre share, a fully rested track.
ENERGY_WEIGHT = 1.0
TEMPO_WEIGHT = 0.5
TEMPO_RANGE_BPM = 30.0
GENRE_WEIGHT = 40.0
REST_WEIGHT = 1.5
BORROWED_WEIGHT = 2.0
CROWDED_PROMPT_WEIGHT = 6.0
ROUND_AGAIN_WEIGHT = 20.0
SOON_FORBIDDEN_WEIGHT = 6.0
ROUND_AGAIN_WINDOWS = 3
DEFAULT_BPM = 100.0
DEFAULT_ENERGY = 3
LATE_WEIGHT = 10.0


@dataclass(frozen=True)
class Entry:
    """One play.

    Attributes:
        track: row number of the track.
        start_ms: when it starts, milliseconds since 1970 (UTC).
        play_ms: how long it plays.
        daypart: number of the venue's daypart.
        opening: number of the unbroken stretch of opening hours.
        cut: it is faded out early because the venue closes.
    """

    track: int
    start_ms: int
    play_ms: int
    daypart: int
    opening: int
    cut: bool


@dataclass(frozen=True)
class Breach:
    """A hard rule that could not be kept: `repeat`, `same_prompt` or `near_duplicate`, at entry number `entry`.

    `apart_ms` is the time since the other play started.
    """

    kind: str
    entry: int
    other: int
    apart_ms: int


@dataclass(frozen=True)
class Programme:
    """What plays when, and what it could not keep."""

    venue: Venue
    first_day: dt.date
    stretches: tuple[hours.Segment, ...]
    entries: tuple[Entry, ...]
    supplies: tuple[pools.Supply, ...]
    breaches: tuple[Breach, ...]
    repeats_safely: bool

    @property
    def kept(self) -> bool:
        """Whether every hard rule is kept."""
        return not self.breaches

    @property
    def missing(self) -> int:
        """Tracks that the dayparts lack, in all."""
        return sum(supply.missing for supply in self.supplies)


def fits_of(venue: Venue, dayparts: Sequence[str]) -> list[frozenset[int]]:
    """Return for each track, by its own daypart, the venue's dayparts that accept it."""
    accepting: dict[str, frozenset[int]] = {}
    for name in set(dayparts):
        accepting[name] = frozenset(
            number for number, part in enumerate(venue.dayparts) if name in part.accepts or "*" in part.accepts
        )
    return [accepting[name] for name in dayparts]


def _energy_targets(venue: Venue) -> list[float]:
    """Return the energy wanted in the middle of each daypart (3 where no curve is given)."""
    return [
        venue.energy_at((part.span.start_min + part.span.end_min) / 2 % DAY_MINUTES) or 3.0 for part in venue.dayparts
    ]


def make_programme(
    frame: pl.DataFrame, venue: Venue, first_day: dt.date, *, already_there: frozenset[str] = frozenset()
) -> Programme:
    """Return the programme of a venue from the tracks that it may play.

    Args:
        frame: the tracks (`PackageTrack`), in canonical order.
        venue: the wishes.
        first_day: the programme's first day on the venue's calendar.
        already_there: track ids that the venue has from its last delivery; kept before others where there are too many.
    """
    stretches = hours.segments(venue, first_day)
    if not frame.height or not stretches:
        _, supplies = pools.make_pools(
            [], np.zeros(0, dtype=np.int64), np.zeros((0, len(venue.dayparts))), stretches,
            dayparts=len(venue.dayparts), promise_ms=_promise_ms(venue), rank=[], max_tracks=0,
        )  # fmt: skip
        return Programme(venue, first_day, tuple(stretches), (), tuple(supplies), (), repeats_safely=False)
    prompts = frame["prompt_id"].to_list()
    groups = duplicate_groups(frame)
    scheduler = _Scheduler(frame, venue, stretches, already_there)
    scheduler.fill()
    entries = tuple(scheduler.path)
    breaches = tuple(find_breaches(entries, prompts, groups, _promise_ms(venue)))
    supplies = scheduler.supplies
    if (breaches or any(s.missing for s in supplies)) and scheduler.may_share():
        # Tracks that fit several dayparts were given to one each; playing them in all of theirs may be enough.
        shared = _Scheduler(frame, venue, stretches, already_there, share=True)
        shared.fill()
        if not any(find_breaches(shared.path, prompts, groups, _promise_ms(venue))):
            entries, breaches = tuple(shared.path), ()
            supplies = [dataclasses.replace(supply, missing=0, borrowed=0) for supply in supplies]
    late = {entries[breach.entry].daypart for breach in breaches if breach.kind == "repeat"}
    if late and not any(supply.missing for supply in supplies):
        # Enough music by the sum, yet cut or late tracks broke the promise: one more track per border makes it hold.
        supplies = [dataclasses.replace(s, missing=1) if s.daypart in late else s for s in supplies]
    return Programme(
        venue, first_day, tuple(stretches), entries, tuple(supplies), breaches,
        repeats_safely=_repeats_safely(entries, _promise_ms(venue), venue.days),
    )  # fmt: skip


def _promise_ms(venue: Venue) -> int:
    return round(venue.no_repeat_h * hours.HOUR_MS)


def find_breaches(
    entries: Sequence[Entry], prompts: Sequence[str], groups: Sequence[str], promise_ms: int
) -> Iterator[Breach]:
    """Yield every hard rule that a programme breaks."""
    last_play: dict[int, int] = {}
    recent: list[int] = []
    for number, entry in enumerate(entries):
        before = last_play.get(entry.track)
        if before is not None and entry.start_ms - entries[before].start_ms < promise_ms:
            yield Breach("repeat", number, before, entry.start_ms - entries[before].start_ms)
        last_play[entry.track] = number
        if number and entries[number - 1].opening == entry.opening:
            neighbour = entries[number - 1]
            if prompts[neighbour.track] == prompts[entry.track]:
                yield Breach("same_prompt", number, number - 1, entry.start_ms - neighbour.start_ms)
        recent = [n for n in recent if entry.start_ms - entries[n].start_ms < NEAR_DUPLICATE_REST_MS]
        for other in recent:
            twin = entries[other].track
            if twin != entry.track and groups[twin] == groups[entry.track]:
                yield Breach("near_duplicate", number, other, entry.start_ms - entries[other].start_ms)
        recent.append(number)


def _repeats_safely(entries: Sequence[Entry], promise_ms: int, days: int) -> bool:
    """Say whether the programme may be started again from its beginning after its last day (whole weeks only)."""
    if days % 7 or not entries:
        return False
    period_ms = days * DAY_MINUTES * 60_000
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for entry in entries:
        first.setdefault(entry.track, entry.start_ms)
        last[entry.track] = entry.start_ms
    return all(first[track] + period_ms - last[track] >= promise_ms for track in first)


class _Scheduler:
    """Fills the segments one play after another, going back a little where a rule leaves no way on."""

    def __init__(
        self,
        frame: pl.DataFrame,
        venue: Venue,
        stretches: list[hours.Segment],
        already_there: frozenset[str],
        *,
        share: bool = False,
    ) -> None:
        self.venue = venue
        self.stretches = stretches
        self.closing_ms = {stretch.opening: stretch.end_ms for stretch in stretches}
        self.promise_ms = _promise_ms(venue)
        self.lengths_ms: NDArray[np.int64] = np.maximum(1, np.round(frame["duration_s"].to_numpy() * 1000)).astype(
            np.int64
        )
        self.energy: NDArray[np.float64] = frame["energy"].fill_null(DEFAULT_ENERGY).to_numpy().astype(np.float64)
        bpm = frame.select(pl.coalesce("measured_bpm", "requested_bpm").fill_null(DEFAULT_BPM)).to_series()
        self.bpm: NDArray[np.float64] = bpm.to_numpy().astype(np.float64)
        self.prompt = _numbered(frame["prompt_id"].to_list())
        self.group = _numbered(duplicate_groups(frame))
        group_sizes = np.bincount(self.group)
        self.has_twin = group_sizes[self.group] > 1
        self._genres(frame["genre"].to_list())
        self.fits = fits_of(venue, frame["daypart"].to_list())
        self._pools(frame, already_there)
        if share:
            self._share_pools()
        self.last_start = np.full(frame.height, NEVER, dtype=np.int64)
        self.first_start = np.full(frame.height, NEVER, dtype=np.int64)
        self.group_last = np.full(len(group_sizes), NEVER, dtype=np.int64)
        self.path: list[Entry] = []
        self.undo: list[tuple[int, int, int]] = []
        self.nodes_left = MAX_REPAIR_NODES
        # Only whole weeks can be started again; without a promise there is nothing to keep.
        windows_ms = ROUND_AGAIN_WINDOWS * self.promise_ms
        self.round_again_from_ms = (
            stretches[-1].end_ms - windows_ms if windows_ms and venue.days % 7 == 0 else stretches[-1].end_ms
        )
        self.at = 0  # number of the segment in which the path ends
        self.period_ms = venue.days * DAY_MINUTES * 60_000

    def _genres(self, genres: list[str]) -> None:
        shares = dict(self.venue.genre_shares)
        names = [*shares, ""]
        self.genre = np.array([names.index(g if g in shares else "") for g in genres], dtype=np.int64)
        self.share = np.array([*shares.values(), max(0.0, 1.0 - sum(shares.values()))])
        self.genre_ms = np.zeros(len(names), dtype=np.int64)
        self.wants_genres = bool(shares)

    def _pools(self, frame: pl.DataFrame, already_there: frozenset[str]) -> None:
        targets = np.array(_energy_targets(self.venue))
        distance = np.abs(self.energy[:, None] - targets[None, :])
        found, self.supplies = pools.make_pools(
            self.fits,
            self.lengths_ms,
            distance,
            self.stretches,
            dayparts=len(self.venue.dayparts),
            promise_ms=self.promise_ms,
            rank=_ranks(frame, already_there),
            max_tracks=self.venue.max_tracks,
        )
        self.pool_of: dict[int, NDArray[np.int64]] = {}
        self.rest_of: dict[int, int] = {}
        self.borrowed_of: dict[int, NDArray[np.float64]] = {}
        for pool in found:
            members = np.array(pool.tracks, dtype=np.int64)
            for daypart in pool.dayparts:
                self.pool_of[daypart] = members
                self.rest_of[daypart] = pool.rest_ms
                self.borrowed_of[daypart] = np.array([float(daypart not in self.fits[t]) for t in pool.tracks])

    def _share_pools(self) -> None:
        """Let every daypart draw from all the tracks that fit it, whichever other they fit."""
        for daypart in self.pool_of:
            members = [track for track, fits in enumerate(self.fits) if daypart in fits]
            self.pool_of[daypart] = np.array(members, dtype=np.int64)
            self.rest_of[daypart] = self.promise_ms
            self.borrowed_of[daypart] = np.zeros(len(members))

    def may_share(self) -> bool:
        """Say whether shared pools could do what separate ones cannot: no daypart is hopelessly short by itself."""
        if not any(len(fits) > 1 for fits in self.fits) and len(self.supplies) < 2:
            return False
        longest_ms = int(self.lengths_ms.max())
        for supply in self.supplies:
            fitting_ms = sum(int(self.lengths_ms[t]) for t, fits in enumerate(self.fits) if supply.daypart in fits)
            # A track that runs over from the daypart before saves some music at each of its beginnings.
            beginnings = 2 + self.promise_ms // (DAY_MINUTES * 60_000)
            if not fitting_ms or fitting_ms + beginnings * longest_ms < supply.need_ms:
                return False
        return True

    # ---- the clock -------------------------------------------------------------------------------------------------

    def _place(self) -> tuple[hours.Segment, int] | None:
        """Return the segment and the time at which the next play starts, or None when the programme is full."""
        if not self.path:
            return self.stretches[0], self.stretches[0].start_ms
        end_ms = self.path[-1].start_ms + self.path[-1].play_ms
        while self.at < len(self.stretches) and self.stretches[self.at].end_ms <= end_ms:
            self.at += 1
        while self.at > 0 and self.stretches[self.at - 1].end_ms > end_ms:
            self.at -= 1
        if self.at == len(self.stretches):
            return None
        segment = self.stretches[self.at]
        return segment, max(end_ms, segment.start_ms)

    # ---- playing and taking back -----------------------------------------------------------------------------------

    def _play(self, track: int, segment: hours.Segment, start_ms: int) -> None:
        length_ms = int(self.lengths_ms[track])
        closing_ms = self.closing_ms[segment.opening]
        play_ms = min(length_ms, closing_ms - start_ms)
        self.undo.append(
            (int(self.last_start[track]), int(self.first_start[track]), int(self.group_last[self.group[track]]))
        )
        if self.first_start[track] == NEVER:
            self.first_start[track] = start_ms
        self.last_start[track] = start_ms
        self.group_last[self.group[track]] = start_ms
        self.genre_ms[self.genre[track]] += play_ms
        self.path.append(Entry(track, start_ms, play_ms, segment.daypart, segment.opening, play_ms < length_ms))

    def _take_back(self) -> Entry:
        entry = self.path.pop()
        last, first, group = self.undo.pop()
        self.last_start[entry.track] = last
        self.first_start[entry.track] = first
        self.group_last[self.group[entry.track]] = group
        self.genre_ms[self.genre[entry.track]] -= entry.play_ms
        return entry

    # ---- choosing --------------------------------------------------------------------------------------------------

    def _allowed(self, segment: hours.Segment, start_ms: int) -> NDArray[np.bool_]:
        members = self.pool_of[segment.daypart]
        last = self.last_start[members]
        allowed = start_ms - last >= self.rest_of[segment.daypart]
        if self.path and self.path[-1].opening == segment.opening:
            allowed &= self.prompt[members] != self.prompt[self.path[-1].track]
        twin_start = self.group_last[self.group[members]]
        near = self.has_twin[members] & (start_ms - twin_start < NEAR_DUPLICATE_REST_MS) & (twin_start != last)
        return np.asarray(allowed & ~near)

    def _cost(self, segment: hours.Segment, start_ms: int, allowed: NDArray[np.bool_]) -> NDArray[np.float64]:
        members = self.pool_of[segment.daypart]
        cost = BORROWED_WEIGHT * self.borrowed_of[segment.daypart]
        target = self.venue.energy_at(hours.local_minute(start_ms, self.venue.tz))
        if target is not None:
            cost = cost + ENERGY_WEIGHT * np.abs(self.energy[members] - target)
        if self.path and self.path[-1].opening == segment.opening:
            step = np.abs(self.bpm[members] - self.bpm[self.path[-1].track]) / TEMPO_RANGE_BPM
            cost = cost + TEMPO_WEIGHT * np.minimum(step, 2.0)
        if self.wants_genres:
            total = max(hours.HOUR_MS, int(self.genre_ms.sum()))
            ahead = self.genre_ms / total - self.share
            cost = cost + GENRE_WEIGHT * ahead[self.genre[members]]
        rested = np.minimum((start_ms - self.last_start[members]) / self.period_ms, 1.0)
        cost = cost - REST_WEIGHT * rested
        if start_ms >= self.round_again_from_ms:
            # So that the programme may be started again, its last windows drift towards the order of its first: a
            # track is best played just before the time from which its first play (or the window after) forbids it.
            windows = -(-(self.stretches[-1].end_ms - start_ms) // self.promise_ms)
            spare = self.first_start[members] + self.period_ms - start_ms - windows * self.promise_ms
            again = self.first_start[members] != NEVER
            cost = cost + ROUND_AGAIN_WEIGHT / windows * (again & (spare < 0))
            soon = np.clip(1.0 - spare / self.promise_ms, 0.0, 1.0)
            cost = cost - SOON_FORBIDDEN_WEIGHT * np.where(again & (spare >= 0), soon, 0.0)
        if self.rest_of[segment.daypart] < self.promise_ms:
            cost = cost + LATE_WEIGHT * (start_ms - self.last_start[members] < self.promise_ms)
        counts = np.bincount(self.prompt[members[allowed]], minlength=1)
        waiting = int(counts.sum())
        if waiting and counts.max() > 1:
            share = counts / waiting
            known = np.minimum(self.prompt[members], len(share) - 1)  # prompts beyond have nothing waiting
            crowd = np.where(self.prompt[members] < len(share), share[known], 0.0)
            cost = cost - CROWDED_PROMPT_WEIGHT * np.maximum(0.0, crowd - 0.25)
        return np.asarray(cost, dtype=np.float64)

    def _choices(self, segment: hours.Segment, start_ms: int) -> list[int]:
        """Return the tracks that every rule allows here, the best first."""
        allowed = self._allowed(segment, start_ms)
        if not allowed.any():
            return []
        members = self.pool_of[segment.daypart]
        cost = np.where(allowed, self._cost(segment, start_ms, allowed), np.inf)
        count = int(allowed.sum())
        if len(members) > WIDE_POOL_TRACKS and count > WIDE_POOL_CHOICES:
            near = np.argpartition(cost, WIDE_POOL_CHOICES)[:WIDE_POOL_CHOICES]
            near.sort()
        else:
            near = np.flatnonzero(allowed)
        order = near[np.argsort(cost[near], kind="stable")]
        return [int(t) for t in members[order]]

    def _least_bad(self, segment: hours.Segment, start_ms: int) -> int:
        """Return the track whose play breaks the least: near-duplicates first, then neighbours, then the promise."""
        members = self.pool_of[segment.daypart]
        last = self.last_start[members]
        late = start_ms - last < self.rest_of[segment.daypart]
        same = np.zeros(len(members), dtype=bool)
        if self.path and self.path[-1].opening == segment.opening:
            same = self.prompt[members] == self.prompt[self.path[-1].track]
        order = np.lexsort((members, last, same, late))
        return int(members[order[0]])

    # ---- filling ---------------------------------------------------------------------------------------------------

    def fill(self) -> None:
        """Fill every segment."""
        while (place := self._place()) is not None:
            segment, start_ms = place
            if not len(self.pool_of.get(segment.daypart, ())):
                return
            choices = self._choices(segment, start_ms)
            if choices:
                self._play(choices[0], segment, start_ms)
            elif not self._repair(start_ms):
                segment, start_ms = self._place() or (segment, start_ms)
                self._play(self._least_bad(segment, start_ms), segment, start_ms)

    def _repair(self, stuck_ms: int) -> bool:
        """Go back a few plays and find another way past `stuck_ms`; False, and nothing changed, where there is none."""
        depth = 1
        before = list(self.path)
        while self.nodes_left > 0:
            for _ in range(min(depth, len(self.path))):
                self._take_back()
            whole = not self.path
            if self._search(stuck_ms, nodes=min(self.nodes_left, 40 * depth if not whole else self.nodes_left)):
                return True
            self._restore(before)
            if whole or depth > 512:
                break
            depth *= 3
        self.nodes_left //= 2  # what cannot be mended once can seldom be mended later
        return False

    def _restore(self, path: list[Entry]) -> None:
        keep = 0
        while keep < min(len(path), len(self.path)) and path[keep] == self.path[keep]:
            keep += 1
        while len(self.path) > keep:
            self._take_back()
        for entry in path[keep:]:
            place = self._place()
            assert place is not None
            self._play(entry.track, *place)

    def _search(self, stuck_ms: int, *, nodes: int) -> bool:
        """Depth first, until a play has started at or after `stuck_ms`."""
        waiting: list[list[int]] = []
        base = len(self.path)
        place = self._place()
        if place is None:
            return True
        waiting.append(self._choices(*place)[::-1])
        while waiting:
            if not waiting[-1]:
                waiting.pop()
                if waiting:
                    self._take_back()
                continue
            if nodes <= 0 or self.nodes_left <= 0:
                break
            nodes -= 1
            self.nodes_left -= 1
            place = self._place()
            assert place is not None
            self._play(waiting[-1].pop(), *place)
            if self.path[-1].start_ms >= stuck_ms:
                return True
            place = self._place()
            if place is None:
                return True
            waiting.append(self._choices(*place)[::-1])
        while len(self.path) > base:
            self._take_back()
        return False


def _numbered(names: Sequence[str]) -> NDArray[np.int64]:
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)


def _ranks(frame: pl.DataFrame, already_there: frozenset[str]) -> list[int]:
    """Return each track's place: those already delivered first, then by score, every cell in its turn."""
    rows = frame.select("track_id", "cell", "signal_score").rows()
    order = sorted(range(len(rows)), key=lambda n: (rows[n][0] not in already_there, -(rows[n][2] or 0.0), rows[n][0]))
    turn: dict[str, int] = {}
    keyed = []
    for place, number in enumerate(order):
        cell = rows[number][1]
        turn[cell] = turn.get(cell, 0) + 1
        keyed.append((rows[number][0] not in already_there, turn[cell], place, number))
    ranks = [0] * len(rows)
    for rank, (*_, number) in enumerate(sorted(keyed)):
        ranks[number] = rank
    return ranks
