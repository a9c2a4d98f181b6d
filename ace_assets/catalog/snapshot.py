"""The store as it is at one moment: which files a release is built from, and which cannot be trusted.

What belongs here: pinning the files, reading their headers, upgrading older versions, naming what is damaged. What does
not: what the rows mean together (`sql/`), and holding back a cell (`sql/tables/09_cells.sql`).
"""

from __future__ import annotations

import functools
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from ace_assets import tables
from ace_assets.catalog.sql_files import sql_literal
from ace_assets.errors import SchemaError
from ace_assets.store import PinnedTable, Store

CELL_TABLES: tuple[type[tables.Table], ...] = (tables.Takes, tables.TakeScores, tables.Masters)
LOG_TABLES: tuple[type[tables.Table], ...] = (tables.Events, tables.Runs)
PLAN_TABLES: tuple[type[tables.Table], ...] = (tables.Cells, tables.Prompts, tables.PlannedTakes)
RERUN = "rerun the cell's partition: what is stored is not made again"
UPDATE = "update ace_assets on this machine"


@dataclass(frozen=True)
class Finding:
    """Something that cannot be trusted: a row of the catalog's `quarantine`."""

    finding: str
    cell: str | None
    thing: str
    problem: str
    remedy: str
    held_back: bool = True


@dataclass
class Snapshot:
    """Readable files of one version per table, the cells that have any, and what was found.

    Attributes:
        files: table name -> local Parquet files in the present schema version.
        sources: local file -> the table of the store that it came from.
        stored_cells: every cell that has a manifest, readable or not.
        findings: what cannot be trusted.
        folder: private scratch.
    """

    folder: Path
    files: dict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))
    sources: dict[Path, PinnedTable] = field(default_factory=dict)
    stored_cells: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)

    def drop(self, path: Path, finding: Finding) -> None:
        """Leave a file out of the release and say why."""
        self.files[self.sources[path].table].remove(path)
        self.findings.append(finding)


def damaged(file: PinnedTable, problem: str, remedy: str = RERUN, *, finding: str | None = None) -> Finding:
    """Return the finding for a file that cannot be read."""
    is_log = file.table in {table.TABLE for table in LOG_TABLES}
    return Finding(
        finding=finding or ("corrupt_log" if is_log else "corrupt_manifest"),
        cell=file.cell,
        thing=file.key,
        problem=problem,
        remedy="restore the file from a backup, or delete it and accept the loss"
        if is_log and remedy == RERUN
        else remedy,
        held_back=file.table != tables.Runs.TABLE,  # a lost run costs a number, not trust in the music
    )


def take(store: Store, folder: Path) -> Snapshot:
    """Pin the store's tables and sort them into readable and not."""
    return sort_out(store.pin_tables(folder), folder)


def sort_out(pinned: Iterable[PinnedTable], folder: Path) -> Snapshot:
    """Sort pinned tables into readable and not.

    Only headers are read here; damage deeper inside a file shows when its rows are read (see `verify_deeply`).
    """
    snapshot = Snapshot(folder)
    by_name = {table.TABLE: table for table in (*CELL_TABLES, *LOG_TABLES)}
    for file in pinned:
        table = by_name.get(file.table)
        if table is None:
            continue
        if table in CELL_TABLES:
            snapshot.stored_cells.add(file.cell)
        snapshot.sources[file.path] = file
        _admit(snapshot, table, file)
    for table in (*CELL_TABLES, *LOG_TABLES):
        ensure_one(snapshot, table)
    return snapshot


@functools.cache
def _without_rows(table: type[tables.Table], version: int) -> bytes:
    del version  # part of the key only
    return tables.to_parquet(table, tables.empty(table))


def ensure_one(snapshot: Snapshot, table: type[tables.Table]) -> None:
    """Add a file without rows, so that a table always has its columns."""
    path = snapshot.folder / f"empty-{table.TABLE}.parquet"
    path.write_bytes(_without_rows(table, table.VERSION))
    snapshot.files[table.TABLE].append(path)
    snapshot.sources[path] = PinnedTable(table.TABLE, "", "", path)


