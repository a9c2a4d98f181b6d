"""The page of a package that plays it: one file, opened from a disk, nothing fetched from anywhere."""

from __future__ import annotations

import base64
import datetime as dt
import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ace_assets.packages import hours
from ace_assets.packages.names import safe_title
from ace_assets.packages.programme import Programme
from ace_assets.packages.venues import WEEKDAYS

# Spelt here, since the standard library's names follow the machine's language.
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
TEMPLATE = Path(__file__).with_name("player.html")


def player_page(
    programme: Programme,
    tracks: Sequence[Mapping[str, Any]],
    rows: Sequence[Mapping[str, Any]],
    waveforms: Mapping[str, bytes],
    *,
    package_id: str,
    release_id: str,
    marked: bool,
) -> str:
    """Return index.html.

    Args:
        programme: what plays when.
        tracks: the package's table.
        rows: the tracks by the programme's row numbers.
        waveforms: peaks by track id (`Masters.waveform`); a track without any is drawn flat.
        package_id: identity of the package.
        release_id: where the rows come from.
        marked: not for delivery.
    """
    venue = programme.venue
    place = {row["track_id"]: number for number, row in enumerate(tracks)}
    days: list[dt.date] = []
    plays = []
    openings: dict[int, int] = {}
    for entry in programme.entries:
        local = hours.to_local(entry.start_ms, venue.tz)
        # A night that ends after midnight stays with the day on which it began.
        if entry.opening not in openings:
            if not days or days[-1] != local.date():
                days.append(local.date())
            openings[entry.opening] = len(days) - 1
        number = openings[entry.opening]
        while local.date() > days[-1] and _opens_anew(programme, entry.start_ms, local):
            days.append(local.date())
            openings[entry.opening] = number = len(days) - 1
        plays.append(
            [place[rows[entry.track]["track_id"]], local.strftime("%H:%M:%S"), entry.daypart, number, local.weekday()]
        )
    data = {
        "venue": safe_title(venue.name),
        "zone": venue.zone,
        "time_zone": venue.time_zone,
        "facts": f"{len(tracks)} track{'s' * (len(tracks) != 1)}, {len(days)} day{'s' * (len(days) != 1)}, "
        + (
            f"no repeat within {venue.no_repeat_h:g} h"
            if programme.kept
            else f"too few tracks for {venue.no_repeat_h:g} h without a repeat (data/rotation.txt)"
        ),
        "foot": f"Package {package_id}, release {release_id}. Times are those of {venue.time_zone}. "
        "AI-generated music, see data/rights/rights.txt.",
        "marked": marked,
        "dayparts": [part.name for part in venue.dayparts],
        "days": [
            f"{WEEKDAYS[day.weekday()].capitalize()}, {day.day} {MONTHS[day.month - 1]} {day.year}" for day in days
        ],
        "tracks": [
            {
                "id": row["track_id"],
                "title": safe_title(row["title"]),
                "genre": row["genre"],
                "bpm": row["measured_bpm"] if row["measured_bpm"] is not None else row["requested_bpm"],
                "s": row["duration_s"],
                "file": row["file"],
                "wave": base64.b64encode(waveforms.get(row["track_id"], b"")).decode(),
            }
            for row in tracks
        ],
        "plays": plays,
    }
    # A closing tag inside a title must not end the script that holds it.
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    text = text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    page = TEMPLATE.read_text(encoding="utf-8")
    head, tail = page.split("@@DATA@@")
    return head.replace("@@TITLE@@", html.escape(safe_title(venue.name))) + text + tail


def _opens_anew(programme: Programme, start_ms: int, local: dt.datetime) -> bool:
    """Say whether a play belongs to the opening hours of its own date, at a venue that never closes."""
    minute = local.hour * 60 + local.minute
    spans = programme.venue.opening[local.weekday()]
    yesterday = programme.venue.opening[(local.weekday() - 1) % 7]
    if any(span.end_min - 1440 > minute for span in yesterday):
        return False
    return any(span.start_min <= minute < span.end_min for span in spans)
