"""The venues file is read strictly, and every error says where, what and what to do."""

from __future__ import annotations

import copy
import datetime as dt
import itertools
from pathlib import Path
from typing import Any

import pytest

from ace_assets import shipped
from ace_assets.errors import ConfigError
from ace_assets.packages import hours
from ace_assets.packages.venues import Venue, parse_venues, read_venues, venue_named
from tests.packages.support import venue

GOOD: dict[str, Any] = {
    "name": "Spa",
    "zone": "spa",
    "time_zone": "Asia/Bangkok",
    "opening_hours": {"daily": "09:00-21:00", "sunday": "closed"},
    "dayparts": {"day": "09:00-15:00", "late": {"hours": "15:00-21:00", "accepts": ["evening", "night"]}},
    "energy_curve": {"09:00": 1, "18:00": 2.5},
    "genre_shares": {"ambient": 0.5, "drone": 0},
}


def read(**changes: Any) -> Venue:
    return parse_venues({"venues": {"spa-one": {**copy.deepcopy(GOOD), **changes}}})["spa-one"]


def test_the_shipped_file_holds_a_venue_of_every_zone() -> None:
    venues = read_venues(shipped.path("config") / "venues.toml")
    assert {venue.zone for venue in venues.values()} == {"lobby", "retail", "spa"}


def test_every_daypart_of_the_shipped_venues_is_one_that_the_shipped_matrix_makes_music_for() -> None:
    matrix = (shipped.path("config") / "genre_matrix.csv").read_text().splitlines()[1:]
    made = {tuple(line.split(",")[:3:2]) for line in matrix}
    for place in read_venues(shipped.path("config") / "venues.toml").values():
        for part in place.dayparts:
            for name in part.accepts:
                assert (place.zone, name) in made


