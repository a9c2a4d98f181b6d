"""The venues file: what each customer's place wants to hear, when, and in which form.

Reading is strict and every error names file, venue, key, value and remedy. Times are the venue's own wall clock,
kept as minutes after local midnight; `ace_assets.packages.hours` turns them into elapsed time. Nothing here knows a
track.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import re
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ace_assets.errors import ConfigError
from ace_assets.toml_section import Section, did_you_mean, read_toml

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DAY_MINUTES = 24 * 60
WEEK_MINUTES = 7 * DAY_MINUTES
FORMATS = ("mp3", "flac", "wav")
MP3_BIT_RATES_KBPS = (128, 160, 192, 224, 256, 320)  # MPEG-1 layer III rates that a venue's player is worth sending
VENUE_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
VENUE_ID_MAX_CHARS = 60
CLOCK = re.compile(r"(\d{2}):(\d{2})")
DEFAULT_NO_REPEAT_H = 24.0
DEFAULT_DAYS = 7


@dataclass(frozen=True)
class Span:
    """A stretch of wall-clock time in minutes after local midnight of its day; `end_min` may lie past midnight."""

    start_min: int
    end_min: int


@dataclass(frozen=True)
class Daypart:
    """A named part of the day.

    `accepts` are the matrix dayparts whose tracks fit it.
    """

    name: str
    span: Span
    accepts: tuple[str, ...]


@dataclass(frozen=True)
class Venue:
    """One place and its wishes."""

    venue_id: str
    name: str
    zone: str
    brand: str
    time_zone: str
    days: int
    format: str
    bit_rate_kbps: int
    loudness_offset_lu: float
    no_repeat_h: float
    max_tracks: int
    opening: tuple[tuple[Span, ...], ...]
    dayparts: tuple[Daypart, ...]
    energy_curve: tuple[tuple[int, float], ...]
    genre_shares: tuple[tuple[str, float], ...]
    cells_include: tuple[str, ...]
    cells_exclude: tuple[str, ...]

    @property
    def tz(self) -> dt.tzinfo:
        """The time zone."""
        return zoneinfo.ZoneInfo(self.time_zone)

    def facts(self) -> dict[str, Any]:
        """Return the wishes as JSON values: what a package's identity depends on."""
        return dataclasses.asdict(self)

    def energy_at(self, minute: float) -> float | None:
        """Return the energy wanted at a minute of the day, on straight lines between the curve's points.

        The curve goes round midnight: after its last point it runs towards its first. None where no curve is given.
        """
        points = self.energy_curve
        if not points:
            return None
        minute %= DAY_MINUTES
        laps = [
            (points[-1][0] - DAY_MINUTES, points[-1][1]),
            *points,
            (points[0][0] + DAY_MINUTES, points[0][1]),
        ]
        for (left, low), (right, high) in itertools.pairwise(laps):
            if left <= minute <= right:
                return low if right == left else low + (high - low) * (minute - left) / (right - left)
        return points[-1][1]


def clock(minute: int) -> str:
    """Return minutes after midnight as people write them.

    >>> clock(1500)
    '01:00'
    """
    return f"{minute // 60 % 24:02d}:{minute % 60:02d}"


def _minute(text: str, *, last: bool) -> int | None:
    match = CLOCK.fullmatch(text.strip())
    if match is None:
        return None
    hours, minutes = int(match[1]), int(match[2])
    if minutes > 59 or hours > 24 or (hours == 24 and (minutes or not last)):
        return None
    return hours * 60 + minutes


def _span(section: Section, key: str, text: object) -> Span:
    expected = 'a time span like "09:00-18:30", or "18:00-02:00" past midnight'
    error = ConfigError(f"{section.where} {key}", value=text, expected=expected, remedy="correct it")
    if not isinstance(text, str) or text.count("-") != 1:
        raise error
    left, right = text.split("-")
    start, end = _minute(left, last=False), _minute(right, last=True)
    if start is None or end is None or start == end:
        raise error
    return Span(start, end if end > start else end + DAY_MINUTES)


