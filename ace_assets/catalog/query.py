"""Asking the catalog: read-only SQL that can touch nothing else, never waits for a build and never sees half of one.

What belongs here: opening a release, running a statement, errors that help, a verified local copy. What does not: the
questions (`ask`) and how they are printed (`cli`).
"""

from __future__ import annotations

import contextlib
import csv
import difflib
import hashlib
import io
import json
import re
import shutil
import tempfile
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from ace_assets.catalog.sql_files import sql_literal
from ace_assets.errors import CatalogError, StoreError
from ace_assets.store import Store

DEFAULT_LIMIT = 1000
DEFAULT_TIMEOUT_S = 30.0
OPEN_ATTEMPTS = 5  # a release may be deleted between reading the pointer and opening the file
NO_CATALOG = "run `ace-assets run` or materialize the asset catalog"
RELEASE_FILE = re.compile(r"\d{8}T\d{12}-[0-9a-f]{8}\.duckdb")
READ_STATEMENTS = frozenset({"SELECT", "EXPLAIN"})


@dataclass(frozen=True)
class QueryResult:
    """Rows of a query, and a note where some were left out."""

    frame: pl.DataFrame
    release_id: str
    note: str = ""


# ---- opening ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def open_release(store: Store, release_id: str | None = None) -> Iterator[tuple[duckdb.DuckDBPyConnection, str]]:
    """Give a read-only connection to a release (the current one by default) and its id.

    The file is attached to a private in-memory database, so that other connections of this process, whatever their
    settings, do not matter; once attached, nothing outside it can be reached.

    Raises:
        CatalogError: there is no catalog yet, or no such release.
    """
    with _release_file(store, release_id) as (path, found), contextlib.ExitStack() as stack:
        connection = stack.enter_context(contextlib.closing(_attached(path, stack)))
        yield connection, found


