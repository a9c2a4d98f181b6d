"""Building a release of the catalog: whole, on local scratch, checked, then published.

What belongs here: the order of work. What does not: what a table holds (`sql/`), what may be trusted (`snapshot`), what
it is made from (`stage`), how it is read (`query`). A reader never waits for a build and a build never waits for a
reader: every release is its own file.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import polars as pl

from ace_assets.catalog import inputs, report, snapshot, sql_files, stage
from ace_assets.catalog.earlier import Earlier, earlier_release
from ace_assets.catalog.listening import listening_page
from ace_assets.catalog.package_rows import package_frames
from ace_assets.catalog.query import sha256_of
from ace_assets.catalog.snapshot import Finding, Snapshot
from ace_assets.catalog.steps import step
from ace_assets.errors import AceAssetsError, CatalogError, StoreError
from ace_assets.store import Store

STORAGE_VERSION = "v1.2.0"  # readable by DuckDB 1.2 and everything later
ROW_GROUP_SIZE = 30_720  # a quarter of DuckDB's own: 100,000 tracks are written and read by every core, not by one
# Bloom filters would serve a search for one id, which the DuckDB file beside answers; a column of more values than the
# limit is one of ids, whose dictionary would be as long as the column.
PARQUET_OPTIONS = (
    f"FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE {ROW_GROUP_SIZE}, WRITE_BLOOM_FILTER false, "
    "DICTIONARY_SIZE_LIMIT 500"
)
MEMORY_LIMIT_MB = 600  # enough for 170,000 tracks
MEMORY_PER_TRACK_KB = 3.5  # joins of more tracks would fail for want of memory, or spend their time on the disk
# Texts have few values, so DuckDB need not try every way to store them; the tables say where it is otherwise: ids are
# random, and squeezing them takes a tenth of the build. Row groups are squeezed as they fill, not five at a time.
SETTINGS = (
    "SET TimeZone = 'UTC'",
    "SET enable_progress_bar = false",  # it would mix with what a command prints
    "SET force_compression = 'dictionary'",
    "SET write_buffer_row_group_count = 1",
    "SET parquet_metadata_cache = true",
    "SET max_vacuum_tasks = 0",
)
MOST_TAKES_AT_ONCE = 1_000_000  # beyond it, writing Parquet while the tracks are joined would take their memory
KEEP_RELEASES = 10
# What is told of releases themselves is not their content; servers is summed from takes, in a varying order; packages
# come after the release that they are made from: counting them would make a release, and new packages, every night.
NOT_CONTENT = frozenset({"releases", "release_changes", "help", "questions", "servers", "packages", "package_tracks"})
PARQUET_OF_VIEWS = {"tracks": "all_tracks", "former_tracks": "all_tracks"}

T = TypeVar("T")


@dataclass(frozen=True)
class ReleaseResult:
    """What a build did.

    Attributes:
        release_id: the release that readers see now.
        changed: False when nothing had changed and no new release was made.
        rows: rows of every table of that release.
        quarantined: what could not be trusted.
        report_file: name of the report among the release's files.
    """

    release_id: str
    changed: bool
    rows: dict[str, int]
    quarantined: tuple[Finding, ...]
    report_file: str = "report.html"

    @property
    def held_back_cells(self) -> tuple[str, ...]:
        """The cells whose tracks are not exportable until their findings are mended, sorted."""
        return tuple(sorted({f.cell for f in self.quarantined if f.held_back and f.cell is not None}))


def build_release(
    store: Store,
    *,
    reason: str,
    now: dt.datetime | None = None,
    keep: int = KEEP_RELEASES,
    wait_s: float = 60.0,
    force: bool = False,
) -> ReleaseResult:
    """Build the catalog from the store and publish it as a new release, unless nothing changed.

    Args:
        store: where the plan, the manifests and the log are, and where the release goes.
        reason: why, for the table `releases`.
        now: the release's time; the present when not given.
        keep: how many releases stay, the new one included.
        wait_s: how long to wait for another builder.
        force: publish even when nothing changed, e.g. to bring new packages into the catalog.

    Raises:
        LeaseHeldError: another builder is still at it.
        SchemaError: the plan cannot be read, or is newer than this code.
        CatalogError: a check failed; the former release stays.
    """
    moment = (now or dt.datetime.now(dt.UTC)).astimezone(dt.UTC)
    with store.lease("catalog", what="the catalog", wait_s=wait_s) as lease, store.scratch() as folder:
        store.sweep_unfinished_releases()
        pins = _subfolder(folder, "pinned")
        with ThreadPoolExecutor(2) as beside:
            with step("pin the manifests"):
                files = store.pin_tables(pins)
            # after the manifests are pinned: a master comes before its manifest
            listed = _submit(beside, "list the masters, beside", _masters, store)
            with step("open the manifests"):
                pinned = snapshot.sort_out(files, pins)
            inputs_of_all = _Inputs(store, pinned, listed, beside, folder)
            try:
                built = _build(inputs_of_all, moment, reason, force=force)
            except duckdb.Error as error:
                if not snapshot.verify_deeply(pinned):
                    raise _build_failed(error) from error
                try:
                    built = _build(inputs_of_all, moment, reason, force=force)
                except duckdb.Error as again:
                    raise _build_failed(again) from again
        if isinstance(built, ReleaseResult):
            return built
        lease.check()
        with step("publish"):
            store.publish_release(built.result.release_id, built.database, built.extras)
        for old in store.release_ids()[: -max(keep, 1)]:
            if old != built.result.release_id:
                store.delete_release(old)
        store.publish_listening_page(built.listening_page)
        return built.result


@dataclass(frozen=True)
class _Inputs:
    """What a build works with: the pinned store, the masters as they will be listed, threads beside, a folder."""

    store: Store
    pinned: Snapshot
    listed: Future[tuple[pl.DataFrame, str]]
    beside: ThreadPoolExecutor
    folder: Path


@dataclass(frozen=True)
class _Built:
    result: ReleaseResult
    database: Path
    extras: dict[str, Path]
    listening_page: bytes


def _subfolder(folder: Path, name: str) -> Path:
    path = folder / name
    path.mkdir(exist_ok=True)
    return path


def _build_failed(error: Exception) -> CatalogError:
    return CatalogError(
        "building the catalog",
        value=str(error).splitlines()[0],
        expected="readable manifests and enough free space",
        remedy="the former release stays; free some space or report this",
    )


def _build(given: _Inputs, moment: dt.datetime, reason: str, *, force: bool) -> _Built | ReleaseResult:
    store, pinned, listed, beside, folder = given.store, given.pinned, given.listed, given.beside, given.folder
    database = folder / "catalog.duckdb"
    database.unlink(missing_ok=True)
    with step("read the earlier release"):
        earlier = earlier_release(store, folder)
    plan_id = store.current_plan_id()
    plan_files = stage.pin_plan(store, plan_id, folder)
    hashed = _submit(beside, "hash the manifests, beside", inputs.manifests_id, store, pinned, plan_files.values())
    result = None if force else _untouched(store, earlier, hashed, listed)
    if result is not None:
        return result
    with _workbench(database, folder) as connection, _parquet_beside(beside, connection, folder) as parquet:
        with step("stage the manifests"):
            stage.put_store(connection, pinned, plan_files)
            _allow_memory(connection, tracks=_count(connection, "stage.read_masters"))
            contested = stage.put_trusted(connection)
            stage.put_prompts(connection, store, plan_id)
        texts = sql_files.texts("tables")
        takes, judging = (_place(texts, name) for name in ("takes", "quarantine"))
        # the big ones do not ask what was found: the masters are listed meanwhile
        first = _submit(beside, "fill the tables before takes, beside", _run_beside, connection.cursor(), texts[:takes])
        try:
            with _at_once(connection):
                _run(connection, "tables", texts[takes:judging])
        finally:
            wait([first])
        first.result()
        if _count(connection, "takes") <= MOST_TAKES_AT_ONCE:
            parquet.write(_tables_of(connection))
        with step("compare with the masters"):
            missing = stage.put_master_files(connection, listed.result()[0])
        findings = [*pinned.findings, *contested, *missing]
        with step("stage what comes from elsewhere"):
            stage.put_facts(connection, findings, *package_frames(store))
        with _at_once(connection):
            _run(connection, "tables", texts[judging:])
        with step("hash the content"):
            content_id = _content_id(connection)
            result = None if force else _unchanged(store, earlier, "content_id", content_id, findings)
        if result is not None:
            return result
        release_id = _new_release_id(moment, content_id, earlier)
        row = {
            "release_id": release_id,
            "built_at": moment,
            "reason": reason,
            "previous_release_id": earlier.release_id,
            "plan_id": plan_id,
            "campaign": _campaign(store, plan_id),
            "content_id": content_id,
            "ace_assets_version": code_version(),
        }
        stage.put_release(connection, earlier, row)
        with _at_once(connection):
            _run_files(connection, "release")
            stage.carry_over(connection, earlier)
            _run_files(connection, "views")
            with step("question views"):
                _create_question_views(connection)
            with step("comments"):
                _comment_views(connection)
            _run_files(connection, "help")
        with step("check"):
            _check(connection)
            rows = _row_counts(connection)
        parquet.write([name for name in rows if name not in PARQUET_OF_VIEWS.values()])
        page = folder / "report.html"
        with step("write the report"):
            page.write_text(report.render(connection), encoding="utf-8")
        with step("write the listening page"):
            listening = listening_page(store, connection, pinned, release_id=release_id).encode()
        with step("wait for the Parquet"):
            extras = {"report.html": page, **parquet.files()}
        came_from = {"manifests_id": hashed.result(), "masters_id": listed.result()[1]}
    with step("hash the database"):
        sha256 = sha256_of(database)
    facts = {
        "release_id": release_id,
        "built_at": moment.isoformat(),
        "reason": reason,
        "plan_id": plan_id,
        "content_id": content_id,
        **came_from,
        "previous_release_id": earlier.release_id,
        "sha256": sha256,
        "size_bytes": database.stat().st_size,
        "rows": rows,
        "quarantined": [vars(finding) for finding in findings],
    }
    extras["release.json"] = folder / "release.json"
    extras["release.json"].write_text(json.dumps(facts, indent=1, sort_keys=True), encoding="utf-8")
    return _Built(ReleaseResult(release_id, True, rows, tuple(findings)), database, extras, listening)


def _submit(beside: ThreadPoolExecutor, name: str, work: Callable[..., T], *given: Any) -> Future[T]:
    """Start work on another thread as a step of the build."""

    def run() -> T:
        with step(name):
            return work(*given)

    return beside.submit(copy_context().run, run)


@contextmanager
def _workbench(database: Path, folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection with the new release attached as `rel` and a place for inputs as `stage`."""
    connection = duckdb.connect(
        config={
            "memory_limit": f"{MEMORY_LIMIT_MB}MB",
            "temp_directory": str(folder / "spill"),
            "preserve_insertion_order": "false",
            "python_enable_replacements": "false",
            "autoinstall_known_extensions": "false",
        }
    )
    try:
        for setting in SETTINGS:
            connection.execute(setting)
        connection.execute(f"ATTACH ':memory:' AS stage (ROW_GROUP_SIZE {ROW_GROUP_SIZE})")
        path = sql_files.sql_literal(str(database))
        connection.execute(
            f"ATTACH {path} AS rel (STORAGE_VERSION '{STORAGE_VERSION}', ROW_GROUP_SIZE {ROW_GROUP_SIZE})"
        )
        connection.execute("USE rel")
        yield connection
        with step("write the rest of the database"):
            connection.execute("USE memory")
            connection.execute("DETACH rel")
    finally:
        connection.close()


