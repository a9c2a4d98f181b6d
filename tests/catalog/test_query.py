"""`run_query`: reading, refusing, explaining."""

from __future__ import annotations

import csv
import io
import json
import time
from pathlib import Path

import pytest

from ace_assets.catalog import query
from ace_assets.catalog.query import as_csv, as_json, pull, run_query
from ace_assets.errors import CatalogError
from ace_assets.store import Store
from tests.catalog.conftest import Known


def test_before_the_first_release_it_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"no catalog in .* yet.*ace-assets run"):
        run_query(Store.open(str(tmp_path)), "select 1")


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select zonee from tracks", "column: zonee, expected zone"),
        ("select t.integrated_loudness from tracks t", "expected integrated_loudness_lufs"),
        ("from trakcs", "table: trakcs, expected tracks"),
        ("select frobnicate(1)", "function: frobnicate"),
        ("selec 1", "look at LINE 1: selec"),
        ("", "nothing"),
        ("select 1; select 2", "select then select"),
        ("create table x as select 1", "read-only"),
        ("create temp table x as select 1", "read-only"),
        ("drop table takes", "read-only"),
        ("update all_tracks set title = ''", "read-only"),
        ("set memory_limit = '1GB'", "read-only"),
        ("attach '/tmp/x.duckdb'", "read-only"),
        ("copy tracks to '/tmp/x.csv'", "read-only"),
        ("install httpfs", "read-only"),
        ("load httpfs", "read-only"),
        ("pragma database_list", "read-only"),
        ("call pragma_version()", "read-only"),
        ("select * from read_csv('/etc/passwd')", "tables of the catalog only"),
        ("select * from read_text('/etc/passwd')", "tables of the catalog only"),
        ("select * from glob('/etc/*')", "tables of the catalog only"),
        ("from '/etc/passwd'", "table: /etc/passwd"),
        ("from '/etc/hosts.csv'", "catalog|table"),
    ],
)
def test_what_may_not_or_cannot_be_run_is_explained_in_one_line(known: Known, sql: str, expected: str) -> None:
    with pytest.raises(CatalogError, match=expected) as caught:
        run_query(known.rows.store, sql)
    assert "\n" not in str(caught.value)


def test_a_python_object_with_the_name_of_a_table_is_not_a_table(known: Known) -> None:
    trakcs = [1, 2, 3]
    with pytest.raises(CatalogError, match="table: trakcs"):
        run_query(known.rows.store, "from trakcs")
    assert trakcs


@pytest.mark.parametrize("sql", ["from takes", "with t as (from takes) from t", "select * from takes order by take_id"])
def test_a_long_answer_is_cut_and_says_so(known: Known, sql: str) -> None:
    found = run_query(known.rows.store, sql, limit=10)
    assert found.frame.height == 10
    assert "10 rows" in found.note
    whole = run_query(known.rows.store, sql, limit=None)
    assert whole.frame.height == known.rows.takes.height
    assert whole.note == ""


def test_the_order_survives_the_limit(known: Known) -> None:
    found = run_query(known.rows.store, "select take_id from takes order by take_id desc", limit=5).frame
    assert found["take_id"].to_list() == sorted(known.rows.takes["take_id"], reverse=True)[:5]


def test_describing_summarizing_and_explaining_work(known: Known) -> None:
    assert "zone" in run_query(known.rows.store, "describe tracks").frame["column_name"].to_list()
    assert run_query(known.rows.store, "summarize cells").frame.height > 5
    assert run_query(known.rows.store, "explain from tracks").frame.height > 0


def test_a_slow_query_is_stopped(known: Known) -> None:
    started = time.monotonic()
    with pytest.raises(CatalogError, match=r"stopped after 0\.5 s"):
        run_query(known.rows.store, "select sum(sin(a.range)) from range(1000000) a, range(1000000) b", timeout_s=0.5)
    assert time.monotonic() - started < 30


def test_times_are_utc_and_lists_survive_json_and_csv(known: Known) -> None:
    frame = run_query(known.rows.store, "select track_id, mastered_at, instruments, cost_usd from tracks limit 3").frame
    rows = json.loads(as_json(frame))
    assert rows[0]["mastered_at"].endswith("+00:00")
    assert rows[0]["instruments"] == ["piano", "upright bass"]
    lines = list(csv.DictReader(io.StringIO(as_csv(frame))))
    assert [line["track_id"] for line in lines] == frame["track_id"].to_list()
    assert json.loads(lines[0]["instruments"]) == ["piano", "upright bass"]


def test_an_older_release_can_be_asked_and_an_unknown_one_is_said(known: Known) -> None:
    found = run_query(known.rows.store, "select 1", release_id=known.result.release_id)
    assert found.release_id == known.result.release_id
    with pytest.raises(CatalogError, match="the latest are"):
        run_query(known.rows.store, "select 1", release_id="20200101T000000000000-00000000")


def test_a_whole_table_can_be_read(known: Known) -> None:
    assert query.read_table(known.rows.store, "takes").height == known.rows.takes.height
    with pytest.raises(CatalogError, match="table"):
        query.read_table(known.rows.store, "takes; drop table takes")


def test_a_pulled_copy_is_verified_and_replaces_the_one_before(known: Known, tmp_path: Path) -> None:
    target = tmp_path / "copies" / "catalog.duckdb"
    assert pull(known.rows.store, target) == target
    with query.open_file(target) as connection:
        assert connection.execute("select count(*) from takes").fetchall() == [(known.rows.takes.height,)]
    copied = target.resolve()
    before = copied.stat().st_mtime_ns
    pull(known.rows.store, target)
    assert copied.stat().st_mtime_ns == before, "what is whole is not copied again"
    copied.chmod(0o644)
    copied.write_bytes(b"half")
    pull(known.rows.store, target)
    assert copied.stat().st_size > 4


def test_a_file_that_is_no_catalog_is_said(tmp_path: Path) -> None:
    path = tmp_path / "catalog.duckdb"
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(CatalogError, match="expected a catalog file"), query.open_file(path):
        pass
    with pytest.raises(CatalogError, match="missing"), query.open_file(tmp_path / "none.duckdb"):
        pass
