"""A job on a server, what becomes of it, and the pace at which a server finishes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ace_assets.acestep.audio_check import AudioFacts
from ace_assets.acestep.capabilities import Capabilities
from ace_assets.acestep.pool import Job
from ace_assets.acestep.replies import ResultItem
from ace_assets.acestep.watch import Sightings


@dataclass(eq=False)
class Flight:
    """A job on a server."""

    job: Job
    task_id: str
    seen: Sightings
    submitted_at_s: float


@dataclass(frozen=True)
class Landed:
    """A verified take, ready to be stored."""

    job: Job
    path: Path
    sha256: str
    audio: AudioFacts
    item: ResultItem
    queue_s: float
    server_s: float
    capabilities: Capabilities


@dataclass
class Pace:
    """How fast a server finishes our jobs, learnt while it works."""

    seconds: float | None = None
    measured: int = 0
    last_done_s: float | None = None

    def finished(self, count: int, now_s: float, *, since_s: float) -> None:
        """Take in that `count` jobs were seen finished; the oldest of them was submitted at `since_s`."""
        started_s = since_s if self.last_done_s is None else max(self.last_done_s, since_s)
        each_s = max(now_s - started_s, 0.0) / count
        known = self.seconds if self.measured else None
        weight = 0.3 if self.measured >= 3 else 0.5
        self.seconds = each_s if known is None else (1 - weight) * known + weight * min(each_s, 4 * known + 1.0)
        self.measured += count
        self.last_done_s = now_s


def span_on_server(flight: Flight, before_s: float | None, now_s: float, *, place: int, of: int) -> tuple[float, float]:
    """Return when a job began and ended on its server, as far as polling shows it.

    Args:
        flight: the job.
        before_s: when a job of ours was last seen finished before this poll.
        now_s: this poll.
        place, of: several jobs seen finished at once share the time between them.
    """
    seen = flight.seen
    earliest_s = max(flight.submitted_at_s, before_s or 0.0, seen.queued_s or 0.0)
    began_s = earliest_s if seen.running_s is None else (earliest_s + max(seen.running_s, earliest_s)) / 2
    share_s = (now_s - began_s) / of
    return began_s + place * share_s, began_s + (place + 1) * share_s