def _admit(snapshot: Snapshot, table: type[tables.Table], file: PinnedTable) -> None:
    try:
        metadata = pq.read_metadata(file.path)
        header = json.loads((metadata.metadata or {})[tables.METADATA_KEY.encode()])
        version = int(header["version"])
        name = str(header["table"])
        foreign = _foreign_cell(metadata, file) if table in CELL_TABLES else None
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError):
        snapshot.findings.append(damaged(file, "it is not a whole Parquet table of ace_assets"))
        return
    if name != table.TABLE:
        snapshot.findings.append(damaged(file, f"it holds table {name}"))
    elif version > table.VERSION:
        problem = f"schema version {version} of {name}, this code knows {table.VERSION}"
        snapshot.findings.append(damaged(file, problem, UPDATE, finding="newer_schema"))
    elif foreign is not None:
        snapshot.findings.append(damaged(file, f"it holds rows of cell {foreign}", finding="foreign_rows"))
    elif version == table.VERSION:
        snapshot.files[name].append(file.path)
    else:
        _upgrade(snapshot, table, file)


def _foreign_cell(metadata: Any, file: PinnedTable) -> str | None:
    """Return a cell other than its own that a manifest has rows of, or None.

    The column's statistics answer for a sound manifest; they may be cut short, so a doubt is settled by reading.
    """
    if all(_only_holds(metadata.row_group(group), file.cell) for group in range(metadata.num_row_groups)):
        return None
    found = set(pq.read_table(file.path, columns=["cell"])["cell"].to_pylist()) - {file.cell}
    return str(min(map(str, found))) if found else None


def _only_holds(row_group: Any, cell: str) -> bool:
    for number in range(row_group.num_columns):
        column = row_group.column(number)
        if column.path_in_schema == "cell":
            statistics = column.statistics
            return statistics is not None and statistics.has_min_max and {statistics.min, statistics.max} == {cell}
    return False


def _upgrade(snapshot: Snapshot, table: type[tables.Table], file: PinnedTable) -> None:
    frame, problem = _read_whole(table, file)
    if frame is None:
        snapshot.findings.append(damaged(file, problem))
        return
    file.path.unlink()
    file.path.write_bytes(tables.to_parquet(table, frame))
    snapshot.files[table.TABLE].append(file.path)


def _read_whole(table: type[tables.Table], file: PinnedTable) -> tuple[pl.DataFrame | None, str]:
    try:
        return tables.from_parquet(table, file.path.read_bytes(), name=file.key)[0], ""
    except SchemaError as error:
        return None, f"it cannot be read: {error.value}"
    except pl.exceptions.PanicException:
        return None, "it cannot be read: damaged inside"


def verify_deeply(snapshot: Snapshot) -> int:
    """Read every file by itself, leave out those that fail, and return how many did."""
    failed = 0
    for table in (*CELL_TABLES, *LOG_TABLES):
        for path in list(snapshot.files[table.TABLE]):
            file = snapshot.sources[path]
            problem = _fault_inside(table, file)
            if problem:
                snapshot.drop(path, damaged(file, problem))
                failed += 1
    return failed


def _fault_inside(table: type[tables.Table], file: PinnedTable) -> str:
    try:
        with duckdb.connect() as connection:
            connection.execute(f"SELECT count(COLUMNS(*)) FROM {read_files([file.path])}").fetchall()  # noqa: S608
    except duckdb.Error:
        return "it cannot be read: damaged inside"
    return _read_whole(table, file)[1]


def read_files(paths: Iterable[Path]) -> str:
    """Return the SQL that reads Parquet files of one schema."""
    names = ", ".join(sql_literal(str(path)) for path in paths)
    return f"read_parquet([{names}])"
