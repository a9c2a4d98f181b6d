"""The catalog at full size: building it, asking it, and readers through 200 releases.

    python -m tests.bench.bench_catalog                100,000 tracks and 400,000 takes
    python -m tests.bench.bench_catalog --million      a million tracks as well
    python -m tests.bench.bench_catalog --releases     readers through 200 releases

Prints what was measured beside its budget; decides nothing.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import polars as pl

from ace_assets.catalog import ask
from ace_assets.catalog.build import build_release
from tests.catalog.synthetic import make_store

BUILD = """
import resource, sys, time
from ace_assets.catalog.build import build_release
from ace_assets.store import Store
store = Store.open(sys.argv[1])
cpu, wall = time.process_time(), time.monotonic()
result = build_release(store, reason="bench", force=True)
print(result.release_id, time.monotonic() - wall, time.process_time() - cpu,
      resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, result.rows["tracks"], result.rows["takes"])
"""


def build_in_a_process(root: Path) -> list[str]:
    """Build in a process of its own, so that its memory is its own."""
    done = subprocess.run([sys.executable, "-c", BUILD, str(root)], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1].split()


def measure(tracks: int, *, compare: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-catalog-") as folder:
        root = Path(folder) / "data"
        make_store(root, tracks)
        runs = [build_in_a_process(root) for _ in range(3)]
        best = min(runs, key=lambda run: float(run[1]))
        print(
            f"\n{int(best[4]):,} tracks, {int(best[5]):,} takes, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
        )
        print(
            f"  built whole        {float(best[1]):8.2f} s wall, {float(best[2]):.2f} s CPU   (budget 5 s at 100,000)"
        )
        print(f"  memory             {max(float(run[3]) for run in runs):8.0f} MB                 (budget 1,000)")
        release = root / "releases" / runs[-1][0]
        print(f"  size               {release.with_suffix('.duckdb').stat().st_size / 1e6:8.0f} MB")
        sql_ms = ask_all(release.with_suffix(".duckdb"))
        slowest = max(sql_ms, key=lambda name: sql_ms[name])
        print(f"  slowest question   {sql_ms[slowest]:8.1f} ms, {slowest}   (budget 50 warm)")
        print(f"  twenty questions   {sum(sql_ms.values()):8.1f} ms")
        if compare:
            pandas_ms = ask_pandas(release)
            print(f"  the same in pandas {sum(pandas_ms.values()):8.1f} ms")
            print(f"  ratio              {sum(pandas_ms.values()) / sum(sql_ms.values()):8.1f} x   (budget 5 x)")
        for name, took in sorted(sql_ms.items(), key=lambda item: -item[1])[:6]:
            print(f"    {name:26} {took:7.1f} ms")


def ask_all(path: Path) -> dict[str, float]:
    """Return the best of five warm runs of every question, in milliseconds."""
    took = {}
    with duckdb.connect(str(path), read_only=True) as connection:
        for question in ask.list_questions():
            sql = question.with_defaults()
            times = []
            for _ in range(6):
                started = time.perf_counter()
                connection.execute(sql).fetchall()
                times.append(time.perf_counter() - started)
            took[question.name] = 1000 * min(times[1:])
    return took


def ask_pandas(release: Path) -> dict[str, float]:
    """Return the best of two warm runs of every question in pandas, in milliseconds; reading is not counted."""
    from tests.bench.pandas_questions import NAMES, QUESTIONS

    frames = {name: pl.read_parquet(release / f"{name}.parquet").to_pandas() for name in NAMES}
    took = {}
    for name, question in QUESTIONS.items():
        times = []
        for _ in range(2):
            started = time.perf_counter()
            question(frames)
            times.append(time.perf_counter() - started)
        took[name] = 1000 * min(times)
    return took


READER = """
import pathlib, sys, time
from ace_assets.catalog.query import run_query
from ace_assets.store import Store
store, times, seen = Store.open(sys.argv[1]), [], set()
while not pathlib.Path(sys.argv[2]).exists():
    started = time.perf_counter()
    found = run_query(store, "select count(*), (select max(release_id) from releases) from takes")
    times.append(time.perf_counter() - started)
    assert found.frame.item(0, 0) == int(sys.argv[3]) and found.frame.item(0, 1) == found.release_id
    seen.add(found.release_id)
tenth = max(1, len(times) // 10)
print(len(times), len(seen), 1000 * sum(times[:tenth]) / tenth, 1000 * sum(times[-tenth:]) / tenth)
"""


def releases(count: int) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-catalog-") as folder:
        root = Path(folder) / "data"
        made = make_store(root, 200, cells=10)
        build_release(made.store, reason="first")
        done = Path(folder) / "done"
        command = [sys.executable, "-c", READER, str(root), str(done), str(made.takes.height)]
        readers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        for number in range(count):
            build_release(made.store, reason=str(number), force=True, keep=5)
        done.write_text("")
        print(f"\nreaders through {count} releases")
        for reader in readers:
            out, _ = reader.communicate()
            queries, seen, first_ms, last_ms = out.split()
            print(f"  {queries} queries, {seen} releases seen, exit {reader.returncode}")
            print(f"    first tenth {float(first_ms):.1f} ms a query, last tenth {float(last_ms):.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tracks", type=int, default=100_000)
    parser.add_argument("--million", action="store_true")
    parser.add_argument("--releases", action="store_true")
    given = parser.parse_args()
    if given.releases:
        releases(200)
        return
    measure(given.tracks, compare=True)
    if given.million:
        measure(1_000_000, compare=False)
    print(f"\nthis process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
