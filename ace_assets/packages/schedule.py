"""The documents that say what plays when: schedule, playlists, rotation report. Text out; no disk, no clock."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ace_assets.packages import hours
from ace_assets.packages.names import safe_title
from ace_assets.packages.programme import Programme
from ace_assets.packages.venues import WEEKDAYS, Venue, clock

SCHEDULE_COLUMNS = (
    "number", "start_local", "start_utc", "play_s", "fade_at_end", "daypart", "opening", "track_id", "prompt_id",
    "file", "title", "genre", "energy", "bpm",
)  # fmt: skip


def to_json(document: Any) -> str:
    """Return JSON as every document of a package is written: sorted, indented, ending in a newline."""
    return json.dumps(document, sort_keys=True, indent=1, ensure_ascii=False) + "\n"


def to_csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """Return rows as CSV that a spreadsheet opens: a header, CRLF, no cell that it takes for a formula."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(column)) for column in columns])
    return buffer.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        value = "; ".join(map(str, value))
    if isinstance(value, float):
        return repr(value)
    text = str(value)
    return "'" + text if isinstance(value, str) and text[:1] in {"=", "+", "-", "@"} else text


def seconds(ms: int) -> float:
    """Return milliseconds as seconds."""
    return round(ms / 1000, 3)


