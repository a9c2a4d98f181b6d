"""Bringing what a release is built from into reach of its SQL, as tables and views of a database named `stage`.

    read_takes, read_take_scores, read_masters     every manifest that can be read
    takes, take_scores, masters                    the same without what two cells claim
    events, runs                                   the log
    cells, planned_prompts, planned_takes          the current plan; empty before the first
    prompts                                        the plan's, and older ones that something still refers to
    stored_cells, master_files                     which cells have manifests, which masters have files
    findings, packages, package_tracks, claims, questions, this_release, earlier_tracks

What belongs here: staging. What does not: the catalog's own tables (`sql/`) and the order of a build (`build`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow.parquet as pq

from ace_assets import shipped, tables
from ace_assets.catalog import snapshot, sql_files
from ace_assets.catalog.earlier import Earlier
from ace_assets.catalog.snapshot import Finding, Snapshot, read_files
from ace_assets.errors import StoreError
from ace_assets.store import Store
from ace_assets.toml_section import read_toml

FINDINGS = {
    "finding": pl.String(),
    "cell": pl.String(),
    "thing": pl.String(),
    "problem": pl.String(),
    "remedy": pl.String(),
    "held_back": pl.Boolean(),
}
CONTESTED = {"kind": pl.String(), "thing": pl.String(), "cell": pl.String()}
CLAIMS = {
    "topic": pl.String(),
    "subject": pl.String(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "unit": pl.String(),
    "source": pl.String(),
}
THIS_RELEASE = {
    "release_id": pl.String(),
    "built_at": tables.UTC_TIME,
    "reason": pl.String(),
    "previous_release_id": pl.String(),
    "plan_id": pl.String(),
    "campaign": pl.String(),
    "content_id": pl.String(),
    "ace_assets_version": pl.String(),
}


def put_frame(connection: duckdb.DuckDBPyConnection, name: str, frame: pl.DataFrame) -> None:
    """Make a frame the table `stage.<name>`."""
    connection.register("incoming", frame.to_arrow())
    connection.execute(f"CREATE TABLE stage.{name} AS SELECT * FROM incoming")  # noqa: S608
    connection.unregister("incoming")


def put_files(connection: duckdb.DuckDBPyConnection, name: str, paths: list[Path], *, columns: str = "*") -> None:
    """Make Parquet files the view `stage.<name>`."""
    connection.execute(f"CREATE VIEW stage.{name} AS SELECT {columns} FROM {read_files(paths)}")  # noqa: S608


def put_store(
    connection: duckdb.DuckDBPyConnection, pinned: Snapshot, plan_files: dict[type[tables.Table], Path]
) -> None:
    """Stage the pinned tables and the plan."""
    put_files(connection, "read_takes", pinned.files["takes"])
    put_files(connection, "read_take_scores", pinned.files["take_scores"])
    # Small enough to keep, and read many times; the waveform is a picture, not a fact.
    for stored, name, columns in (
        ("masters", "read_masters", "* EXCLUDE (waveform)"),
        ("events", "events", "*"),
        ("runs", "runs", "*"),
    ):
        source = read_files(pinned.files[stored])
        connection.execute(f"CREATE TABLE stage.{name} AS SELECT {columns} FROM {source}")  # noqa: S608
    for table, path in plan_files.items():
        put_files(connection, "planned_prompts" if table is tables.Prompts else table.TABLE, [path])
    put_frame(connection, "stored_cells", pl.DataFrame({"cell": sorted(pinned.stored_cells)}, {"cell": pl.String}))


def pin_plan(store: Store, plan_id: str | None, folder: Path) -> dict[type[tables.Table], Path]:
    """Return the tables of the plan as local files of the present version.

    Raises:
        SchemaError: the plan cannot be read, or is newer than this code.
        StoreError: the plan is missing.
    """
    return {table: _plan_file(store, plan_id, table, folder) for table in snapshot.PLAN_TABLES}


def _plan_file(store: Store, plan_id: str | None, table: type[tables.Table], folder: Path) -> Path:
    """Return one table of the plan as a local file of the present version (empty before the first plan)."""
    path = folder / f"plan-{table.TABLE}.parquet"
    if plan_id is None:
        path.write_bytes(tables.to_parquet(table, tables.empty(table)))
        return path
    path.unlink(missing_ok=True)
    key = store.pin_plan_table(plan_id, table, path)
    header = tables.header_of(path.read_bytes(), name=f"{store.uri}/{key}")
    if header.get("table") != table.TABLE or header.get("version") != table.VERSION:
        frame, _ = tables.from_parquet(table, path.read_bytes(), name=f"{store.uri}/{key}")
        path.unlink()
        path.write_bytes(tables.to_parquet(table, frame))
    return path


def query(connection: duckdb.DuckDBPyConnection, name: str) -> list[dict[str, Any]]:
    """Return the rows of one file of `sql/stage`."""
    text = (sql_files.folder("stage") / f"{name}.sql").read_text(encoding="utf-8")
    rows: list[dict[str, Any]] = connection.sql(text).pl().to_dicts()
    return rows


def put_trusted(connection: duckdb.DuckDBPyConnection) -> list[Finding]:
    """Stage the manifests without what two cells claim, and return that."""
    doubtful = query(connection, "any_claimed_twice")[0]["doubtful"]
    contested = query(connection, "claimed_twice") if doubtful else []
    put_frame(
        connection,
        "contested",
        pl.DataFrame([[row[name] for name in CONTESTED] for row in contested], CONTESTED, orient="row"),
    )
    for table, kind in ((tables.Takes, "take"), (tables.TakeScores, "take"), (tables.Masters, "track")):
        without = (
            f"ANTI JOIN (FROM stage.contested WHERE kind = '{kind}') AS x ON x.thing = r.{kind}_id AND x.cell = r.cell"
            if contested
            else ""
        )
        source = f"SELECT r.* FROM stage.read_{table.TABLE} AS r {without}"  # noqa: S608
        connection.execute(f"CREATE VIEW stage.{table.TABLE} AS {source}")
    return [_finding(row) for row in contested]


def put_master_files(connection: duckdb.DuckDBPyConnection, files: pl.DataFrame) -> list[Finding]:
    """Stage which masters have files, and return those of the trusted manifests whose audio is not there."""
    put_frame(connection, "master_files", files)
    return [_finding(row) for row in query(connection, "missing_audio")]


def _finding(row: dict[str, Any]) -> Finding:
    return Finding(row["finding"], row["cell"], row["thing"], row["problem"], row["remedy"])


def put_prompts(connection: duckdb.DuckDBPyConnection, store: Store, plan_id: str | None) -> None:
    """Stage the plan's prompts and those of older plans that a take or a track still refers to."""
    unknown: dict[str, str | None] = {row["prompt_id"]: row["plan_id"] for row in query(connection, "unknown_prompts")}
    found = [tables.empty(tables.Prompts)]
    likely = [plan for plan in dict.fromkeys(unknown.values()) if plan is not None]
    others = (plan for plan in store.plan_ids() if plan not in likely) if unknown else iter(())
    for candidate in (*likely, *others):
        if not unknown:
            break
        if candidate == plan_id:
            continue
        try:
            prompts = store.plan_table(candidate, tables.Prompts)
        except StoreError:
            continue  # an older plan that cannot be read: its prompts stay unknown, their columns NULL
        prompts = prompts.filter(pl.col("prompt_id").is_in(list(unknown)))
        found.append(prompts)
        for prompt_id in prompts["prompt_id"]:
            unknown.pop(prompt_id, None)
    put_frame(connection, "older_prompts", pl.concat(found))
    connection.execute(
        "CREATE VIEW stage.prompts AS SELECT *, true AS in_plan FROM stage.planned_prompts "
        "UNION ALL BY NAME SELECT *, false AS in_plan FROM stage.older_prompts"
    )


