"""The programme keeps its promises, says where it cannot, and fills the opening hours and nothing else."""

from __future__ import annotations

import datetime as dt
import itertools
import zoneinfo
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ace_assets.packages import hours, schedule
from ace_assets.packages.programme import Programme, make_programme
from ace_assets.packages.recheck import recheck_rotation
from ace_assets.packages.venues import Venue
from tests.packages.support import frame, row, venue

MONDAY = dt.date(2026, 11, 30)


def played(programme: Programme) -> list[tuple[int, int, int]]:
    return [(entry.track, entry.start_ms, entry.play_ms) for entry in programme.entries]


def breaches_by_hand(programme: Programme, rows: list[dict[str, Any]]) -> Counter[str]:
    """Count every broken rule by comparing each play with each earlier one; knows nothing of how it was made."""
    found: Counter[str] = Counter()
    promise_ms = programme.venue.no_repeat_h * 3_600_000
    entries = programme.entries
    for number, entry in enumerate(entries):
        same = [other for other in entries[:number] if other.track == entry.track]
        if same and entry.start_ms - same[-1].start_ms < promise_ms:
            found["repeat"] += 1
        if number and entries[number - 1].start_ms + entries[number - 1].play_ms == entry.start_ms:
            found["same_prompt"] += rows[entries[number - 1].track]["prompt_id"] == rows[entry.track]["prompt_id"]
        for other in entries[:number]:
            if other.track == entry.track or entry.start_ms - other.start_ms >= 3_600_000:
                continue
            one, two = rows[entry.track], rows[other.track]
            if (one.get("duplicate_of") or one["take_id"]) == (two.get("duplicate_of") or two["take_id"]):
                found["near_duplicate"] += 1
    return +found


def check_by_hand(programme: Programme, rows: list[dict[str, Any]]) -> None:
    assert Counter(b.kind for b in programme.breaches) == breaches_by_hand(programme, rows)
    covered = [(e.start_ms, e.start_ms + e.play_ms) for e in programme.entries]
    for (_, end), (start, _) in itertools.pairwise(covered):
        assert end <= start, "two plays overlap"
    open_ms = sum(stretch.end_ms - stretch.start_ms for stretch in programme.stretches)
    assert sum(end - start for start, end in covered) == open_ms, "the opening hours are filled, and only they"
    for entry in programme.entries:
        assert any(s.start_ms <= entry.start_ms < s.end_ms for s in programme.stretches)
        assert entry.cut == (entry.play_ms < round(rows[entry.track]["duration_s"] * 1000))


# ---- the figures of the issue
# --------------------------------------------------------------------------------------------


def test_320_tracks_of_three_minutes_are_enough_for_16_hours_and_a_24_hour_rule() -> None:
    rows = [row(number) for number in range(320)]
    programme = make_programme(frame(rows), venue(), MONDAY)
    assert programme.missing == 0
    assert programme.kept
    assert programme.repeats_safely
    assert {entry.track for entry in programme.entries} == set(range(320))


def test_300_tracks_are_reported_as_20_short_and_spread_as_far_apart_as_300_can_be() -> None:
    rows = [row(number) for number in range(300)]
    programme = make_programme(frame(rows), venue(), MONDAY)
    assert programme.missing == 20
    assert not programme.kept
    assert {breach.kind for breach in programme.breaches} == {"repeat"}
    # 300 tracks last 15 hours; on a day of 16 the first has to return after 15.
    assert min(breach.apart_ms for breach in programme.breaches) == 15 * hours.HOUR_MS


@pytest.mark.parametrize(("count", "missing"), [(319, 1), (160, 160), (1, 319)])
def test_the_shortage_is_counted_in_tracks(count: int, missing: int) -> None:
    programme = make_programme(frame([row(n) for n in range(count)]), venue(days=2), MONDAY)
    assert programme.missing == missing
    check_by_hand(programme, [row(n) for n in range(count)])


def test_320_tracks_two_from_each_prompt_still_never_meet() -> None:
    rows = [row(n, prompt_id=f"p{n // 2}") for n in range(320)]
    programme = make_programme(frame(rows), venue(), MONDAY)
    assert programme.kept


def test_a_23_hour_day_needs_an_hour_more_of_different_music_and_says_so() -> None:
    place = venue(time_zone="Europe/Vienna", days=2)
    spring = dt.date(2026, 3, 28)  # the clocks go forward in the following night
    short = make_programme(frame([row(n) for n in range(320)]), place, spring)
    assert short.missing == 20
    enough = make_programme(frame([row(n) for n in range(340)]), place, spring)
    assert enough.missing == 0
    assert enough.kept


