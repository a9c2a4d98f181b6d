"""When to leave a failing server alone: UP, OPEN for a growing while, at last GONE.

Pure: it is told of successes and failures, and says what follows. Kinds of failure are counted apart, because a server
that answers polls while it refuses every job is as good as dead.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from enum import StrEnum

TRIP_AFTER = 3
FIRST_REST_S = 0.5
LONGEST_REST_S = 30.0


class LaneState(StrEnum):
    """Where a lane stands: STARTING until its server first answers, then UP, OPEN while it rests, GONE."""

    STARTING = "starting"
    UP = "up"
    OPEN = "open"
    GONE = "gone"


@dataclass
class Circuit:
    """The breaker of one server. Times are seconds of one monotonic clock.

    Attributes:
        gone_after_s: how long a server that once answered may fail before it counts as gone.
        start_attempts: failures after which a server that never answered counts as gone.
    """

    gone_after_s: float = 30.0
    start_attempts: int = TRIP_AFTER
    state: LaneState = LaneState.STARTING
    open_until_s: float = 0.0
    last_failure: str = ""
    _failures: dict[str, int] = field(default_factory=dict)
    _since_s: dict[str, float] = field(default_factory=dict)
    _rests: int = 0

    def succeeded(self, kind: str) -> None:
        """Something of this kind worked."""
        if self.state is LaneState.GONE:
            return
        self._failures.pop(kind, None)
        self._since_s.pop(kind, None)
        if not self._failures:
            self._rests = 0
        if self.state is not LaneState.OPEN or not self._tripped():
            self.state = LaneState.UP

    def failed(self, kind: str, why: str, now_s: float) -> LaneState:
        """Something of this kind failed; return the state that follows."""
        self.last_failure = why
        count = self._failures[kind] = self._failures.get(kind, 0) + 1
        since_s = self._since_s.setdefault(kind, now_s)
        if self.state is LaneState.GONE:
            return self.state
        if self.state is LaneState.STARTING:
            if count >= self.start_attempts:
                return self.give_up(why)
            self.open_until_s = now_s + FIRST_REST_S * count
        elif count >= 2 * TRIP_AFTER and now_s - since_s >= self.gone_after_s:
            return self.give_up(why)
        elif count >= TRIP_AFTER:
            self.state = LaneState.OPEN
            rest_s = min(FIRST_REST_S * 2**self._rests, LONGEST_REST_S)
            self._rests += 1
            self.open_until_s = now_s + rest_s * random.uniform(0.8, 1.2)
        return self.state

    def give_up(self, why: str) -> LaneState:
        """The server counts as gone."""
        self.last_failure = why
        self.state = LaneState.GONE
        return self.state

    def came_back(self) -> None:
        """A server that was gone answers again."""
        self._failures.clear()
        self._since_s.clear()
        self._rests = 0
        self.state = LaneState.UP

    def resting_s(self, now_s: float) -> float:
        """Return how long the server is still to be left alone."""
        return max(0.0, self.open_until_s - now_s) if self.state in {LaneState.OPEN, LaneState.STARTING} else 0.0

    def _tripped(self) -> bool:
        return any(count >= TRIP_AFTER for count in self._failures.values())
