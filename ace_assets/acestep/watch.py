"""How a lost job is recognised: by three rules, since a server never says so.

A server forgets jobs when it restarts: queued ones become unknown, the running one stays "running" for ever in its disk
cache. Pure rules over what polling saw; what happens to a lost job is `lane`'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ace_assets.acestep.replies import TaskReply, TaskState

TWICE = 2


@dataclass
class Sightings:
    """What polling saw of one task. Times are seconds of one monotonic clock.

    Attributes:
        submitted_s: when the server accepted it.
        changed_s: when its answer last changed.
        queued_s: when it was last seen waiting; None before.
        running_s: when it was first seen running; None before.
        unknown_in_a_row: answers in a row in which the server did not know it.
        overtaken: a later task was seen to run before this one had finished.
        overtaken_in_a_row: answers in a row since then in which this one did not move.
        silent_s: how long nothing moved on its server, this task included.
        deadline_s: how long that may last.
    """

    submitted_s: float
    changed_s: float
    queued_s: float | None = None
    running_s: float | None = None
    unknown_in_a_row: int = 0
    overtaken: bool = False
    overtaken_in_a_row: int = 0
    silent_s: float = 0.0
    deadline_s: float = float("inf")
    last: tuple[TaskState, str, float] | None = None

    def see(self, reply: TaskReply | None, *, overtaken: bool, now_s: float) -> bool:
        """Take in one answer (None: the server left the task out); return whether anything changed."""
        unknown = reply is None or reply.state is TaskState.UNKNOWN
        self.unknown_in_a_row = self.unknown_in_a_row + 1 if unknown else 0
        state = (TaskState.UNKNOWN, "", 0.0) if reply is None else (reply.state, reply.stage, reply.progress)
        if state[0] is TaskState.QUEUED:
            self.queued_s = now_s
        if state[0] is TaskState.RUNNING and self.running_s is None:
            self.running_s = now_s
        changed = state != self.last
        # a task that moves is not lost, whatever runs beside it (a server can be given more workers than one)
        moving = changed and self.last is not None
        self.overtaken |= overtaken
        self.overtaken_in_a_row = self.overtaken_in_a_row + 1 if self.overtaken and not moving else 0
        self.last = state
        if changed:
            self.changed_s = now_s
        return changed


Detector = Callable[[Sightings], str | None]


def unknown_twice(seen: Sightings) -> str | None:
    """A task that was accepted and is unknown twice in a row was forgotten."""
    return "the server forgot it" if seen.unknown_in_a_row >= TWICE else None


def overtaken_twice(seen: Sightings) -> str | None:
    """One worker serves first in, first out: a task that a later one overtakes, twice seen, was dropped."""
    return "a later job ran before it" if seen.overtaken_in_a_row >= TWICE else None


def past_deadline(seen: Sightings) -> str | None:
    """A task on a server where nothing moves for longer than its deadline hangs."""
    return f"nothing moved for {seen.silent_s:.0f} s" if seen.silent_s > seen.deadline_s else None


DETECTORS: tuple[Detector, ...] = (unknown_twice, overtaken_twice, past_deadline)


def overtaken(task_ids: Sequence[str], answers: Mapping[str, TaskReply]) -> frozenset[str]:
    """Return the tasks that have not finished although a later one ran.

    Args:
        task_ids: the tasks of one server in the order in which it accepted them.
        answers: what it says of them.

    >>> done = TaskReply("b", TaskState.SUCCEEDED)
    >>> sorted(overtaken(["a", "b", "c"], {"a": TaskReply("a", TaskState.QUEUED), "b": done}))
    ['a']
    """
    found = set()
    later_ran = False
    for task_id in reversed(task_ids):
        answer = answers.get(task_id)
        if later_ran and (answer is None or not answer.finished):
            found.add(task_id)
        if answer is not None and (answer.finished or answer.state is TaskState.RUNNING):
            later_ran = True
    return frozenset(found)