def test_a_25_hour_day_is_filled_for_25_hours() -> None:
    place = venue(
        time_zone="Europe/Vienna", days=1, opening_hours={"daily": "00:00-24:00"}, dayparts={"day": "00:00-24:00"}
    )
    rows = [row(n) for n in range(500)]
    programme = make_programme(frame(rows), place, dt.date(2026, 10, 25))
    assert sum(entry.play_ms for entry in programme.entries) == 25 * hours.HOUR_MS
    check_by_hand(programme, rows)


def test_a_thousand_of_one_cell_take_no_time_and_keep_the_genre_shares() -> None:
    rows = [row(n, genre="jazz" if n % 2 else "bossa") for n in range(1000)]
    programme = make_programme(frame(rows), venue(genre_shares={"jazz": 0.25}), MONDAY)
    jazz = sum(entry.play_ms for entry in programme.entries if rows[entry.track]["genre"] == "jazz")
    assert jazz / sum(entry.play_ms for entry in programme.entries) == pytest.approx(0.25, abs=0.03)


def test_the_energy_curve_is_followed() -> None:
    rows = [row(n) for n in range(2000)]
    place = venue(energy_curve={"06:00": 1, "22:00": 5})
    programme = make_programme(frame(rows), place, MONDAY)
    morning = [rows[e.track]["energy"] for e in programme.entries if hours.local_minute(e.start_ms, place.tz) < 8 * 60]
    late = [rows[e.track]["energy"] for e in programme.entries if hours.local_minute(e.start_ms, place.tz) > 20 * 60]
    assert sum(morning) / len(morning) < 2.0
    assert sum(late) / len(late) > 4.0


def test_tempo_flows_from_track_to_track() -> None:
    rows = [row(n, measured_bpm=60.0 + 37 * n % 120) for n in range(1500)]
    programme = make_programme(frame(rows), venue(days=2), MONDAY)
    steps = [
        abs(rows[a.track]["measured_bpm"] - rows[b.track]["measured_bpm"])
        for a, b in itertools.pairwise(programme.entries)
    ]
    assert sum(steps) / len(steps) < 12  # a random order steps by 40


def test_a_short_daypart_borrows_from_one_that_can_spare_and_still_reports_what_is_missing() -> None:
    place = venue(dayparts={"morning": "06:00-14:00", "evening": "14:00-22:00"}, days=2)
    rows = [row(n, daypart="morning" if n < 300 else "evening") for n in range(350)]
    programme = make_programme(frame(rows), place, MONDAY)
    assert programme.kept
    by_name = {place.dayparts[s.daypart].name: s for s in programme.supplies}
    assert by_name["evening"].missing == 110
    assert by_name["evening"].borrowed == 110
    assert by_name["morning"].missing == 0


def test_a_track_that_fits_two_dayparts_goes_where_it_is_needed() -> None:
    parts = {
        "day": {"hours": "06:00-14:00", "accepts": ["day", "any"]},
        "late": {"hours": "14:00-22:00", "accepts": ["any"]},
    }
    rows = [row(n, daypart="any") for n in range(160)] + [row(n, daypart="day") for n in range(160, 320)]
    programme = make_programme(frame(rows), venue(dayparts=parts), MONDAY)
    assert programme.kept
    assert programme.missing == 0


def test_tracks_beyond_the_venues_limit_stay_out_and_those_already_delivered_stay_in() -> None:
    rows = [row(n) for n in range(900)]
    there = frozenset(r["track_id"] for r in rows[500:800])
    programme = make_programme(frame(rows), venue(max_tracks=400), MONDAY, already_there=there)
    used = {rows[entry.track]["track_id"] for entry in programme.entries}
    assert len(used) <= 400
    assert there <= used
    assert programme.kept


def test_a_limit_below_what_the_promise_needs_gives_way() -> None:
    programme = make_programme(frame([row(n) for n in range(900)]), venue(max_tracks=10), MONDAY)
    assert programme.kept


@pytest.mark.parametrize("count", [400, 640])
def test_a_week_with_some_music_to_spare_may_be_started_again(count: int) -> None:
    place = venue(dayparts={"early": "06:00-13:00", "late": "13:00-22:00"}, energy_curve={"06:00": 1, "20:00": 5})
    rows = [row(n, daypart="early" if n % 16 < 7 else "late") for n in range(count)]
    programme = make_programme(frame(rows), place, dt.date(2026, 6, 3))
    assert programme.kept
    assert programme.repeats_safely


def test_the_same_rows_give_the_same_programme() -> None:
    rows = [row(n, prompt_id=f"p{n // 3}") for n in range(330)]
    one, two = (make_programme(frame(rows), venue(), MONDAY) for _ in range(2))
    assert one == two