@contextlib.contextmanager
def open_file(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a read-only connection to a catalog file or a link to one, e.g. a pulled copy.

    Raises:
        CatalogError: there is no such file, or it is no catalog.
    """
    real = path.resolve()
    if not real.is_file():
        raise CatalogError(str(path), value="missing", expected="a catalog file", remedy=NO_CATALOG)
    with contextlib.ExitStack() as stack:
        yield stack.enter_context(contextlib.closing(_attached(real, stack)))


@contextlib.contextmanager
def _release_file(store: Store, release_id: str | None) -> Iterator[tuple[Path, str]]:
    last: StoreError | None = None
    for _ in range(OPEN_ATTEMPTS):
        wanted = release_id or store.current_release_id()
        if wanted is None:
            raise CatalogError(f"no catalog in {store.uri} yet", expected="a release", remedy=NO_CATALOG)
        with contextlib.ExitStack() as stack:
            try:
                if store.local_root is None:
                    path = _cached_copy(store, wanted)
                else:
                    path = stack.enter_context(store.release_database(wanted))
                    path = _pinned(store, path, stack)
            except (StoreError, FileNotFoundError) as error:
                if release_id is not None:
                    known = ", ".join(store.release_ids()[-3:]) or "none"
                    raise CatalogError(
                        f"release {release_id}",
                        value="not stored",
                        expected="a kept release",
                        remedy=f"the latest are: {known}",
                    ) from error
                last = error if isinstance(error, StoreError) else last
                continue
            yield path, wanted
            return
    raise CatalogError(
        f"the catalog in {store.uri}", value=last or "gone", expected="a release", remedy="build the catalog again"
    ) from last


def _pinned(store: Store, path: Path, stack: contextlib.ExitStack) -> Path:
    """Return the file under a private name where a careless reader left something beside it.

    A reader that forgot read-only (and may write) leaves `<release>.duckdb.wal`; DuckDB would apply it to what it opens
    under that name. On a disk without links, or one that is read-only, the file itself is returned.
    """
    if not path.with_name(path.name + ".wal").exists():
        return path
    try:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=store.blobs.scratch_dir())))
        target = folder / path.name
        store.blobs.pin(store.release_key(path.stem), target)
    except (OSError, StoreError):
        return path
    return target


def _attached(path: Path, stack: contextlib.ExitStack) -> duckdb.DuckDBPyConnection:
    connection = _private_database()
    try:
        _attach(connection, path)
    except duckdb.IOException as error:
        connection.close()
        if "lock" not in str(error).lower():
            raise _not_a_catalog(path, error) from error
        connection = _private_database()  # somebody opened it for writing and holds it: read a copy
        copy = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ace-assets-"))) / path.name
        shutil.copyfile(path, copy)
        _attach(connection, copy)
    except duckdb.Error as error:
        connection.close()
        raise _not_a_catalog(path, error) from error
    connection.execute("USE catalog")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")  # it would mix with what a command prints
    connection.execute("SET temp_directory = ''")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def _private_database() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
            "python_enable_replacements": "false",
        }
    )


def _attach(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    connection.execute(f"ATTACH {sql_literal(str(path))} AS catalog (READ_ONLY)")


def _not_a_catalog(path: Path, error: Exception) -> CatalogError:
    return CatalogError(
        str(path), value=str(error).splitlines()[0], expected="a catalog file", remedy="build the catalog again"
    )


# ---- a verified local copy -------------------------------------------------------------------------------------------


def pull(store: Store, target: Path) -> Path:
    """Copy the current release beside `target`, verify it, make `target` a link to it, and return `target`.

    What is already there and whole is not copied again; older copies are deleted.

    Raises:
        CatalogError: there is no catalog yet, or the copy is not what was published.
    """
    release_id = store.current_release_id()
    if release_id is None:
        raise CatalogError(f"no catalog in {store.uri} yet", expected="a release", remedy=NO_CATALOG)
    facts = store.release_json(release_id, "release.json") or {}
    folder = target.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        final = folder / f"{release_id}.duckdb"
        if not final.is_file() or final.stat().st_size != facts.get("size_bytes"):
            _copy_verified(store, release_id, str(facts.get("sha256")), final)
        if not (target.is_symlink() and target.readlink() == Path(final.name)):
            fresh = folder / f".{target.name}.{uuid.uuid4().hex}.partial"
            fresh.symlink_to(final.name)
            fresh.replace(target)
        for old in folder.glob("*.duckdb"):
            if RELEASE_FILE.fullmatch(old.name) and old != final:
                old.unlink(missing_ok=True)
    except OSError as error:
        raise CatalogError(
            str(target), value=error.strerror, expected="a writable folder with free space", remedy="name another"
        ) from error
    return target


def _copy_verified(store: Store, release_id: str, sha256: str, final: Path) -> None:
    partial = final.with_name(f".{final.name}.{uuid.uuid4().hex}.partial")
    try:
        with store.release_database(release_id) as path:
            shutil.copyfile(path, partial)
        if sha256_of(partial) != sha256:
            raise CatalogError(
                f"copy of release {release_id}",
                value="not what was published",
                expected="the published hash",
                remedy="pull again; if it stays, build the catalog again",
            )
        partial.chmod(0o444)
        partial.replace(final)
    finally:
        partial.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """Return the hash of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _cached_copy(store: Store, release_id: str) -> Path:
    folder = store.blobs.scratch_dir() / "catalogs" / re.sub(r"\W+", "-", store.uri)
    found = folder / f"{release_id}.duckdb"
    return found if found.is_file() else pull(store, folder / "catalog.duckdb").resolve()


# ---- running ---------------------------------------------------------------------------------------------------------


def run_query(
    store: Store,
    sql: str,
    *,
    limit: int | None = DEFAULT_LIMIT,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    release_id: str | None = None,
) -> QueryResult:
    """Run one read-only statement against a release.

    Args:
        store: whose catalog.
        sql: one SELECT (or FROM, WITH, DESCRIBE, SUMMARIZE, EXPLAIN).
        limit: most rows to return; None returns all.
        timeout_s: after this it is stopped.
        release_id: an older release; the current one when not given.

    Raises:
        CatalogError: no catalog yet, not one reading statement, wrong SQL (the nearest name is given), too slow.
    """
    with open_release(store, release_id) as (connection, found):
        frame, cut = run_on(connection, sql, limit=limit, timeout_s=timeout_s)
    note = f"the first {limit:,} rows; use --limit N for more" if cut else ""
    return QueryResult(frame, found, note)


def run_on(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    *,
    values: Mapping[str, Any] | None = None,
    limit: int | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> tuple[pl.DataFrame, bool]:
    """Run one reading statement on an open catalog; return its rows and whether some were left out."""
    statement = _one_statement(connection, sql)
    timer = threading.Timer(timeout_s, connection.interrupt)
    timer.daemon = True
    timer.start()
    try:
        relation = connection.sql(statement, params=dict(values) if values else None)
        if limit is None:
            return pl.DataFrame(relation.pl()), False
        reader = relation.to_arrow_reader(min(limit + 1, 100_000))
        batches, rows = [], 0
        for batch in reader:
            batches.append(pl.DataFrame(pl.from_arrow(batch)))
            rows += batch.num_rows
            if rows > limit:
                break
        reader.close()
        frame = pl.concat(batches) if batches else pl.DataFrame(pl.from_arrow(reader.schema.empty_table()))
        return frame.head(limit), rows > limit
    except duckdb.InterruptException as error:
        raise CatalogError(
            "the query",
            value=f"stopped after {timeout_s:g} s",
            expected="an answer in that time",
            remedy="ask for less",
        ) from error
    except duckdb.Error as error:
        raise _explained(connection, error) from error
    finally:
        timer.cancel()


def _one_statement(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    try:
        statements = connection.extract_statements(sql)
    except duckdb.Error as error:
        raise _explained(connection, error) from error
    kinds = [statement.type.name for statement in statements]
    if len(statements) != 1 or kinds[0] not in READ_STATEMENTS:
        raise CatalogError(
            "the catalog is read-only",
            value=" then ".join(kind.lower() for kind in kinds) or "nothing",
            expected="one SELECT",
            remedy="see `from help`",
        )
    return str(statements[0].query)


_NAMES = (
    re.compile(r'Referenced column "(?P<name>[^"]+)" (?:was )?not found'),
    re.compile(r'does not have a column named "(?P<name>[^"]+)"'),
    re.compile(r"Table with name (?P<name>\S+) does not exist"),
    re.compile(r"(?:Scalar |Table |Aggregate )?Function with name (?P<name>\S+) does not exist"),
)


def _explained(connection: duckdb.DuckDBPyConnection, error: duckdb.Error) -> CatalogError:
    """Return DuckDB's complaint in a line, with the nearest name that exists."""
    text = str(error)
    first = text.splitlines()[0] if text else type(error).__name__
    for number, pattern in enumerate(_NAMES):
        found = pattern.search(text)
        if found is None:
            continue
        name = found["name"].strip('"').split(".")[-1]
        if number < 2:
            candidates = re.findall(r'"([^"]+)"', text.partition("Candidate bindings:")[2].split("\n")[0])
            near = nearest(name, [*candidates, *_known_names(connection, "columns")])
            return CatalogError(
                "column", value=name, expected=_either(near, "a column that exists"), remedy=_see(near, "columns")
            )
        if number == 2:
            near = nearest(name, _known_names(connection, "tables"))
            return CatalogError(
                "table", value=name, expected=_either(near, "a table that exists"), remedy=_see(near, "tables")
            )
        return CatalogError("function", value=name, expected="a function of DuckDB", remedy="correct its name")
    if "file system operations are disabled" in text or "disabled" in text:
        return CatalogError("the query", value=first, expected="tables of the catalog only", remedy="see `from help`")
    line = re.search(r"^LINE \d+:.*$", text, re.MULTILINE)
    return CatalogError(
        "the query",
        value=first,
        expected="SQL of DuckDB",
        remedy=f"look at {line[0].strip()}" if line else "correct it",
    )


def nearest(name: str, known: Sequence[str]) -> list[str]:
    """Return up to three known names that look like `name`, the nearest first.

    >>> nearest("integrated_loudness", ["integrated_loudness_lufs", "zone"])
    ['integrated_loudness_lufs']
    """
    lowered = name.lower()
    by_lower = {k.lower(): k for k in reversed(known)}
    close = difflib.get_close_matches(lowered, list(by_lower), n=3, cutoff=0.6)
    inside = [k for k in by_lower if len(lowered) > 2 and (lowered in k or k in lowered) and k not in close]
    return [by_lower[k] for k in (close + inside)[:3]]


def _either(near: Sequence[str], otherwise: str) -> str:
    return " or ".join(near) if near else otherwise


def _see(near: Sequence[str], what: str) -> str:
    return "did you mean that?" if near else f"see `from help where kind = '{what.removesuffix('s')}'`"


def _known_names(connection: duckdb.DuckDBPyConnection, what: str) -> list[str]:
    sql = (
        "SELECT DISTINCT column_name FROM duckdb_columns() WHERE database_name = 'catalog' AND NOT internal ORDER BY 1"
        if what == "columns"
        else "SELECT table_name FROM duckdb_tables() WHERE database_name = 'catalog' "
        "UNION ALL SELECT view_name FROM duckdb_views() WHERE database_name = 'catalog' AND NOT internal ORDER BY 1"
    )
    with contextlib.suppress(duckdb.Error):
        return [str(name) for (name,) in connection.cursor().execute(sql).fetchall()]
    return []


# ---- reading whole tables, showing rows ------------------------------------------------------------------------------


def read_table(store: Store, name: str, *, release_id: str | None = None) -> pl.DataFrame:
    """Return all rows of one table or view of a release.

    Raises:
        CatalogError: no catalog yet, or no such table.
    """
    if not re.fullmatch(r"\w+", name):
        raise CatalogError("table", value=name, expected="a table that exists", remedy="see `from help`")
    return run_query(store, f"SELECT * FROM {name}", limit=None, timeout_s=600.0, release_id=release_id).frame  # noqa: S608


def as_json(frame: pl.DataFrame) -> str:
    """Return rows as a JSON array; times are ISO 8601 in UTC."""
    return json.dumps(frame.to_dicts(), default=_plain, ensure_ascii=False, indent=1)


def as_csv(frame: pl.DataFrame) -> str:
    """Return rows as CSV with a header; lists are JSON, times ISO 8601 in UTC, NULL is empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(frame.columns)
    for row in frame.iter_rows():
        writer.writerow([json.dumps(v, default=_plain) if isinstance(v, list | dict) else _cell(v) for v in row])
    return out.getvalue()


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _cell(value: object) -> object:
    return "" if value is None else value if isinstance(value, int | float | str) else _plain(value)
