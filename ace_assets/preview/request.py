"""What the preview engine is asked for: one piece of music, already in plain units."""

from __future__ import annotations

from dataclasses import dataclass

GRID_S = 0.04  # the real server delivers lengths in steps of 40 ms
SHORTEST_S = 5.12  # shorter requests come back this long
LONGEST_S = 600.0
BEATS_PER_BAR = (2, 3, 4, 6)


@dataclass(frozen=True)
class MusicRequest:
    """One take to be rendered.

    Attributes:
        caption: what the music is like, in words; chooses style and instruments.
        bpm: beats per minute, 30-300; None lets the style choose.
        key: e.g. "A minor"; empty or unreadable lets the seed choose.
        beats_per_bar: 2, 3, 4 or 6 (six beats in two groups of three).
        duration_s: length wanted, in seconds; delivered on a 40 ms grid.
        seed: the same request and seed give the same notes.
    """

    caption: str = ""
    bpm: float | None = None
    key: str = ""
    beats_per_bar: int = 4
    duration_s: float = 30.0
    seed: int = 0


def delivered_duration_s(requested_s: float) -> float:
    """Return the length in seconds that a request yields: on the 40 ms grid, never under 5.12 s or over 600 s.

    >>> delivered_duration_s(9.99), delivered_duration_s(0.5), delivered_duration_s(123.456)
    (10.0, 5.12, 123.44)
    """
    steps = round(min(max(requested_s, SHORTEST_S), LONGEST_S) / GRID_S)
    return round(steps * GRID_S, 2)