def test_defaults_are_a_week_of_mp3_and_a_24_hour_promise() -> None:
    place = read()
    assert (place.days, place.format, place.bit_rate_kbps, place.no_repeat_h) == (7, "mp3", 320, 24.0)
    assert place.loudness_offset_lu == 0.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"time_zone": "Asia/Bankok"}, r"spa-one\] time_zone: Asia/Bankok, .*did you mean Asia/Bangkok"),
        ({"time_zone": "../../etc/passwd"}, "an IANA time zone"),
        ({"format": "mp4"}, "format: mp4, expected one of mp3, flac, wav; did you mean mp3"),
        ({"bit_rate_kbps": 300}, "bit_rate_kbps: 300, expected one of 128"),
        ({"bit_rate_kbps": True}, "bit_rate_kbps: True, expected a whole number"),
        ({"loudness_offset_lu": float("nan")}, "loudness_offset_lu: nan, expected a number from -12 to 6"),
        ({"no_repeat_hours": -1}, "no_repeat_hours: -1, expected a number from 0"),
        ({"days": 0}, "days: 0, expected a whole number from 1 to 35"),
        ({"zone": ""}, "zone: , expected a text"),
        ({"nmae": "x"}, "key: nmae, expected one of .*; did you mean name"),
        ({"opening_hours": {"daily": "9-21"}}, r'\[opening_hours\] daily: 9-21, expected a time span like "09:00-18:30"'),
        ({"opening_hours": {"daily": "25:00-26:00"}}, "daily: 25:00-26:00"),
        ({"opening_hours": {"daily": "09:00-09:00"}}, "daily: 09:00-09:00"),
        ({"opening_hours": {"monday": "09:00-21:00"}}, r"\[opening_hours\] tuesday: missing"),
        ({"opening_hours": {"daily": "closed"}}, "closed on every day"),
        ({"opening_hours": {"daily": "09:00-21:00", "mondey": "closed"}}, "did you mean monday"),
        ({"opening_hours": {"daily": ["09:00-13:00", "12:00-21:00"]}}, "do not overlap"),
        (
            {"opening_hours": {"daily": "18:00-10:00", "monday": "09:00-21:00"}, "dayparts": {"all": "00:00-24:00"}},
            "monday: opens at 09:00 while the hours of sunday last until 10:00",
        ),
        ({"dayparts": {}}, r"\[dayparts\]: missing"),
        ({"dayparts": {"day": "09:00-15:00", "late": "14:00-21:00"}}, r"no overlap with day \(both hold 14:00\)"),
        ({"dayparts": {"day": "09:00-15:00"}}, "no daypart holds 15:00, expected dayparts that cover"),
        ({"dayparts": {"Day!": "09:00-21:00"}}, "expected a name like late-night"),
        ({"dayparts": {"day": {"hours": "09:00-21:00", "accept": []}}}, "did you mean accepts"),
        ({"energy_curve": {"9 am": 1}}, r"\[energy_curve\] key: 9 am"),
        ({"energy_curve": {"09:00": 7}}, "09:00: 7, expected a number from 1 to 5"),
        ({"genre_shares": {"a": 0.7, "b": 0.5}}, r"\[genre_shares\]: sum 1.2, expected at most 1"),
        ({"cells_exclude": "x"}, 'cells_exclude: x, expected a list of texts'),
        ({"dayparts": "x"}, "expected a table"),
    ],
)  # fmt: skip
def test_each_mistake_has_one_line_that_says_where_and_what_to_do(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        read(**changes)
    assert "\n" not in str(caught.value)
    assert "spa-one" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[venues.a\n", "valid TOML"),
        (b"\xff\xfe", "UTF-8"),
        (b"", "venues: missing"),
        (b"[venues]", "at least one venue"),
        (b"[shops.a]", "did you mean venues|expected one of venues"),
        (b"[venues.A_B]\nname='x'", "rename the table"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "venues.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read_venues(file)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a readable TOML file"):
        read_venues(tmp_path / "venues.toml")


def test_an_unknown_venue_names_the_nearest() -> None:
    venues = parse_venues({"venues": {"spa-one": GOOD}})
    with pytest.raises(ConfigError, match="did you mean spa-one"):
        venue_named(venues, "spa-on")


def test_the_energy_curve_runs_on_straight_lines_and_round_midnight() -> None:
    place = venue(energy_curve={"06:00": 1, "18:00": 5})
    assert place.energy_at(12 * 60) == 3.0
    assert place.energy_at(0) == 3.0
    assert place.energy_at(6 * 60) == 1.0
    assert venue().energy_at(0) is None


# ---- the clock
# -----------------------------------------------------------------------------------------------------------


def night_club(**changes: Any) -> Venue:
    return venue(
        time_zone="Europe/Vienna",
        opening_hours={"daily": "20:00-03:00"},
        dayparts={"evening": "18:00-23:00", "night": "23:00-06:00"},
        **changes,
    )


def lengths_h(place: Venue, day: dt.date) -> list[float]:
    return [(s.end_ms - s.start_ms) / hours.HOUR_MS for s in hours.segments(place, day)]


def test_hours_past_midnight_belong_to_the_day_on_which_they_open() -> None:
    place = night_club(days=1)
    assert lengths_h(place, dt.date(2026, 6, 1)) == [3.0, 4.0]
    last = hours.segments(place, dt.date(2026, 6, 1))[-1]
    assert hours.to_local(last.end_ms, place.tz).isoformat() == "2026-06-02T03:00:00+02:00"


def test_a_night_in_which_the_clock_goes_forward_is_an_hour_shorter() -> None:
    assert lengths_h(night_club(days=1), dt.date(2026, 3, 28)) == [3.0, 3.0]


def test_a_night_in_which_the_clock_goes_back_is_an_hour_longer() -> None:
    assert lengths_h(night_club(days=1), dt.date(2026, 10, 24)) == [3.0, 5.0]


def test_a_place_that_never_closes_has_no_gap_over_any_change_of_clocks() -> None:
    place = venue(
        time_zone="America/New_York",
        days=3,
        opening_hours={"daily": "00:00-24:00"},
        dayparts={"a": "05:00-12:00", "b": "12:00-05:00"},
    )
    for day in (dt.date(2026, 3, 7), dt.date(2026, 10, 31)):
        found = hours.segments(place, day)
        assert all(one.end_ms == other.start_ms for one, other in itertools.pairwise(found))
        assert {segment.opening for segment in found} == {0}


def test_closed_days_and_lunch_breaks_separate_openings() -> None:
    place = read(days=7, opening_hours={"daily": ["09:00-12:00", "13:00-18:00"], "sunday": "closed"})
    found = hours.segments(place, dt.date(2026, 6, 1))
    assert found[-1].opening == 11


def test_the_busiest_window_is_found_wherever_it_lies() -> None:
    place = read(days=7, opening_hours={"daily": "09:00-12:00", "friday": "09:00-21:00", "saturday": "09:00-19:00"})
    found = hours.segments(place, dt.date(2026, 6, 1))
    brute = max(
        sum(max(0, min(s.end_ms, start + 24 * hours.HOUR_MS) - max(s.start_ms, start)) for s in found)
        for start in range(found[0].start_ms, found[-1].end_ms, hours.HOUR_MS // 4)
    )
    assert hours.busiest_window_ms(found, 24 * hours.HOUR_MS) == brute
