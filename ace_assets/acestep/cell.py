"""Generate what one cell lacks: the plan in, takes and their manifest out, through the store."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from ace_assets import tables
from ace_assets.acestep.fleet import Progress, generate
from ace_assets.acestep.fleet_settings import FleetSettings
from ace_assets.acestep.outcome import GenerationResult
from ace_assets.acestep.servers import Server
from ace_assets.errors import ServersGoneError
from ace_assets.leases import Lease
from ace_assets.store import Store

DONE = ("stored", "pruned")


@dataclass(frozen=True)
class CellTakes:
    """What a run did to a cell: the whole manifest, the rows that failed, and counts of takes."""

    frame: pl.DataFrame
    failed: pl.DataFrame
    plan_id: str
    planned: int
    stored: int
    reused: int
    submissions: int
    gone: ServersGoneError | None = None


def lacking(store: Store, cell: str, planned: pl.DataFrame) -> pl.DataFrame:
    """Return the planned takes of a cell that are neither stored nor were judged and pruned."""
    takes = store.manifest(cell, tables.Takes)
    scores = store.manifest(cell, tables.TakeScores)
    pruned: set[str] = set()
    if takes is not None:
        pruned |= set(takes.filter(pl.col("status") == "pruned")["take_id"])
    if scores is not None:
        pruned |= set(scores.filter(pl.col("fate").is_in(["rejected", "duplicate"]))["take_id"])
    stored = {take_id for take_id in planned["take_id"] if take_id not in pruned and store.has_take(take_id)}
    return planned.filter(~pl.col("take_id").is_in(stored | pruned))


def generate_cell(
    store: Store,
    cell: str,
    *,
    servers: Sequence[Server],
    lease: Lease,
    plan_id: str,
    run_id: str,
    settings: FleetSettings | None = None,
    progress: Progress | None = None,
) -> CellTakes:
    """Make the takes that a cell lacks, store its manifest and what the run did.

    A complete cell asks the servers for nothing. Takes that fail leave the others stored.

    Args:
        store: where takes and manifest go.
        cell: its partition key.
        servers: the endpoints, one per GPU; none suffices where no take is lacking.
        lease: the cell's lease.
        plan_id: the plan that the run pins.
        run_id: for the record of the run.
        settings: how the fleet behaves.
        progress: told of every event.
    """
    started_at = dt.datetime.now(dt.UTC)
    planned = store.plan_table(plan_id, tables.PlannedTakes, cell=cell)
    before = store.manifest(cell, tables.Takes)
    earlier = tables.empty(tables.Takes) if before is None else before
    missing = lacking(store, cell, planned)
    # Takes that are stored but stand in no manifest yet (a run died between the two) are reused by their facts.
    known_good = set(earlier.filter(pl.col("status").is_in(DONE))["take_id"]) - set(missing["take_id"])
    wanted = planned.filter(~pl.col("take_id").is_in(known_good))
    gone: ServersGoneError | None = None
    result = GenerationResult()
    if wanted.height:
        try:
            result = generate(
                wanted,
                servers=servers,
                store=store,
                cell=cell,
                plan_id=plan_id,
                settings=settings,
                progress=progress,
            )
        except ServersGoneError as error:
            gone = error
            result = error.result if isinstance(error.result, GenerationResult) else result
    made = result.frame()
    failed = made.filter(pl.col("status") == "failed")
    frame = pl.concat([earlier.filter(~pl.col("take_id").is_in(made["take_id"].to_list())), made])
    frame = frame.sort("prompt_id", "take_index", "take_id")
    complete = not failed.height and not result.still_planned and gone is None
    store.publish_manifest(cell, tables.Takes, frame, lease=lease, plan_id=plan_id, complete=complete)
    outcome = CellTakes(
        frame=frame,
        failed=failed,
        plan_id=plan_id,
        planned=planned.height,
        stored=result.stored,
        reused=planned.height - wanted.height + result.reused,
        submissions=result.submissions,
        gone=gone,
    )
    _record_run(store, cell, outcome, result, run_id=run_id, started_at=started_at)
    return outcome


def _record_run(
    store: Store, cell: str, outcome: CellTakes, result: GenerationResult, *, run_id: str, started_at: dt.datetime
) -> None:
    row = {
        "run_id": run_id,
        "cell": cell,
        "plan_id": outcome.plan_id,
        "campaign": str(store.plan_facts(outcome.plan_id).get("campaign", "")),
        "started_at": started_at,
        "ended_at": dt.datetime.now(dt.UTC),
        "takes_planned": outcome.planned,
        "takes_stored": outcome.stored,
        "takes_reused": outcome.reused,
        "takes_failed": outcome.failed.height,
        "submissions": outcome.submissions,
        "server_s": result.server_s,
        "cost_usd": result.cost_usd,
    }
    store.publish_run(cell, run_id, tables.from_rows(tables.Runs, [row]))
