"""Where a build's time goes: named steps, measured only while somebody asks (`python -m tests.bench.bench_catalog --profile`)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """A step of a build: wall seconds, and CPU seconds of the whole process meanwhile (steps may overlap)."""

    name: str
    wall_s: float
    cpu_s: float


_asked: ContextVar[list[Step] | None] = ContextVar("ace_assets_catalog_steps", default=None)


@contextmanager
def measured() -> Iterator[list[Step]]:
    """Measure the steps of the block; the list is filled as they end."""
    found: list[Step] = []
    token = _asked.set(found)
    try:
        yield found
    finally:
        _asked.reset(token)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Mark a step."""
    asked = _asked.get()
    if asked is None:
        yield
        return
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    try:
        yield
    finally:
        asked.append(Step(name, time.perf_counter() - wall_s, time.process_time() - cpu_s))
