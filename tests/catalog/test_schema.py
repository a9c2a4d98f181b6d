"""The schema in sql/, the schemas of the stored tables and the documentation say the same; the recipes run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import polars as pl
import pytest

from ace_assets import shipped, tables
from ace_assets.catalog import sql_files
from ace_assets.catalog.query import open_release
from ace_assets.catalog.schema_text import COUNTED_ONLY, LEFT_OUT, SHOWN_IN, describe
from tests.catalog.conftest import Known

SQL_OF = {
    pl.String: "VARCHAR",
    pl.Int64: "BIGINT",
    pl.Float64: "DOUBLE",
    pl.Boolean: "BOOLEAN",
    pl.Datetime: "TIMESTAMP WITH TIME ZONE",
    pl.List: "VARCHAR[]",
    pl.Binary: "BLOB",
}
README = shipped.path("sql") / "README.md"


def catalog_columns(known: Known) -> dict[str, dict[str, tuple[str, str | None]]]:
    with open_release(known.rows.store) as (connection, _):
        rows = connection.execute(
            "SELECT table_name, column_name, data_type, comment FROM duckdb_columns() WHERE database_name = 'catalog'"
        ).fetchall()
    found: dict[str, dict[str, tuple[str, str | None]]] = {}
    for table, column, data_type, comment in rows:
        found.setdefault(table, {})[column] = (data_type, comment)
    return found


def test_every_stored_column_is_in_the_catalog_with_its_type_and_meaning_or_left_out_with_a_reason(
    known: Known,
) -> None:
    shown = catalog_columns(known)
    for table in tables.ALL_TABLES:
        if table.TABLE in COUNTED_ONLY:
            continue
        columns = shown[SHOWN_IN[table.TABLE]]
        docs = tables.column_docs(table)
        for name, dtype in tables.polars_schema(table).items():
            full = f"{table.TABLE}.{name}"
            if full in LEFT_OUT:
                continue
            assert name in columns, f"{full} is not in the catalog: add it to sql/tables or to LEFT_OUT"
            data_type, comment = columns[name]
            assert data_type == SQL_OF[dtype.base_type()], full
            assert comment == docs[name], full


def test_nothing_is_left_out_that_no_longer_exists() -> None:
    stored = {f"{table.TABLE}.{name}" for table in tables.ALL_TABLES for name in tables.polars_schema(table)}
    assert set(LEFT_OUT) <= stored
    assert {table.TABLE for table in tables.ALL_TABLES} == set(SHOWN_IN) | set(COUNTED_ONLY)


def test_every_table_view_and_column_has_a_comment(known: Known) -> None:
    for table, columns in catalog_columns(known).items():
        for column, (_, comment) in columns.items():
            assert comment, f"{table}.{column}"
    with open_release(known.rows.store) as (connection, _):
        bare = connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE comment IS NULL UNION ALL "
            "SELECT view_name FROM duckdb_views() WHERE comment IS NULL AND NOT internal"
        ).fetchall()
    assert bare == []


def test_the_documentation_is_what_the_catalog_says(known: Known) -> None:
    with open_release(known.rows.store) as (connection, _):
        said = describe(connection)
    written = (shipped.path("sql") / "SCHEMA.md").read_text(encoding="utf-8")
    assert written == said, "run `python -m tests.catalog.write_schema`"


def test_measured_quantities_end_in_their_unit(known: Known) -> None:
    units = {
        "loudness": ("_lufs", "_lu"),
        "peak": ("_dbtp",),
        "gain": ("_db",),
        "duration": ("_s",),
        "cost": ("_usd",),
        "bandwidth": ("_hz",),
    }
    for table, columns in catalog_columns(known).items():
        for column, (data_type, _) in columns.items():
            if data_type == "DOUBLE":
                for word, endings in units.items():
                    if word in column:
                        assert column.endswith(endings), f"{table}.{column}"


def test_help_knows_every_table_view_question_and_column(known: Known) -> None:
    with open_release(known.rows.store) as (connection, _):
        kinds = dict(connection.execute("SELECT kind, count(*) FROM help GROUP BY kind").fetchall())
        names = {row[0] for row in connection.execute("SELECT name FROM help").fetchall()}
    assert kinds["question"] == 20
    assert {"tracks", "takes", "gates", "tracks.integrated_loudness_lufs", "ask_yield"} <= names


def test_one_file_makes_one_table_or_view() -> None:
    for part, word in (("tables", "TABLE"), ("release", "TABLE"), ("views", "VIEW")):
        for name, text in sql_files.texts(part):
            made = re.findall(rf"^CREATE {word} (\w+)", text, re.MULTILINE)
            assert made == [name.partition("_")[2]], name


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def beside_the_data(known: Known, tmp_path: Path) -> Path:
    root = known.rows.store.local_root
    assert root is not None
    (tmp_path / "data").symlink_to(root)
    return tmp_path


def test_the_recipes_for_the_duckdb_shell_run(known: Known, beside_the_data: Path) -> None:
    (shell,) = blocks("sql")
    path = (beside_the_data / "data" / "catalog.duckdb").resolve()
    with duckdb.connect(str(path), read_only=True) as connection:
        for statement in connection.extract_statements(shell):
            connection.execute(statement).fetchall()


@pytest.mark.parametrize("number", range(3))
def test_the_recipes_for_python_and_a_notebook_run(beside_the_data: Path, number: int) -> None:
    recipes = blocks("python")
    assert len(recipes) == 3
    env = {**os.environ, "PYTHONPATH": str(shipped.CHECKOUT_DIR)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", recipes[number]],
        cwd=beside_the_data,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_recipes_for_the_command_line_run(beside_the_data: Path) -> None:
    program = shutil.which("ace-assets", path=str(Path(sys.executable).parent))
    assert program is not None
    (commands, _) = blocks("sh")
    for command in commands.strip().splitlines():
        done = subprocess.run(
            command.replace("ace-assets", program, 1),
            shell=True,
            cwd=beside_the_data,
            env={**os.environ, "ACE_DATA_DIR": "data"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, (command, done.stderr)
