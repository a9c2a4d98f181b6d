"""A job on a server, what becomes of it, and the pace at which a server finishes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ace_assets.acestep.audio_check import AudioFacts
from ace_assets.acestep.capabilities import Capabilities
from ace_assets.acestep.pool import Job
from ace_assets.acestep.replies import ResultItem
from ace_assets.acestep.watch import Sightings


@dataclass(eq=False)
class Flight:
    """A job on a server.

    Attributes:
        job: what is to be made.
        task_id: the server's name for it.
        seen: what polling saw of it.
        submitted_at_s: when the server accepted it.
        adopted_at_s: when this run took it over from an earlier one; None for what this run submitted.
        asked: this run has polled it.
    """

    job: Job
    task_id: str
    seen: Sightings
    submitted_at_s: float
    adopted_at_s: float | None = None
    asked: bool = False

    @property
    def watched_from_s(self) -> float:
        """When this run began to watch it."""
        return self.submitted_at_s if self.adopted_at_s is None else self.adopted_at_s


@dataclass(frozen=True)
class Landed:
    """A verified take, ready to be stored."""

    job: Job
    path: Path
    sha256: str
    audio: AudioFacts
    item: ResultItem
    queue_s: float | None
    server_s: float | None
    capabilities: Capabilities


@dataclass
class Pace:
    """How fast a server finishes our jobs, learnt while it works.

    Attributes:
        seconds: between two finishes, on average; None before the first.
        shortest_s: the same, where a shorter time is believed at once: other runs' jobs and late polls only make the time
            between two finishes longer than a job needs. It says when to look, not when to give up.
        measured: how many finishes told it.
        last_done_s: when the last one was seen.
    """

    seconds: float | None = None
    shortest_s: float | None = None
    measured: int = 0
    last_done_s: float | None = None

    @property
    def look_after_s(self) -> float | None:
        """How long after its start a job may be done."""
        return self.seconds if self.shortest_s is None else self.shortest_s

    def finished(self, flights: Sequence[Flight], now_s: float) -> None:
        """Take in that jobs were seen finished, now.

        When an adopted job began, nobody watched: it tells the pace only from the finish before it on.
        """
        last_s = self.last_done_s
        told = flights if last_s is not None else [flight for flight in flights if flight.adopted_at_s is None]
        if told:
            oldest_s = min(flight.submitted_at_s for flight in told)
            started_s = oldest_s if last_s is None else max(last_s, oldest_s)
            each_s = max(now_s - started_s, 0.0) / len(told)
            queued_s = min(flight.seen.queued_s or 0.0 for flight in told)  # they began later than that
            most_s = max(now_s - max(started_s, queued_s), 0.0) / len(told)
            weight = 0.3 if self.measured >= 3 else 0.5
            known_s, shortest_s = (self.seconds, self.shortest_s) if self.measured else (None, None)
            self.seconds = _drawn_to(known_s, each_s, weight)
            self.shortest_s = min(most_s, _drawn_to(shortest_s, most_s, weight))
            self.measured += len(told)
        self.last_done_s = now_s


def _drawn_to(known_s: float | None, new_s: float, weight: float) -> float:
    if known_s is None:
        return new_s
    return (1 - weight) * known_s + weight * min(new_s, 4 * known_s + 1.0)


def span_on_server(
    flight: Flight, before_s: float | None, now_s: float, *, place: int, of: int
) -> tuple[float, float] | None:
    """Return when a job began and ended on its server, as far as polling shows it.

    Args:
        flight: the job.
        before_s: when a job of ours was last seen finished before this poll.
        now_s: this poll.
        place, of: several jobs seen finished at once share the time between them.

    Returns:
        None for an adopted job that began before this run watched: nobody measured it.
    """
    seen = flight.seen
    if flight.adopted_at_s is not None and before_s is None and seen.queued_s is None:
        return None
    earliest_s = max(flight.submitted_at_s, before_s or 0.0, seen.queued_s or 0.0)
    began_s = earliest_s if seen.running_s is None else (earliest_s + max(seen.running_s, earliest_s)) / 2
    share_s = (now_s - began_s) / of
    return began_s + place * share_s, began_s + (place + 1) * share_s
