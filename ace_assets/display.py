"""Progress for people: bars on a terminal, a line every few seconds anywhere else. It never stands still for long."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from ace_assets.progress import Progress

LINE_EVERY_S = 3.0
STAGES = ("cells", "takes made", "takes scored", "tracks mastered", "packages")
COUNTED = {
    "cell_done": "cells",
    "take_stored": "takes made",
    "take_reused": "takes made",
    "take_quarantined": "takes made",
    "take_scored": "takes scored",
    "track_mastered": "tracks mastered",
    "package_done": "packages",
}
SECONDS_PER = {"takes made": 1.0, "takes scored": 0.5, "tracks mastered": 3.0, "packages": 2.0}  # weights of time left


@dataclass
class Counts:
    """What is done and what there is, by stage."""

    done: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STAGES, 0))
    total: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STAGES, 0))

    def note(self, event: Progress) -> str | None:
        """Count an event; return the stage that moved, if one did."""
        stage = COUNTED.get(event.kind)
        if stage is not None:
            self.done[stage] += 1
            self.total[stage] = max(self.total[stage], self.done[stage])
        return stage

    def share(self) -> float:
        """Return how much of the work is done, 0 to 1, weighted by what each step usually takes."""
        total = sum(SECONDS_PER[stage] * self.total[stage] for stage in SECONDS_PER)
        done = sum(SECONDS_PER[stage] * self.done[stage] for stage in SECONDS_PER)
        return done / total if total else 0.0


class Display:
    """Shows one command's progress; `listen` takes events from any thread."""

    def __init__(self, console: Console, totals: dict[str, int]) -> None:
        self._console = console
        self._counts = Counts()
        self._counts.total |= totals
        self._started_s = time.monotonic()
        self._lock = threading.Lock()
        self._bars: Bars | None = None
        self._tasks: dict[str, TaskID] = {}
        self._detail = ""

    def say(self, text: str) -> None:
        """Print a line above the bars."""
        (self._bars.console if self._bars else self._console).print(text, highlight=False, markup=False, soft_wrap=True)

    def listen(self, event: Progress) -> None:
        """Count an event and move its bar."""
        with self._lock:
            stage = self._counts.note(event)
            if event.kind == "package_progress":
                self._detail = (
                    f"{event.facts['venue']}: {event.facts['what']} {event.facts['done']}/{event.facts['total']}"
                )
            if stage is not None and self._bars is not None:
                self._bars.update(
                    self._tasks[stage], completed=self._counts.done[stage], total=self._counts.total[stage]
                )
        if event.kind == "take_quarantined":
            self.say(f"{event.facts.get('cell')}: a take could not be made: {event.facts.get('message')}")

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        """Show progress for the length of the block."""
        if self._console.is_terminal:
            with self._bars_shown():
                yield
            return
        stop = threading.Event()
        thread = threading.Thread(target=self._lines, args=(stop,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            self._line()

    @contextlib.contextmanager
    def _bars_shown(self) -> Iterator[None]:
        columns = (
            TextColumn("{task.description:>16}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(compact=True),
        )
        with Bars(*columns, console=self._console, refresh_per_second=4) as bars:
            for stage in STAGES:
                if self._counts.total[stage]:
                    self._tasks[stage] = bars.add_task(stage, total=self._counts.total[stage])
            for stage in set(STAGES) - set(self._tasks):
                self._tasks[stage] = bars.add_task(stage, total=0, visible=False)
            self._bars = bars
            try:
                yield
            finally:
                self._bars = None

    def _lines(self, stop: threading.Event) -> None:
        while not stop.wait(LINE_EVERY_S):
            self._line()

    def _line(self) -> None:
        with self._lock:
            elapsed_s = time.monotonic() - self._started_s
            parts = [
                f"{stage} {self._counts.done[stage]}/{self._counts.total[stage]}"
                for stage in STAGES
                if self._counts.total[stage]
            ]
            share = self._counts.share()
            left = f"about {elapsed_s * (1 - share) / share:.0f} s left" if 0.02 < share < 1 else ""
            text = "  ".join(part for part in (f"{elapsed_s:5.0f} s", *parts, self._detail, left) if part)
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)


@contextlib.contextmanager
def waiting(console: Console, text: str) -> Iterator[None]:
    """Say what is going on for the length of the block, and that it still is."""
    if console.is_terminal:
        with console.status(text):
            yield
        return
    stop = threading.Event()
    started_s = time.monotonic()
    console.print(f"{text} ...", highlight=False, markup=False, soft_wrap=True)

    def tick() -> None:
        while not stop.wait(LINE_EVERY_S):
            elapsed_s = time.monotonic() - started_s
            console.print(f"{elapsed_s:5.0f} s  {text} ...", highlight=False, markup=False, soft_wrap=True)

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