def test_no_track_at_all_gives_an_empty_programme_that_says_what_is_missing() -> None:
    programme = make_programme(frame([]), venue(), MONDAY)
    assert programme.entries == ()
    assert programme.missing == 320


# ---- random catalogs and venues
# ------------------------------------------------------------------------------------------

ZONES_AND_DAYS = [
    ("Asia/Bangkok", dt.date(2026, 11, 30)),
    ("Europe/Vienna", dt.date(2026, 3, 28)),  # forward in the night to the 29th
    ("Europe/Vienna", dt.date(2026, 10, 24)),  # back in the night to the 25th
    ("America/New_York", dt.date(2026, 10, 31)),
    ("Australia/Lord_Howe", dt.date(2026, 4, 4)),  # back by half an hour
    ("Asia/Kathmandu", dt.date(2026, 6, 1)),
]


@st.composite
def spans(draw: st.DrawFn) -> str:
    start = draw(st.integers(0, 23 * 4 + 3)) * 15
    length = draw(st.integers(1, 24)) * 60
    end = start + min(length, 24 * 60)
    return f"{start // 60:02d}:{start % 60:02d}-{end // 60 % 24:02d}:{end % 60:02d}"


@st.composite
def places(draw: st.DrawFn) -> tuple[Venue, dt.date]:
    zone, day = draw(st.sampled_from(ZONES_AND_DAYS))
    opening = draw(spans())
    if opening.split("-")[0] == opening.split("-")[1]:
        opening = "00:00-24:00"
    cut = draw(st.integers(1, 23))
    parts: dict[str, Any] = {"early": f"00:00-{cut:02d}:00", "late": f"{cut:02d}:00-24:00"}
    if draw(st.booleans()):
        parts["late"] = {"hours": parts["late"], "accepts": ["early", "late"]}
    return venue(
        time_zone=zone,
        days=draw(st.integers(1, 3)),
        opening_hours={"daily": opening},
        dayparts=parts,
        no_repeat_hours=draw(st.sampled_from([0, 1, 3.5, 12, 24, 36])),
        energy_curve=draw(st.sampled_from([{}, {"06:00": 1, "18:00": 5}])),
    ), day


@st.composite
def catalogs(draw: st.DrawFn) -> list[dict[str, Any]]:
    count = draw(st.integers(1, 60))
    per_prompt = draw(st.integers(1, 4))
    twins = draw(st.integers(1, 5))
    lengths = draw(st.lists(st.integers(300_000, 1_500_000), min_size=1, max_size=6))
    return [
        row(
            n,
            daypart=draw(st.sampled_from(["early", "late"])),
            prompt_id=f"p{n // per_prompt}",
            duplicate_of=f"take-{n // twins * twins:06d}" if n % twins else None,
            duration_s=lengths[n % len(lengths)] / 1000,
        )
        for n in range(count)
    ]


@settings(max_examples=14, deadline=None, suppress_health_check=list(HealthCheck))
@given(places(), catalogs())
def test_every_programme_fills_the_hours_and_confesses_exactly_what_it_breaks(
    place_and_day: tuple[Venue, dt.date], rows: list[dict[str, Any]]
) -> None:
    place, day = place_and_day
    programme = make_programme(frame(rows), place, day)
    check_by_hand(programme, rows)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(places(), st.lists(st.integers(300_000, 1_500_000), min_size=1, max_size=6))