def _opening(section: Section) -> tuple[tuple[Span, ...], ...]:
    section.only(*WEEKDAYS, "daily")
    days: list[tuple[Span, ...]] = []
    for day in WEEKDAYS:
        key = day if day in section.data else "daily"
        if key not in section.data:
            raise section.bad(day, 'opening hours like "09:00-18:30", or "closed"')
        value = section.data[key]
        spans = [] if value in ("closed", []) else value if isinstance(value, list) else [value]
        days.append(tuple(sorted((_span(section, key, text) for text in spans), key=lambda s: s.start_min)))
    if not any(days):
        raise ConfigError(section.where, value="closed on every day", expected="opening hours", remedy="add some")
    week = sorted(
        (index * DAY_MINUTES + span.start_min, index * DAY_MINUTES + span.end_min, WEEKDAYS[index])
        for index, spans in enumerate(days)
        for span in spans
    )
    wrapped = [*week, (week[0][0] + WEEK_MINUTES, week[0][1] + WEEK_MINUTES, week[0][2])]
    for (_, end, day), (start, _, next_day) in itertools.pairwise(wrapped):
        if start < end:
            raise ConfigError(
                f"{section.where} {next_day}",
                value=f"opens at {clock(start)} while the hours of {day} last until {clock(end)}",
                expected="opening hours that do not overlap",
                remedy="shorten one of them",
            )
    return tuple(days)


def _dayparts(section: Section, opening: tuple[tuple[Span, ...], ...]) -> tuple[Daypart, ...]:
    if not section.data:
        raise ConfigError(section.where, value="missing", expected="at least one daypart", remedy="add one")
    found: list[Daypart] = []
    owner: list[str | None] = [None] * DAY_MINUTES
    for name, value in section.data.items():
        if VENUE_ID.fullmatch(name) is None:
            raise ConfigError(
                f"{section.where} key", value=name, expected="a name like late-night", remedy="use a-z, 0-9 and -"
            )
        inner = Section({"hours": value} if isinstance(value, str) else value, f"{section.where}.{name}")
        inner.only("hours", "accepts")
        span = _span(inner, "hours", inner.text("hours"))
        found.append(Daypart(name, span, inner.texts("accepts") or (name,)))
        for minute in range(span.start_min, span.end_min):
            other = owner[minute % DAY_MINUTES]
            if other is not None:
                raise ConfigError(
                    f"{section.where}.{name} hours",
                    value=inner.data["hours"],
                    expected=f"no overlap with {other} (both hold {clock(minute)})",
                    remedy="shorten one of them",
                )
            owner[minute % DAY_MINUTES] = name
    for day, spans in zip(WEEKDAYS, opening, strict=True):
        for span in spans:
            for minute in range(span.start_min, span.end_min):
                if owner[minute % DAY_MINUTES] is None:
                    raise ConfigError(
                        section.where,
                        value=f"no daypart holds {clock(minute)}",
                        expected=f"dayparts that cover the opening hours of {day}",
                        remedy="lengthen a daypart or add one",
                    )
    return tuple(sorted(found, key=lambda part: part.span.start_min))


def _energy_curve(section: Section) -> tuple[tuple[int, float], ...]:
    points = []
    for key in section.data:
        minute = _minute(key, last=False)
        if minute is None:
            raise ConfigError(f"{section.where} key", value=key, expected='a time like "09:00"', remedy="correct it")
        points.append((minute, section.number(key, low=1.0, high=5.0, default=1.0)))
    return tuple(sorted(points))


def _genre_shares(section: Section) -> tuple[tuple[str, float], ...]:
    shares = tuple((genre, section.number(genre, low=0.0, high=1.0, default=0.0)) for genre in sorted(section.data))
    total = sum(share for _, share in shares)
    if shares and total > 1.0 + 1e-9:
        raise ConfigError(section.where, value=f"sum {total:g}", expected="at most 1", remedy="lower some shares")
    return shares


