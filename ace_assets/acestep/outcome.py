"""What is asked of the fleet and what it hands back: planned takes, rows of `tables.Takes`, events on the way."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import polars as pl

from ace_assets import tables

PREVIEW_ENGINE = "preview"


@dataclass(frozen=True)
class PlannedTake:
    """One row of `tables.PlannedTakes`: a take that is to exist, with the request that makes it."""

    take_id: str
    prompt_id: str
    cell: str
    take_index: int
    engine: str
    model: str
    seed: int
    request_json: str

    @classmethod
    def of(cls, row: PlannedTake | Mapping[str, Any]) -> PlannedTake:
        """Return a row of the table as a planned take; one that is a planned take already stays as it is."""
        if isinstance(row, PlannedTake):
            return row
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})


def planned_takes(rows: pl.DataFrame | Iterable[PlannedTake | Mapping[str, Any]]) -> Iterator[PlannedTake]:
    """Yield planned takes one by one from a frame of `tables.PlannedTakes` or from rows."""
    source: Iterable[Any] = rows.iter_rows(named=True) if isinstance(rows, pl.DataFrame) else rows
    for row in source:
        yield PlannedTake.of(row)


class EventKind(StrEnum):
    """What can happen on the way."""

    REUSED = "reused"  # it was stored already
    SUBMITTED = "submitted"
    ADOPTED = "adopted"  # an earlier run submitted it
    STORED = "stored"
    RETURNED = "returned"  # back to the pool, to be tried again
    QUARANTINED = "quarantined"  # given up, with its reason
    SERVER = "server"  # a server changed its state


@dataclass(frozen=True)
class FleetEvent:
    """Something happened. `stored`, `reused` and `failed` count takes so far."""

    kind: EventKind
    take_id: str | None
    server: str | None
    message: str
    stored: int
    reused: int
    failed: int


@dataclass
class GenerationResult:
    """What became of the planned takes.

    Attributes:
        rows: rows of `tables.Takes`, one per take that is stored or has failed, in the order in which that happened.
        stored, reused, failed: how many were made now, were there already, were given up.
        still_planned: takes that the run did not get to; they have no row.
        submissions: jobs that servers accepted.
        server_s: seconds on servers, as seen by polling.
        cost_usd: what those seconds cost, as far as they were measured; None where a server used has no declared price.
        servers: last state of every server, in words.
        polls: requests to `/query_result`.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    stored: int = 0
    reused: int = 0
    failed: int = 0
    still_planned: tuple[str, ...] = ()
    submissions: int = 0
    server_s: float = 0.0
    cost_usd: float | None = None
    servers: dict[str, str] = field(default_factory=dict)
    polls: int = 0

    @property
    def complete(self) -> bool:
        """Every planned take is stored."""
        return not self.failed and not self.still_planned

    def frame(self) -> pl.DataFrame:
        """Return the rows as a validated `tables.Takes`, sorted by prompt and take index."""
        rows = [{**row, "generated_at": _moment(row.get("generated_at"))} for row in self.rows]
        return tables.from_rows(tables.Takes, rows).sort("prompt_id", "take_index")


def _moment(value: Any) -> dt.datetime | None:
    if value is None or isinstance(value, dt.datetime):
        return value
    return dt.datetime.fromisoformat(str(value))


def failed_row(
    take: PlannedTake, *, plan_id: str, duration_s: float, kind: str, why: str, attempts: int, server: str | None
) -> dict[str, Any]:
    """Return the row of a take that could not be made; `server` is the one that failed it last."""
    return {
        **_asked(take, plan_id, duration_s),
        "status": "failed",
        "failure_class": kind,
        "failure_message": why,
        "attempts": attempts,
        "server": server,
        "preview": take.engine == PREVIEW_ENGINE,
    }


def stored_row(take: PlannedTake, facts: Mapping[str, Any], *, plan_id: str) -> dict[str, Any]:
    """Return the row of a stored take from what was recorded beside its audio."""
    columns = tables.Takes.columns()
    known = {name: facts[name] for name in columns if name in facts}
    asked = _asked(take, plan_id, float(facts.get("requested_duration_s") or 0.0))
    return {"attempts": 1, "preview": take.engine == PREVIEW_ENGINE, **known, **asked, "status": "stored"}


def _asked(take: PlannedTake, plan_id: str, duration_s: float) -> dict[str, Any]:
    return {
        "take_id": take.take_id,
        "prompt_id": take.prompt_id,
        "cell": take.cell,
        "take_index": take.take_index,
        "plan_id": plan_id,
        "engine": take.engine,
        "requested_model": take.model,
        "requested_seed": take.seed,
        "requested_duration_s": duration_s,
    }
