"""Readers in this process and in others while releases come and go."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import polars as pl

from ace_assets.catalog.build import build_release
from ace_assets.catalog.query import run_query
from tests.catalog.synthetic import Synthetic, make_store

RELEASES = 4  # 200 in tests/bench/bench_catalog.py

READER = """
import sys, time
from ace_assets.catalog.query import run_query
from ace_assets.store import Store
store, done = Store.open(sys.argv[1]), sys.argv[2]
import pathlib
count = 0
while count < 2 or not pathlib.Path(done).exists():
    frame = run_query(store, "select (select count(*) from takes), (select max(release_id) from releases)").frame
    assert frame.item(0, 0) == int(sys.argv[3]), frame
    count += 1
print(count)
"""

PLAIN_READER = """
import sys, pathlib, duckdb
link, done = pathlib.Path(sys.argv[1]), sys.argv[2]
count = 0
while count < 2 or not pathlib.Path(done).exists():
    with duckdb.connect(str(link.resolve()), read_only=True) as catalog:
        assert catalog.execute("select count(*) from takes").fetchall() == [(int(sys.argv[3]),)]
    count += 1
print(count)
"""

CARELESS = """
import sys, time, duckdb
catalog = duckdb.connect(sys.argv[1])
catalog.execute("update all_tracks set title = 'spoilt'")
print("wrote", flush=True)
time.sleep(120)
"""


def start(code: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ))


def make(tmp_path: Path) -> Synthetic:
    made = make_store(tmp_path / "data", 12, cells=6, seed=3)
    build_release(made.store, reason="first")
    return made


def test_readers_in_loops_see_no_error_and_no_partial_release(tmp_path: Path) -> None:
    made = make(tmp_path)
    done = tmp_path / "done"
    root = made.store.local_root
    assert root is not None
    takes = str(made.takes.height)
    others = [
        start(READER, made.store.uri, str(done), takes),
        start(PLAIN_READER, str(root / "catalog.duckdb"), str(done), takes),
    ]
    seen: list[str] = []
    failures: list[BaseException] = []

    def read() -> None:
        try:
            while not done.exists():
                found = run_query(made.store, "select count(*), (select max(release_id) from releases) from takes")
                assert found.frame.item(0, 0) == made.takes.height
                assert found.frame.item(0, 1) == found.release_id
                seen.append(found.release_id)
        except BaseException as error:
            failures.append(error)

    here = threading.Thread(target=read)
    here.start()
    ids = [build_release(made.store, reason=str(n), force=True, keep=3).release_id for n in range(RELEASES)]
    done.write_text("")
    here.join(timeout=60)
    for process in others:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert int(out) >= 2
    assert not failures
    assert seen == sorted(seen), "a reader never goes back to an older release"
    assert run_query(made.store, "select 1").release_id == ids[-1]


def test_a_reader_that_forgot_read_only_and_was_killed_mid_write_harms_nobody(tmp_path: Path) -> None:
    made = make(tmp_path)
    root = made.store.local_root
    assert root is not None
    path = root / "releases" / f"{made.store.current_release_id()}.duckdb"
    path.chmod(0o644)  # as the superuser sees it
    careless = start(CARELESS, str(root / "catalog.duckdb"))
    assert careless.stdout is not None
    assert careless.stdout.readline().strip() == "wrote"
    spoilt = "select count(*) from tracks where title = 'spoilt'"
    assert run_query(made.store, spoilt).frame.item() == 0, "while it holds the file"
    os.kill(careless.pid, signal.SIGKILL)
    careless.communicate()
    assert path.with_name(path.name + ".wal").exists()
    assert run_query(made.store, spoilt).frame.item() == 0, "with its log left beside the file"
    second = build_release(made.store, reason="second", force=True, keep=1)
    found = run_query(made.store, spoilt)
    assert (found.frame.item(), found.release_id) == (0, second.release_id)
    assert [p.name for p in (root / "releases").glob("*.wal")] == []


def test_a_reconnect_sees_the_new_release_while_an_old_connection_is_open(tmp_path: Path) -> None:
    made = make(tmp_path)
    root = made.store.local_root
    assert root is not None
    link = root / "catalog.duckdb"
    count = "select count(*) from releases"
    with duckdb.connect(str(link.resolve()), read_only=True) as old:
        assert old.execute(count).fetchall() == [(1,)]
        build_release(made.store, reason="second", force=True, keep=1)
        assert old.execute(count).fetchall() == [(1,)], "an open connection keeps its release, also a deleted one"
        assert run_query(made.store, count).frame.item() == 2
        with duckdb.connect(str(link.resolve()), read_only=True) as new:
            assert new.execute(count).fetchall() == [(2,)]


def test_other_connections_of_this_process_with_other_settings_do_not_matter(tmp_path: Path) -> None:
    made = make(tmp_path)
    root = made.store.local_root
    assert root is not None
    path = str((root / "catalog.duckdb").resolve())
    with duckdb.connect(path, read_only=True, config={"threads": "1"}):
        assert run_query(made.store, "select count(*) from takes").frame.item() == made.takes.height


def test_a_query_sees_one_release_from_beginning_to_end(tmp_path: Path) -> None:
    made = make(tmp_path)
    found = run_query(made.store, "select count(distinct release_id) as n from releases").frame
    assert isinstance(found, pl.DataFrame)
    assert found["n"].to_list() == [1]
