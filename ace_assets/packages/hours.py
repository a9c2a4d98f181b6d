"""Opening hours and dayparts on the clock that runs evenly: a venue's wall-clock wishes as stretches of elapsed time.

Wall clocks jump twice a year; the no-repeat rule counts hours that really pass. So every stretch here is in
milliseconds since 1970 (UTC), and each keeps the wall clock it came from only for display.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from ace_assets.packages.venues import DAY_MINUTES, Venue

HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Segment:
    """An unbroken stretch of one daypart during opening hours, `[start_ms, end_ms)`.

    `opening` numbers the stretches between which the venue is closed: segments with the same number follow each other
    without a gap.
    """

    daypart: int
    start_ms: int
    end_ms: int
    opening: int


def to_ms(moment: dt.datetime) -> int:
    """Return an aware time as milliseconds since 1970, UTC."""
    return round(moment.timestamp() * 1000)


def to_local(ms: int, tz: dt.tzinfo) -> dt.datetime:
    """Return a point of elapsed time on a wall clock."""
    return dt.datetime.fromtimestamp(ms / 1000, dt.UTC).astimezone(tz)


def local_minute(ms: int, tz: dt.tzinfo) -> float:
    """Return the minute of the day that a wall clock shows."""
    local = to_local(ms, tz)
    return local.hour * 60 + local.minute + local.second / 60


def _moment_ms(day: dt.date, minute: int, tz: dt.tzinfo, *, fold: int) -> int:
    naive = dt.datetime.combine(day, dt.time()) + dt.timedelta(minutes=minute)
    return to_ms(naive.replace(tzinfo=tz, fold=fold))


def segments(venue: Venue, first_day: dt.date) -> list[Segment]:
    """Return the dayparts of the venue's opening hours over its days, in order of time.

    A clock that skips an hour shortens the stretch that holds it, a clock that goes back lengthens it; a closing
    time that happens twice is meant the second time. Spans past midnight belong to the day on which they open.

    Args:
        venue: the wishes.
        first_day: the first day, on the venue's calendar.
    """
    tz = venue.tz
    found: list[Segment] = []
    for index in range(venue.days):
        day = first_day + dt.timedelta(days=index)
        for span in venue.opening[day.weekday()]:
            for number, (left, right, daypart) in enumerate(pieces := _pieces(venue, span.start_min, span.end_min)):
                start = _moment_ms(day, left, tz, fold=0)
                end = _moment_ms(day, right, tz, fold=1 if number == len(pieces) - 1 else 0)
                if found:
                    start = max(start, found[-1].end_ms)
                if end <= start:
                    continue
                follows = bool(found) and found[-1].end_ms == start
                opening = found[-1].opening + (not follows) if found else 0
                found.append(Segment(daypart, start, end, opening))
    return found


def _pieces(venue: Venue, start_min: int, end_min: int) -> list[tuple[int, int, int]]:
    """Cut an opening span at the dayparts' borders: (start, end, daypart) in minutes after the day's midnight."""
    cuts = []
    for number, part in enumerate(venue.dayparts):
        for lap in range(-1, end_min // DAY_MINUTES + 1):
            left = max(start_min, part.span.start_min + lap * DAY_MINUTES)
            right = min(end_min, part.span.end_min + lap * DAY_MINUTES)
            if left < right:
                cuts.append((left, right, number))
    return sorted(cuts)


def busiest_window_ms(stretches: Sequence[Segment], window_ms: int) -> int:
    """Return the most playing time that any window of elapsed time holds.

    This is how much different music the stretches need so that nothing returns within the window: less cannot be
    enough.

    >>> day = [Segment(0, n * 24 * HOUR_MS, (n * 24 + 16) * HOUR_MS, n) for n in range(7)]
    >>> busiest_window_ms(day, 24 * HOUR_MS) // HOUR_MS
    16
    """
    most = 0
    last = 0
    held = 0
    # A busiest window begins where a stretch begins: moving it left from there gains nothing that it does not lose.
    for first, stretch in enumerate(stretches):
        window_end = stretch.start_ms + window_ms
        last = max(last, first)
        while last < len(stretches) and stretches[last].end_ms <= window_end:
            held += stretches[last].end_ms - stretches[last].start_ms
            last += 1
        partial = max(0, window_end - stretches[last].start_ms) if last < len(stretches) else 0
        most = max(most, held + partial)
        if last > first:
            held -= stretch.end_ms - stretch.start_ms
    return most


def longest_window_ms(stretches: Sequence[Segment], music_ms: int, most_ms: int) -> int:
    """Return the longest window, at most `most_ms`, whose busiest place needs no more than `music_ms` of music."""
    if busiest_window_ms(stretches, most_ms) <= music_ms:
        return most_ms
    low, high = 0, most_ms
    while high - low > 1:
        middle = (low + high) // 2
        if busiest_window_ms(stretches, middle) <= music_ms:
            low = middle
        else:
            high = middle
    return low