def put_facts(
    connection: duckdb.DuckDBPyConnection, findings: list[Finding], packages: pl.DataFrame, package_tracks: pl.DataFrame
) -> None:
    """Stage what comes from elsewhere than the manifests."""
    put_frame(connection, "findings", pl.DataFrame([vars(finding) for finding in findings], FINDINGS))
    put_frame(connection, "packages", packages)
    put_frame(connection, "package_tracks", package_tracks)
    put_frame(connection, "claims", claims_frame())
    questions = [
        {
            "number": asked.number,
            "name": asked.name,
            "purpose": asked.purpose,
            "parameters": ", ".join(f"{p.name} = {sql_files.sql_literal(p.default)}" for p in asked.params) or None,
            "sql": asked.sql,
        }
        for asked in sql_files.questions()
    ]
    put_frame(connection, "questions", pl.DataFrame(questions))


def claims_frame() -> pl.DataFrame:
    """Return the claimed seconds per take and the market price of a track, from gpu/prices.toml."""
    book = read_toml(shipped.path("gpu") / "prices.toml")
    rates, mureka = book["rates"], book["mureka"]
    rows: list[tuple[Any, ...]] = [
        ("take_seconds", gpu, rate.get("low_s"), rate["high_s"], "s per take", rates["source"])
        for gpu, rate in rates["gpus"].items()
    ]
    rows.append(("track_price", "Mureka", None, mureka["usd"] / mureka["tracks"], "USD per track", mureka["source"]))
    return pl.DataFrame(rows, CLAIMS, orient="row", strict=False)


def put_release(connection: duckdb.DuckDBPyConnection, earlier: Earlier, row: dict[str, Any]) -> None:
    """Stage what is known of the release itself, and the tracks of the one before it."""
    put_frame(connection, "this_release", pl.DataFrame([row], THIS_RELEASE))
    tracks = earlier.files.get("tracks")
    if tracks is None:
        connection.execute("CREATE VIEW stage.earlier_tracks AS SELECT * FROM rel.main.all_tracks WHERE false")
    else:
        put_files(connection, "earlier_tracks", [tracks])


def carry_over(connection: duckdb.DuckDBPyConnection, earlier: Earlier) -> None:
    """Add the rows that earlier releases wrote of themselves; columns that are gone since are left behind."""
    for name in ("releases", "release_changes"):
        path = earlier.files.get(name)
        if path is not None:
            present = {row[0] for row in connection.execute(f"DESCRIBE {name}").fetchall()}
            carried = ", ".join(column for column in pq.read_schema(path).names if column in present)
            connection.execute(f"INSERT INTO {name} BY NAME SELECT {carried} FROM {read_files([path])}")  # noqa: S608
