"""What people say about tracks, written to the append-only log: retire, restore.

An event is all that is written. The next catalog shows a retirement at once; the cell's next scoring reads the log, leaves
the take out and, where the plan allows, keeps the runner-up; the next plan tops up what the prompt then lacks.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import duckdb
import polars as pl

from ace_assets import tables
from ace_assets.catalog import snapshot
from ace_assets.catalog.query import nearest
from ace_assets.catalog.snapshot import read_files
from ace_assets.errors import CatalogError
from ace_assets.store import Store, new_event_id

WAIT_S = 30.0
STATES = {"kept": "active", "restored": "active", "remastered": "active"}


@dataclass(frozen=True)
class TrackPlace:
    """Where a track is: its take, its prompt, its cell, and the status that its manifest gives it."""

    track_id: str
    take_id: str
    prompt_id: str
    cell: str
    status: str


def find_tracks(store: Store, track_ids: Iterable[str]) -> dict[str, TrackPlace]:
    """Return where tracks are.

    Raises:
        CatalogError: one is in no cell's manifest; the nearest id is named.
    """
    wanted = sorted(set(track_ids))
    with store.scratch() as folder, duckdb.connect() as connection:
        files = read_files(snapshot.take(store, folder).files[tables.Masters.TABLE])
        rows = connection.execute(f"SELECT track_id, take_id, prompt_id, cell, status FROM {files}").fetchall()  # noqa: S608
    places = {row[0]: TrackPlace(*row) for row in rows}
    for track_id in wanted:
        if track_id not in places:
            near = nearest(track_id, sorted(places))
            raise CatalogError(
                "track",
                value=track_id,
                expected=" or ".join(near) or "a track of the catalog",
                remedy="`ace-assets sql 'select track_id, title, cell from tracks'` lists them",
            )
    return {track_id: places[track_id] for track_id in wanted}


def event(
    place: TrackPlace, kind: str, reason: str | None, actor: str, *, now: dt.datetime, details_json: str | None = None
) -> dict[str, Any]:
    """Return a row of the log about a track."""
    return {
        "event_id": new_event_id(now),
        "happened_at": now,
        "kind": kind,
        "track_id": place.track_id,
        "take_id": place.take_id,
        "prompt_id": place.prompt_id,
        "cell": place.cell,
        "reason": reason,
        "actor": actor,
        "details_json": details_json,
    }


def present_state(place: TrackPlace, events: pl.DataFrame) -> str:
    """Return a track's state: what the log says last, else what its manifest says."""
    told = events.filter((pl.col("track_id") == place.track_id) & (pl.col("kind") != "verdict")).sort(
        "happened_at", "event_id"
    )
    if told.is_empty():
        return place.status
    kind = str(told["kind"][-1])
    return STATES.get(kind, kind)


def retire(store: Store, track_id: str, reason: str, actor: str) -> None:
    """Retire a track: it leaves the catalog and the packages, and is never exported again.

    Raises:
        CatalogError: there is no such track, it is retired already, or no reason is given.
        LeaseHeldError: a run is writing its cell.
    """
    _write(store, track_id, "retired", reason, actor)


def restore(store: Store, track_id: str, reason: str, actor: str) -> None:
    """Take a retirement back.

    Raises:
        CatalogError: there is no such track, it is not retired, or no reason is given.
        LeaseHeldError: a run is writing its cell.
    """
    _write(store, track_id, "restored", reason, actor)


def _write(store: Store, track_id: str, kind: str, reason: str, actor: str) -> None:
    if not reason.strip():
        raise CatalogError(f"track {track_id}", value="no reason", expected="why", remedy='give one: --reason "..."')
    place = find_tracks(store, [track_id])[track_id]
    with store.cell_lease(place.cell, wait_s=WAIT_S):
        state = present_state(place, store.events(place.cell))
        if (state == "retired") == (kind == "retired"):
            raise CatalogError(
                f"track {track_id}",
                value=state,
                expected="a track that is kept" if kind == "retired" else "a retired track",
                remedy="nothing to do",
            )
        row = event(place, kind, reason.strip(), actor, now=dt.datetime.now(dt.UTC))
        store.append_events(place.cell, tables.from_rows(tables.Events, [row]))