KEYS = (
    "name", "zone", "brand", "time_zone", "days", "format", "bit_rate_kbps", "loudness_offset_lu", "no_repeat_hours",
    "max_tracks", "cells_include", "cells_exclude", "opening_hours", "dayparts", "energy_curve", "genre_shares",
)  # fmt: skip


def parse_venue(venue_id: str, section: Section) -> Venue:
    """Return one venue from its table.

    Raises:
        ConfigError: names the file, the venue, the key, the value and the remedy.
    """
    if VENUE_ID.fullmatch(venue_id) is None or len(venue_id) > VENUE_ID_MAX_CHARS:
        raise ConfigError(
            f"{section.where} name",
            value=venue_id,
            expected=f"a-z, 0-9 and single hyphens, at most {VENUE_ID_MAX_CHARS} characters",
            remedy="rename the table",
        )
    section.only(*KEYS)
    zone = section.text("zone")
    time_zone = section.text("time_zone")
    try:
        zoneinfo.ZoneInfo(time_zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        remedy = did_you_mean(time_zone, zoneinfo.available_timezones(), "choose one like Europe/Vienna")
        raise section.bad("time_zone", "an IANA time zone", remedy) from error
    bit_rate_kbps = section.count("bit_rate_kbps", low=1, high=10_000, default=320)
    if bit_rate_kbps not in MP3_BIT_RATES_KBPS:
        raise section.bad("bit_rate_kbps", "one of " + ", ".join(map(str, MP3_BIT_RATES_KBPS)), "choose one")
    opening = _opening(section.section("opening_hours"))
    return Venue(
        venue_id=venue_id,
        name=section.text("name"),
        zone=zone,
        brand=section.text("brand", ""),
        time_zone=time_zone,
        days=section.count("days", low=1, high=35, default=DEFAULT_DAYS),
        format=section.choice("format", FORMATS, "mp3"),
        bit_rate_kbps=bit_rate_kbps,
        loudness_offset_lu=section.number("loudness_offset_lu", low=-12.0, high=6.0, default=0.0),
        no_repeat_h=section.number("no_repeat_hours", low=0.0, high=24.0 * 35, default=DEFAULT_NO_REPEAT_H),
        max_tracks=section.count("max_tracks", low=0, high=100_000, default=0),
        opening=opening,
        dayparts=_dayparts(section.section("dayparts"), opening),
        energy_curve=_energy_curve(section.section("energy_curve", required=False)),
        genre_shares=_genre_shares(section.section("genre_shares", required=False)),
        cells_include=section.texts("cells_include"),
        cells_exclude=section.texts("cells_exclude"),
    )


def parse_venues(data: Mapping[str, Any], *, file_name: str = "venues.toml") -> dict[str, Venue]:
    """Return every venue of a parsed file, by id.

    Raises:
        ConfigError: the first entry that cannot be used.
    """
    top = Section(dict(data), file_name)
    top.only("venues")
    table = top.section("venues")
    if not table.data:
        raise ConfigError(f"{file_name} venues", value="empty", expected="at least one venue", remedy="add one")
    return {
        venue_id: parse_venue(venue_id, Section(entry, f"{file_name} [venues.{venue_id}]"))
        for venue_id, entry in table.data.items()
    }


def read_venues(file: Path) -> dict[str, Venue]:
    """Return every venue of a file, by id, in the file's order.

    Raises:
        ConfigError: the file or an entry cannot be used.
    """
    return parse_venues(read_toml(file), file_name=file.name)


def venue_named(venues: Mapping[str, Venue], venue_id: str) -> Venue:
    """Return the venue with this id.

    Raises:
        ConfigError: there is none; names the nearest.
    """
    if venue_id not in venues:
        raise ConfigError(
            "venue",
            value=venue_id,
            expected="one of " + ", ".join(venues),
            remedy=did_you_mean(venue_id, venues, "correct the name or add it to venues.toml"),
        )
    return venues[venue_id]
