"""What long work says while it runs: events that anybody may listen to, in this process.

Stages and assets emit (`take_stored`, `take_scored`, `track_mastered`, ...); the command line draws bars from them, a
worker process forwards them, tests count them. Nobody has to listen.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Progress:
    """One thing that happened: its kind, e.g. `take_stored`, and facts such as the cell."""

    kind: str
    facts: dict[str, Any] = field(default_factory=dict)


Listener = Callable[[Progress], None]
_listeners: list[Listener] = []
_lock = threading.Lock()


def emit(kind: str, **facts: Any) -> None:
    """Tell every listener; cheap where there is none."""
    with _lock:
        listeners = tuple(_listeners)
    for listener in listeners:
        listener(Progress(kind, facts))


@contextlib.contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Call `listener` for every event of this process for the length of the block, from the thread that emits."""
    with _lock:
        _listeners.append(listener)
    try:
        yield
    finally:
        with _lock:
            _listeners.remove(listener)