def test_a_catalog_with_enough_music_always_keeps_the_promise(
    place_and_day: tuple[Venue, dt.date], lengths: list[int]
) -> None:
    place, day = place_and_day
    stretches = hours.segments(place, day)
    promise_ms = round(place.no_repeat_h * hours.HOUR_MS)
    rows = []
    for number, name in enumerate(("early", "late")):
        own = [stretch for stretch in stretches if stretch.daypart == number]
        # What the busiest window holds, and one track more for each border at which one is cut or runs over.
        borders = 2 * (2 + int(place.no_repeat_h // 24)) + 2
        wanted_ms = hours.busiest_window_ms(own, promise_ms) + borders * max(lengths)
        while wanted_ms > 0:
            length_ms = lengths[len(rows) % len(lengths)]
            rows.append(row(len(rows), daypart=name, duration_s=length_ms / 1000))
            wanted_ms -= length_ms
    programme = make_programme(frame(rows), place, day)
    assert programme.kept
    assert programme.missing == 0
    check_by_hand(programme, rows)


@settings(max_examples=14, deadline=None, suppress_health_check=list(HealthCheck))
@given(places(), catalogs(), st.booleans())
def test_what_a_programme_claims_is_what_its_schedule_says_when_it_is_recomputed(
    place_and_day: tuple[Venue, dt.date], rows: list[dict[str, Any]], chained: bool
) -> None:
    place, day = place_and_day
    if chained:  # near-duplicates of near-duplicates
        for before, one in itertools.pairwise(rows):
            if one["duplicate_of"]:
                one["duplicate_of"] = before["take_id"]
    programme = make_programme(frame(rows), place, day)
    tracks = [{**one, "file": f"data/audio/{one['track_id']}.mp3"} for one in rows]
    plays = schedule.schedule_rows(programme, rows, {one["track_id"]: one["file"] for one in tracks})
    claims = {
        "venue_settings": place.facts(),
        "promise_kept": programme.kept,
        "may_repeat_weekly": programme.repeats_safely,
    }
    assert list(recheck_rotation(claims, tracks, plays)) == []
    if not programme.kept:
        assert list(recheck_rotation({**claims, "promise_kept": True}, tracks, plays)) != []


# ---- an exhaustive search on small ones
# ----------------------------------------------------------------------------------


def any_programme_exists(programme: Programme, rows: list[dict[str, Any]]) -> bool:
    """Try every order of play; True where one keeps all rules."""
    place, stretches = programme.venue, programme.stretches
    promise_ms = round(place.no_repeat_h * 3_600_000)

    def extend(path: list[tuple[int, int, int]]) -> bool:
        end = path[-1][1] + path[-1][2] if path else stretches[0].start_ms
        ahead = [s for s in stretches if s.end_ms > end]
        if not ahead:
            return True
        here = ahead[0]
        start = max(end, here.start_ms)
        closing = max(s.end_ms for s in stretches if s.opening == here.opening)
        for number, one in enumerate(rows):
            if one["daypart"] not in place.dayparts[here.daypart].accepts:
                continue
            if any(t == number and start - s < promise_ms for t, s, _ in path):
                continue
            if path and start == end and start > here.start_ms - 1:
                before = next(s for s in reversed(stretches) if s.start_ms <= path[-1][1])
                if before.opening == here.opening and rows[path[-1][0]]["prompt_id"] == one["prompt_id"]:
                    continue
            if any(
                t != number
                and start - s < 3_600_000
                and (rows[t].get("duplicate_of") or rows[t]["take_id"]) == (one.get("duplicate_of") or one["take_id"])
                for t, s, _ in path
            ):
                continue
            length = min(round(one["duration_s"] * 1000), closing - start)
            if extend([*path, (number, start, length)]):
                return True
        return False

    return extend([])


@settings(max_examples=45, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["early", "late"]),
            st.integers(0, 2),
            st.sampled_from([1200, 1200, 1800, 2400]),
            st.integers(0, 5),
        ),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from([0, 0.5, 1, 2, 24]),
    st.booleans(),
    st.integers(1, 2),
)
def test_a_small_catalog_keeps_every_rule_whenever_any_order_of_play_does(
    made: list[tuple[str, int, int, int]], no_repeat_hours: float, late_takes_all: bool, days: int
) -> None:
    place = venue(
        days=days,
        opening_hours={"daily": "11:00-13:00"},
        dayparts={
            "early": "08:00-12:00",
            "late": {"hours": "12:00-20:00", "accepts": ["early", "late"] if late_takes_all else ["late"]},
        },
        no_repeat_hours=no_repeat_hours,
    )
    rows = [
        row(
            n,
            daypart=part,
            prompt_id=f"p{prompt}",
            duration_s=float(length),
            duplicate_of=None if twin else "take-000000",
        )
        for n, (part, prompt, length, twin) in enumerate(made)
    ]
    programme = make_programme(frame(rows), place, MONDAY)
    check_by_hand(programme, rows)
    strict = [e for e in programme.entries if rows[e.track]["daypart"] in place.dayparts[e.daypart].accepts]
    fitting = len(strict) == len(programme.entries)
    assert any_programme_exists(programme, rows) == (programme.kept and fitting)
    if programme.kept and fitting:
        assert programme.missing == 0


def test_lord_howes_half_hour_is_counted_as_half_an_hour() -> None:
    zone = zoneinfo.ZoneInfo("Australia/Lord_Howe")
    place = venue(
        time_zone="Australia/Lord_Howe", days=1, opening_hours={"daily": "00:00-24:00"}, dayparts={"day": "00:00-24:00"}
    )
    stretches = hours.segments(place, dt.date(2026, 4, 5))
    assert sum(s.end_ms - s.start_ms for s in stretches) == 24.5 * hours.HOUR_MS
    assert hours.to_local(stretches[0].start_ms, zone).isoformat() == "2026-04-05T00:00:00+11:00"
