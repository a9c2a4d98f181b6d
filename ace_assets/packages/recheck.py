"""Recomputes a package's rotation promise from its schedule alone; shares no code with what made the programme.

What is compared: the instants at which tracks start, read from `start_utc`; the prompts and near-duplicates of the
package's table; what `package.json` claims. A claim that does not hold is a problem, and so is a breach that was
not confessed.
"""

from __future__ import annotations

import datetime as dt
import itertools
import zoneinfo
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Finding = tuple[str, str, str]
SLACK_S = 0.0005  # half a millisecond: times are written in milliseconds


def recheck_rotation(
    manifest: Mapping[str, Any], tracks: Sequence[Mapping[str, Any]], plays: Sequence[Mapping[str, Any]]
) -> Iterator[Finding]:
    """Yield (kind, thing, message) for everything about the schedule that does not hold."""
    settings = manifest.get("venue_settings", {})
    try:
        promise_s = float(settings["no_repeat_h"]) * 3600
        zone = zoneinfo.ZoneInfo(str(settings["time_zone"]))
        starts = [dt.datetime.fromisoformat(play["start_utc"]).timestamp() for play in plays]
        lengths = [float(play["play_s"]) for play in plays]
        days = int(settings["days"])
        locals_ = [dt.datetime.fromisoformat(play["start_local"]).astimezone(dt.UTC) for play in plays]
        offsets = [dt.datetime.fromisoformat(play["start_local"]).utcoffset() for play in plays]
    except (KeyError, ValueError, TypeError, OverflowError, OSError) as error:
        yield "schedule", "data/schedule.json", f"cannot be checked ({error}); deliver the package again"
        return
    yield from _clocks(plays, starts, lengths, list(zip(locals_, offsets, strict=True)), zone)
    known = {row["track_id"]: row for row in tracks}
    for play in plays:
        if play["track_id"] not in known:
            yield "schedule", _at(play), f"{play['track_id']} is not in the package's table"
            return
        if known[play["track_id"]]["file"] != play["file"]:
            yield "schedule", _at(play), f"names {play['file']}, the table {known[play['track_id']]['file']}"
    broken = [*_repeats(plays, starts, promise_s), *_neighbours(plays, known), *_twins(plays, starts, known)]
    if manifest.get("promise_kept", False):
        yield from broken
    elif not broken:
        yield "rotation", "package.json", "says that the promise is not kept, but it is; deliver the package again"
    if manifest.get("may_repeat_weekly", False):
        yield from _again(plays, starts, promise_s, days)


def _at(play: Mapping[str, Any]) -> str:
    return f"data/schedule.json play {play['number']}"


def _clocks(
    plays: Sequence[Mapping[str, Any]],
    starts: Sequence[float],
    lengths: Sequence[float],
    said: Sequence[tuple[dt.datetime, dt.timedelta | None]],
    zone: zoneinfo.ZoneInfo,
) -> Iterator[Finding]:
    for number, play in enumerate(plays):
        local, offset = said[number]
        instant = dt.datetime.fromtimestamp(starts[number], dt.UTC)
        if abs((local - instant).total_seconds()) > SLACK_S or offset != instant.astimezone(zone).utcoffset():
            yield "schedule", _at(play), f"start_local {play['start_local']} is not start_utc {play['start_utc']}"
        if number and starts[number] + SLACK_S < starts[number - 1] + lengths[number - 1]:
            yield "schedule", _at(play), "starts before the play before it ends"


def _repeats(plays: Sequence[Mapping[str, Any]], starts: Sequence[float], promise_s: float) -> Iterator[Finding]:
    latest: dict[str, float] = {}
    for play, start in zip(plays, starts, strict=True):
        before = latest.get(play["track_id"])
        if before is not None and start - before + SLACK_S < promise_s:
            hours = (start - before) / 3600
            yield (
                "rotation",
                _at(play),
                f"{play['track_id']} returns after {hours:.2f} h, promised are {promise_s / 3600:g} h",
            )
        latest[play["track_id"]] = start


def _neighbours(plays: Sequence[Mapping[str, Any]], known: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    for before, play in itertools.pairwise(plays):
        one, other = known[before["track_id"]], known[play["track_id"]]
        if before["opening"] == play["opening"] and one["prompt_id"] == other["prompt_id"]:
            yield "rotation", _at(play), f"{play['track_id']} and the play before it come from one prompt"


def _twins(
    plays: Sequence[Mapping[str, Any]], starts: Sequence[float], known: Mapping[str, Mapping[str, Any]]
) -> Iterator[Finding]:
    """Near-duplicates within the hour: tracks that name each other's takes, directly or along a chain."""
    links: dict[str, set[str]] = {}
    for row in known.values():
        other = row["duplicate_of"] or row["take_id"]
        links.setdefault(row["take_id"], set()).add(other)
        links.setdefault(other, set()).add(row["take_id"])
    family: dict[str, str] = {}
    for take in links:
        waiting = [] if take in family else [take]
        while waiting:
            relative = waiting.pop()
            if relative not in family:
                family[relative] = take
                waiting += links[relative]
    of_track = {track_id: family[row["take_id"]] for track_id, row in known.items()}
    recent: list[tuple[float, str]] = []
    for play, start in zip(plays, starts, strict=True):
        track_id = play["track_id"]
        recent = [(when, other) for when, other in recent if start - when + SLACK_S < 3600]
        for _, other in recent:
            if other != track_id and of_track[other] == of_track[track_id]:
                yield "rotation", _at(play), f"{track_id} comes within the hour of its near-duplicate {other}"
        recent.append((start, track_id))


def _again(
    plays: Sequence[Mapping[str, Any]], starts: Sequence[float], promise_s: float, days: int
) -> Iterator[Finding]:
    first: dict[str, float] = {}
    last: dict[str, float] = {}
    for play, start in zip(plays, starts, strict=True):
        first.setdefault(play["track_id"], start)
        last[play["track_id"]] = start
    for track_id, start in first.items():
        gap_s = start + days * 86_400 - last[track_id]
        if gap_s + SLACK_S < promise_s:
            yield (
                "rotation",
                "package.json may_repeat_weekly",
                f"{track_id} would return after {gap_s / 3600:.2f} h when the programme starts again",
            )
            return
