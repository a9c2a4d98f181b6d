"""The catalog at full size: building it, asking it, and readers through 200 releases.

    python -m tests.bench.bench_catalog                100,000 tracks and 400,000 takes
    python -m tests.bench.bench_catalog --million      a million tracks as well
    python -m tests.bench.bench_catalog --profile      where the time of a build goes, step by step
    python -m tests.bench.bench_catalog --releases     readers through 200 releases

Prints what was measured beside its budget; decides nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from ace_assets.catalog import ask
from ace_assets.catalog.build import build_release
from tests.catalog.synthetic import make_store

BUILD = """
import json, resource, sys, time
from ace_assets.catalog import steps
from ace_assets.catalog.build import build_release
from ace_assets.store import Store
store = Store.open(sys.argv[1])
with steps.measured() as found:
    cpu, wall = time.process_time(), time.monotonic()
    result = build_release(store, reason="bench", force=sys.argv[2] == "force")
    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"release_id": result.release_id, "wall_s": wall, "cpu_s": cpu, "memory_mb": memory,
                  "tracks": result.rows["tracks"], "takes": result.rows["takes"], "steps": [vars(s) for s in found]}))
"""


def build_in_a_process(root: Path, *, force: bool = True) -> dict[str, Any]:
    """Build in a process of its own, so that its memory is its own."""
    command = [sys.executable, "-c", BUILD, str(root), "force" if force else "if changed"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def show_steps(run: dict[str, Any], *, shortest_s: float = 0.03) -> None:
    """Print the steps of a build; CPU is the whole process's, so that of steps beside each other counts in both."""
    print("    wall s   CPU s  step")
    for step in run["steps"]:
        if step["wall_s"] >= shortest_s:
            print(f"    {step['wall_s']:6.2f}  {step['cpu_s']:6.2f}  {step['name']}")


def measure(tracks: int, *, builds: int, compare: bool, profile: bool = False) -> None:
    """Make a store, build it whole `builds` times and print the best; then ask."""
    with tempfile.TemporaryDirectory(prefix="bench-catalog-") as folder:
        root = Path(folder) / "data"
        make_store(root, tracks)
        runs = [build_in_a_process(root) for _ in range(builds)]
        again = build_in_a_process(root, force=False)
        best = min(runs, key=lambda run: run["wall_s"])
        load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
        print(f"\n{best['tracks']:,} tracks, {best['takes']:,} takes, {load}")
        print(f"  built whole        {best['wall_s']:8.2f} s wall, {best['cpu_s']:.2f} s CPU   (budget 5 s at 100,000)")
        print(f"  nothing changed    {again['wall_s']:8.2f} s wall, {again['cpu_s']:.2f} s CPU")
        print(f"  memory             {max(run['memory_mb'] for run in runs):8.0f} MB                 (budget 1,000)")
        if profile:
            show_steps(best)
        release = root / "releases" / runs[-1]["release_id"]
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
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--releases", action="store_true")
    given = parser.parse_args()
    if given.releases:
        releases(200)
        return
    measure(given.tracks, builds=3, compare=True, profile=given.profile)
    if given.million:
        measure(1_000_000, builds=1, compare=False, profile=given.profile)
    print(f"\nthis process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