def schedule_rows(
    programme: Programme, rows: Sequence[Mapping[str, Any]], files: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return one row per play.

    Args:
        programme: what plays when.
        rows: the tracks, by the programme's row numbers.
        files: path of each track's file by track id, relative to the package.
    """
    venue = programme.venue
    found = []
    for number, entry in enumerate(programme.entries, start=1):
        row = rows[entry.track]
        local = hours.to_local(entry.start_ms, venue.tz)
        bpm = row["measured_bpm"] if row["measured_bpm"] is not None else row["requested_bpm"]
        found.append(
            {
                "number": number,
                "start_local": local.isoformat(timespec="milliseconds"),
                "start_utc": hours.to_local(entry.start_ms, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
                "play_s": seconds(entry.play_ms),
                "fade_at_end": entry.cut,
                "daypart": venue.dayparts[entry.daypart].name,
                "opening": entry.opening + 1,
                "track_id": row["track_id"],
                "prompt_id": row["prompt_id"],
                "file": files[row["track_id"]],
                "title": safe_title(row["title"]),
                "genre": row["genre"],
                "energy": row["energy"],
                "bpm": None if bpm is None else round(bpm, 1),
            }
        )
    return found


def from_playlist(file: str) -> str:
    """Return a payload file's path as the playlists, which lie in data/playlists, name it.

    >>> from_playlist("data/audio/a.mp3")
    '../audio/a.mp3'
    """
    return "../" + file.removeprefix("data/")


def m3u8(name: str, plays: Sequence[Mapping[str, Any]], *, artist: str) -> str:
    """Return an extended M3U playlist in UTF-8.

    Args:
        name: what the playlist is called.
        plays: rows of the schedule.
        artist: whom to name before each title.
    """
    lines = ["#EXTM3U", "#EXTENC:UTF-8", f"#PLAYLIST:{safe_title(name)}"]
    for play in plays:
        lines.append(f"#EXTINF:{play['play_s']:.3f},{artist} - {play['title']}")
        lines.append(from_playlist(play["file"]))
    return "\n".join(lines) + "\n"


def playlist_json(name: str, plays: Sequence[Mapping[str, Any]]) -> str:
    """Return the same playlist as JSON."""
    entries = [
        {
            "track_id": play["track_id"],
            "title": play["title"],
            "file": from_playlist(play["file"]),
            "play_s": play["play_s"],
            "start_local": play["start_local"],
        }
        for play in plays
    ]
    return to_json({"name": safe_title(name), "entries": entries})


def opening_text(venue: Venue) -> list[str]:
    """Return the opening hours, one line per weekday."""
    lines = []
    for day, spans in zip(WEEKDAYS, venue.opening, strict=True):
        text = ", ".join(f"{clock(s.start_min)}-{'24:00' if s.end_min == 1440 else clock(s.end_min)}" for s in spans)
        lines.append(f"{day.capitalize():<10} {text or 'closed'}")
    return lines


def missing_cells(
    programme: Programme, cells: Sequence[tuple[str, str, str, int]], daypart: int, missing: int
) -> dict[str, int]:
    """Say of which cells the missing tracks should be, in the genre shares that the venue wants.

    Args:
        programme: the programme that lacks them.
        cells: (cell, genre, matrix daypart, tracks there are) of the venue's zone.
        daypart: number of the venue's daypart.
        missing: how many tracks.
    """
    venue = programme.venue
    part = venue.dayparts[daypart]
    fitting = sorted(c for c in cells if c[2] in part.accepts or "*" in part.accepts)
    if not fitting:
        names = part.accepts if "*" not in part.accepts else ("*",)
        return {f"{venue.zone}.*.{names[0]}.*": missing}
    shares = dict(venue.genre_shares)
    rest = max(0.0, 1.0 - sum(shares.values()))
    others = [c for c in fitting if c[1] not in shares]
    weights = {}
    for cell, genre, _, _ in fitting:
        same = sum(1 for c in fitting if c[1] == genre)
        weights[cell] = shares[genre] / same if genre in shares else rest / max(1, len(others))
    if not sum(weights.values()):
        weights = dict.fromkeys(weights, 1.0)
    have = {cell: count for cell, _, _, count in fitting}
    given = dict.fromkeys(have, 0)
    for _ in range(missing):
        # The cell that is furthest below its share gets the next one.
        neediest = min(have, key=lambda c: ((have[c] + given[c] + 1) / weights[c] if weights[c] else float("inf"), c))
        given[neediest] += 1
    return {cell: count for cell, count in given.items() if count}


def rotation_report(
    programme: Programme, plays: Sequence[Mapping[str, Any]], cells: Sequence[tuple[str, str, str, int]]
) -> dict[str, Any]:
    """Return what the programme promises, what it keeps and what it lacks, as JSON values."""
    venue = programme.venue
    gaps: dict[int, int] = {}
    last: dict[int, int] = {}
    for entry in programme.entries:
        if entry.track in last:
            gap = entry.start_ms - last[entry.track]
            gaps[entry.track] = min(gap, gaps.get(entry.track, gap))
        last[entry.track] = entry.start_ms
    total_ms = sum(entry.play_ms for entry in programme.entries)
    by_genre: dict[str, float] = {}
    for play in plays:
        by_genre[play["genre"]] = by_genre.get(play["genre"], 0.0) + play["play_s"]
    shares = dict(venue.genre_shares)
    genres = [
        {
            "genre": genre,
            "wanted_share": shares.get(genre),
            "played_share": round(by_genre.get(genre, 0.0) * 1000 / total_ms, 4) if total_ms else 0.0,
        }
        for genre in sorted({*by_genre, *shares})
    ]
    dayparts = []
    for supply in programme.supplies:
        part = venue.dayparts[supply.daypart]
        dayparts.append(
            {
                "daypart": part.name,
                "accepts": list(part.accepts),
                "music_needed_s": seconds(supply.need_ms),
                "music_fitting_s": seconds(supply.have_ms),
                "tracks_fitting": supply.fitting,
                "tracks_missing": supply.missing,
                "tracks_borrowed": supply.borrowed,
                "missing_by_cell": missing_cells(programme, cells, supply.daypart, supply.missing),
            }
        )
    breaches = [
        {
            "rule": breach.kind,
            "number": breach.entry + 1,
            "other": breach.other + 1,
            "track_id": plays[breach.entry]["track_id"],
            "apart_h": round(breach.apart_ms / hours.HOUR_MS, 4),
        }
        for breach in programme.breaches
    ]
    kinds = ("repeat", "same_prompt", "near_duplicate")
    return {
        "promise": {
            "no_repeat_hours": venue.no_repeat_h,
            "no_neighbours_of_one_prompt": True,
            "no_near_duplicates_within_hours": 1.0,
        },
        "promise_kept": programme.kept,
        "best_possible": not programme.kept or programme.missing > 0,
        "may_repeat_weekly": programme.repeats_safely,
        "first_day": programme.first_day.isoformat(),
        "days": venue.days,
        "plays": len(programme.entries),
        "tracks": len(last),
        "hours": round(total_ms / hours.HOUR_MS, 3),
        "shortest_gap_h": round(min(gaps.values()) / hours.HOUR_MS, 4) if gaps else None,
        "tracks_missing": programme.missing,
        "dayparts": dayparts,
        "genres": genres,
        "breach_counts": {kind: sum(1 for b in programme.breaches if b.kind == kind) for kind in kinds},
        "breaches": breaches,
    }


def rotation_text(venue: Venue, report: Mapping[str, Any]) -> str:
    """Return the rotation report for people."""
    lines = [f"Rotation report of {safe_title(venue.name)}", ""]
    if report["promise_kept"]:
        lines.append(f"PROMISE KEPT: no track plays again within {venue.no_repeat_h:g} hours.")
    else:
        lines.append("BEST POSSIBLE PROGRAMME: the promise is not kept in full.")
        counts = report["breach_counts"]
        lines.append(f"  plays too soon after another play of the same track: {counts['repeat']}")
        lines.append(f"  neighbours made from one prompt:                     {counts['same_prompt']}")
        lines.append(f"  near-duplicates within an hour:                      {counts['near_duplicate']}")
    shortest = report["shortest_gap_h"]
    lines += [
        "",
        f"Days      {report['days']}, from {report['first_day']} ({venue.time_zone})",
        f"Plays     {report['plays']} of {report['tracks']} tracks, {report['hours']:.1f} hours",
        "Shortest  " + ("no track plays twice" if shortest is None else f"{shortest:.2f} hours between two plays"),
        "Again     "
        + (
            "may be started again from its first day, week after week"
            if report["may_repeat_weekly"]
            else "should not be started again right after its last day: some tracks would return too soon"
        ),
        "",
        "Opening hours",
        *("  " + line for line in opening_text(venue)),
        "",
        "Dayparts",
    ]
    for part in report["dayparts"]:
        lines.append(
            f"  {part['daypart']:<14} needs {part['music_needed_s'] / 3600:.2f} h of different music, has "
            f"{part['music_fitting_s'] / 3600:.2f} h in {part['tracks_fitting']} tracks"
            + (f", borrows {part['tracks_borrowed']} from other dayparts" if part["tracks_borrowed"] else "")
        )
        if part["tracks_missing"]:
            lines.append(f"  {'':<14} {part['tracks_missing']} TRACKS SHORT, wanted of:")
            lines += [f"  {'':<16} {count:>4}  {cell}" for cell, count in part["missing_by_cell"].items()]
    lines += ["", "Genres                     wanted   played"]
    for genre in report["genres"]:
        wanted = "      -" if genre["wanted_share"] is None else f"{genre['wanted_share']:>7.0%}"
        lines.append(f"  {genre['genre']:<24} {wanted}  {genre['played_share']:>6.1%}")
    return "\n".join(lines) + "\n"