def memory_limit_mb(tracks: int, *, machine_mb: float) -> int:
    """Return what DuckDB may use to build a catalog; a big store may have more, up to half of the machine's memory.

    >>> [memory_limit_mb(tracks, machine_mb=8000) for tracks in (20, 100_000, 1_000_000, 10_000_000)]
    [600, 600, 3500, 4000]
    """
    return round(max(MEMORY_LIMIT_MB, min(tracks * MEMORY_PER_TRACK_KB / 1e3, machine_mb / 2)))


def _allow_memory(connection: duckdb.DuckDBPyConnection, *, tracks: int) -> None:
    machine_mb = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e6
    connection.execute(f"SET memory_limit = '{memory_limit_mb(tracks, machine_mb=machine_mb)}MB'")


@contextmanager
def _at_once(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Make what the block writes one transaction: hundreds of statements, one sync of the disk."""
    connection.execute("BEGIN")
    yield
    with step("commit"):
        connection.execute("COMMIT")


def _run_files(connection: duckdb.DuckDBPyConnection, part: str) -> None:
    _run(connection, part, sql_files.texts(part))


def _place(texts: list[tuple[str, str]], table: str) -> int:
    return next(place for place, (name, _) in enumerate(texts) if name.partition("_")[2] == table)


def _run_beside(connection: duckdb.DuckDBPyConnection, texts: list[tuple[str, str]]) -> None:
    with connection:
        connection.execute("USE rel")  # a cursor begins where its connection began
        with _at_once(connection):
            _run(connection, "tables", texts)


def _run(connection: duckdb.DuckDBPyConnection, part: str, texts: list[tuple[str, str]]) -> None:
    for name, text in texts:
        with step(f"{part}/{name}"):
            connection.execute(text)


def _campaign(store: Store, plan_id: str | None) -> str | None:
    if plan_id is None:
        return None
    try:
        return str(store.plan_facts(plan_id)["campaign"])
    except (AceAssetsError, KeyError):
        return None


# ---- content ---------------------------------------------------------------------------------------------------------


def _tables_of(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = 'rel' ORDER BY table_name"
    ).fetchall()
    return [str(name) for (name,) in rows]


def _content_id(connection: duckdb.DuckDBPyConnection) -> str:
    """Return a hash of all rows that does not depend on their order, and of the SQL that made them."""
    digest = hashlib.sha256(sql_files.everything().encode())
    digest.update(f"{duckdb.__version__} {STORAGE_VERSION} {ROW_GROUP_SIZE}".encode())
    for name in _tables_of(connection):
        if name not in NOT_CONTENT:
            found = connection.execute(
                f"SELECT count(*), coalesce(sum(hash(t)::HUGEINT), 0)::VARCHAR FROM {name} AS t"  # noqa: S608
            ).fetchall()
            digest.update(f"{name} {found}".encode())
    return digest.hexdigest()


def _masters(store: Store) -> tuple[pl.DataFrame, str]:
    files = store.master_files()
    return files, inputs.masters_id(files)


def _untouched(
    store: Store, earlier: Earlier, hashed: Future[str], listed: Future[tuple[pl.DataFrame, str]]
) -> ReleaseResult | None:
    """Return the current release when it was made of the very same files by the same code and is intact, else None."""
    facts = earlier.facts
    if earlier.release_id is None or "manifests_id" not in facts or hashed.result() != facts["manifests_id"]:
        return None
    findings = [Finding(**found) for found in facts["quarantined"]]
    return _unchanged(store, earlier, "masters_id", listed.result()[1], findings)


def _unchanged(store: Store, earlier: Earlier, fact: str, value: str, findings: list[Finding]) -> ReleaseResult | None:
    """Return the current release when a fact of it is still so and its file is intact, else None."""
    facts = earlier.facts
    if earlier.release_id is None or facts.get(fact) != value:
        return None
    if earlier.release_id != store.current_release_id():
        return None
    try:
        with store.release_database(earlier.release_id) as path:
            if path.stat().st_size != facts.get("size_bytes") or sha256_of(path) != facts.get("sha256"):
                return None
    except StoreError:
        return None
    return ReleaseResult(earlier.release_id, False, dict(facts.get("rows", {})), tuple(findings))


def _new_release_id(moment: dt.datetime, content_id: str, earlier: Earlier) -> str:
    """Return an id that sorts after every earlier one, also when the clock went back."""
    while True:
        stamp = f"{moment:%Y%m%dT%H%M%S%f}"
        if earlier.release_id is None or stamp > earlier.release_id.split("-")[0]:
            return f"{stamp}-{content_id[:8]}"
        moment = dt.datetime.strptime(earlier.release_id.split("-")[0], "%Y%m%dT%H%M%S%f").replace(tzinfo=dt.UTC)
        moment += dt.timedelta(microseconds=1)


def code_version() -> str:
    """Return the version of the code."""
    try:
        return metadata.version("ace-assets")
    except metadata.PackageNotFoundError:
        return "unknown"


# ---- views, checks, files --------------------------------------------------------------------------------------------


def _create_question_views(connection: duckdb.DuckDBPyConnection) -> None:
    for question in sql_files.questions():
        connection.execute(f"CREATE VIEW {question.view_name} AS\n{question.with_defaults()}")
        connection.execute(f"COMMENT ON VIEW {question.view_name} IS {sql_files.sql_literal(question.purpose)}")


def _comment_views(connection: duckdb.DuckDBPyConnection) -> None:
    """Give the columns of views the meaning of the table columns that they show."""
    rows = connection.execute(
        "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE database_name = 'rel' AND NOT internal"
    ).fetchall()
    tables_first = ("all_tracks", "takes", "coverage", "cells", "prompts")
    known: dict[str, str] = {}
    for table, column, comment in sorted(
        rows, key=lambda row: (tables_first.index(row[0]) if row[0] in tables_first else len(tables_first), row[0])
    ):
        if comment and not table.startswith("ask_"):
            known.setdefault(column, comment)
    own = {question.view_name: question.column_docs for question in sql_files.questions()}
    statements = []
    for table, column, comment in rows:
        meaning = own.get(table, {}).get(column) or known.get(column)
        if not comment and meaning:
            statements.append(f'COMMENT ON COLUMN {table}."{column}" IS {sql_files.sql_literal(meaning)};')
    connection.execute("\n".join(statements))


def _check(connection: duckdb.DuckDBPyConnection) -> None:
    for name, text in sql_files.texts("checks"):
        rows = connection.execute(text).fetchall()[:3]
        if rows:
            raise CatalogError(
                f"catalog check {name}",
                value="; ".join(str(row) for row in rows),
                expected=text.splitlines()[0].removeprefix("--").strip(),
                remedy="the former release stays; rerun the cells named, or report this",
            )


def _row_counts(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    names = [*_tables_of(connection), *PARQUET_OF_VIEWS]
    counts = {}
    for name in names:
        counts[name] = _count(connection, name)
    return counts


def _count(connection: duckdb.DuckDBPyConnection, name: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0])  # noqa: S608


def _write_parquet(connection: duckdb.DuckDBPyConnection, name: str, path: Path) -> Path:
    with connection:
        connection.execute("USE rel")  # a cursor begins where its connection began
        connection.execute(
            f"COPY (SELECT * FROM {name}) TO {sql_files.sql_literal(str(path))} ({PARQUET_OPTIONS})"  # noqa: S608
        )
    return path


class _Parquet:
    """The same rows as Parquet, one file per table, written on other threads as soon as a table stands."""

    def __init__(self, beside: ThreadPoolExecutor, connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self._beside = beside
        self._connection = connection
        self._folder = _subfolder(folder, "parquet")
        self._written: dict[str, Future[Path]] = {}

    def write(self, names: Iterable[str]) -> None:
        """Start writing tables or views; those that were begun before are left alone."""
        for name in names:
            if name not in self._written:
                path = self._folder / f"{name}.parquet"
                self._written[name] = _submit(
                    self._beside, f"write {path.name}, beside", _write_parquet, self._connection.cursor(), name, path
                )

    def files(self) -> dict[str, Path]:
        """Wait, and return the files by name."""
        return {path.name: path for path in (written.result() for written in self._written.values())}

    def wait(self) -> None:
        """Wait for what runs and drop what has not begun."""
        wait([written for written in self._written.values() if not written.cancel()])


@contextmanager
def _parquet_beside(
    beside: ThreadPoolExecutor, connection: duckdb.DuckDBPyConnection, folder: Path
) -> Iterator[_Parquet]:
    """Give a writer that is done with the database when the block ends, however it ends."""
    parquet = _Parquet(beside, connection, folder)
    try:
        yield parquet
    finally:
        parquet.wait()
