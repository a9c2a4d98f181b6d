"""Verdicts of people who listened: reading the CSV that the listening page downloads, and recording it.

Every verdict becomes an event; a rejected track is retired with the listener's reason. Importing a file twice records
nothing twice.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from ace_assets import tables
from ace_assets.catalog.history import WAIT_S, TrackPlace, event, find_tracks, present_state
from ace_assets.errors import CatalogError
from ace_assets.store import Store

VERDICTS = ("keep", "reject", "unsure")
COLUMNS = ("track_id", "verdict", "reason", "listener", "judged_at")
SCHEMA = {
    "row": pl.Int64(),
    "track_id": pl.String(),
    "verdict": pl.String(),
    "reason": pl.String(),
    "listener": pl.String(),
    "judged_at": tables.UTC_TIME,
}


@dataclass(frozen=True)
class Applied:
    """What an import did: verdicts recorded, by kind; tracks retired; verdicts that were known already."""

    recorded: dict[str, int]
    retired: tuple[str, ...]
    known: int

    def __str__(self) -> str:
        total = sum(self.recorded.values())
        kinds = ", ".join(f"{self.recorded.get(verdict, 0)} {verdict}" for verdict in VERDICTS)
        text = f"{total} verdicts recorded ({kinds}); {len(self.retired)} tracks retired"
        return text + (f"; {self.known} were recorded before" if self.known else "")


def read_verdicts(path: Path) -> pl.DataFrame:
    """Read a verdict CSV (comma or semicolon, UTF-8): `row`, `track_id`, `verdict`, `reason`, `listener`, `judged_at`.

    Of several rows of one listener about one track the last counts.

    Raises:
        CatalogError: names the file, the row (the header being row 1), the column, the value and what was expected.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogError(
            str(path),
            value=getattr(error, "strerror", None) or "not UTF-8",
            expected="a verdict CSV",
            remedy="download it again",
        ) from error
    first = text.partition("\n")[0]
    reader = csv.DictReader(
        io.StringIO(text, newline=""), delimiter=";" if first.count(";") > first.count(",") else ","
    )
    names = [name.strip() for name in reader.fieldnames or []]
    reader.fieldnames = names
    missing = [name for name in ("track_id", "verdict") if name not in names]
    if missing:
        raise CatalogError(
            f"{path.name} row 1",
            value=", ".join(names) or "empty",
            expected=f"columns {', '.join(COLUMNS)}",
            remedy="use the CSV that the listening page downloads",
        )
    latest: dict[tuple[str, str], dict[str, Any]] = {}
    try:
        for row in reader:
            found = _verdict(path, reader.line_num, row)
            latest[found["track_id"], found["listener"]] = found
    except csv.Error as error:
        raise CatalogError(
            f"{path.name} row {reader.line_num}", value=error, expected="CSV", remedy="use the CSV as downloaded"
        ) from error
    return pl.DataFrame(list(latest.values()), SCHEMA)


def _verdict(path: Path, line: int, row: dict[str, Any]) -> dict[str, Any]:
    where = f"{path.name} row {line}"
    text = {name: (row.get(name) or "").strip() for name in COLUMNS}
    if not text["track_id"]:
        raise CatalogError(f"{where}, column track_id", value="empty", expected="a track id", remedy="delete the row")
    verdict = text["verdict"].lower()
    if verdict not in VERDICTS:
        raise CatalogError(
            f"{where}, column verdict", value=text["verdict"], expected=" or ".join(VERDICTS), remedy="correct it"
        )
    return {
        "row": line,
        "track_id": text["track_id"],
        "verdict": verdict,
        "reason": text["reason"] or None,
        "listener": text["listener"] or "unnamed",
        "judged_at": _time(where, text["judged_at"]),
    }


def _time(where: str, text: str) -> dt.datetime | None:
    if not text:
        return None
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise CatalogError(
            f"{where}, column judged_at",
            value=text,
            expected="a time like 2026-11-25T10:00:00Z",
            remedy="or leave it empty",
        ) from error
    return moment.astimezone(dt.UTC) if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def apply_verdicts(store: Store, frame: pl.DataFrame, actor: str) -> Applied:
    """Record verdicts; a rejected track that is still kept is retired with the reason.

    Args:
        store: whose log.
        frame: what `read_verdicts` returned.
        actor: who imports, for the log.

    Raises:
        CatalogError: a track is in no cell; nothing was recorded then.
        LeaseHeldError: a run is writing a cell; import again when it is done, nothing is recorded twice.
    """
    places = find_tracks(store, frame["track_id"])
    by_cell: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in frame.iter_rows(named=True):
        by_cell[places[row["track_id"]].cell].append(row)
    recorded: dict[str, int] = defaultdict(int)
    retired: list[str] = []
    known = 0
    for cell in sorted(by_cell):
        with store.cell_lease(cell, wait_s=WAIT_S):
            events = store.events(cell)
            said = set(events.filter(pl.col("kind") == "verdict").select("track_id", "details_json").iter_rows())
            rows: list[dict[str, Any]] = []
            gone: set[str] = set()
            for verdict in by_cell[cell]:
                place = places[verdict["track_id"]]
                details = _details(verdict)
                if (place.track_id, details) in said:
                    known += 1
                    continue
                now = dt.datetime.now(dt.UTC)
                rows.append(event(place, "verdict", verdict["reason"], actor, now=now, details_json=details))
                recorded[verdict["verdict"]] += 1
                if verdict["verdict"] == "reject" and place.track_id not in gone and _is_kept(place, events):
                    reason = verdict["reason"] or f"rejected by {verdict['listener']} while listening"
                    rows.append(event(place, "retired", reason, actor, now=now))
                    gone.add(place.track_id)
            if rows:
                store.append_events(cell, tables.from_rows(tables.Events, rows))
            retired.extend(sorted(gone))
    return Applied(dict(recorded), tuple(retired), known)


def _is_kept(place: TrackPlace, events: pl.DataFrame) -> bool:
    return present_state(place, events) in {"active", "superseded"}


def _details(verdict: dict[str, Any]) -> str:
    judged_at = verdict["judged_at"]
    return json.dumps(
        {
            "verdict": verdict["verdict"],
            "listener": verdict["listener"],
            "judged_at": judged_at.isoformat() if judged_at else None,
        },
        sort_keys=True,
    )
