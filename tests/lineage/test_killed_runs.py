"""A run that is killed at any moment is completed by the next one, and pays for nothing twice."""

from __future__ import annotations

import contextlib
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
import soundfile as sf

from ace_assets import tables
from ace_assets.acestep.capabilities import CLIP_SEED
from ace_assets.packages.verify import verify
from ace_assets.preview.process import running_preview
from ace_assets.store import Store
from tests.lineage.support import command, environment, row_of, small_config, started, stats

MOMENTS = 10
TINY = {"duration_min_s": 12, "duration_max_s": 12, "target_tracks": 2, "takes_per_prompt": 2}


def finished_takes(data: Path) -> set[str]:
    return {path.stem for path in data.glob("takes/*/*.flac")}


def assert_nothing_half_written(data: Path) -> None:
    """Every audio file and table that is visible under its final name can be read to its end."""
    for path in [*data.glob("takes/*/*.flac"), *data.glob("masters/*/*.flac"), *data.glob("masters/*/*.mp3")]:
        frames = sf.info(path).frames
        assert len(sf.read(path)[0]) == frames > 0, path
    for path in [*data.glob("cells/*/*.parquet"), *data.glob("plans/*/*.parquet"), *data.glob("events/*/*.parquet")]:
        pl.read_parquet(path)
    link = data / "catalog.duckdb"
    assert not link.is_symlink() or link.resolve().is_file()


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, object]]:
    """Run the same campaign again and again, each time killed at another moment, then once to its end."""
    folder = tmp_path_factory.mktemp("killed")
    data = folder / "data"
    config = small_config(
        folder / "config", rows=[row_of(zone, **TINY) for zone in ("lobby", "retail", "spa")], tracks=6, cells=3
    )
    moments = random.Random(20251125)
    asked_again: set[int] = set()
    with running_preview(faults="service_s=0.8") as preview:
        env = environment(data, config, ACE_SERVERS=preview.url)
        for number in range(MOMENTS):
            before = finished_takes(data)
            asked_before = submitted_jobs(preview.url)
            process = started("run", env=env, log=folder / "log")
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=2.0 + number * 0.9 + moments.random())
            process.kill()  # of a run that has ended already, nothing is left to kill
            process.wait()
            time.sleep(1.5)  # workers end with the command
            assert_nothing_half_written(data)
            asked = submitted_jobs(preview.url)
            asked_again |= {seed for seed in seeds_of(data, before) if asked[seed] > asked_before[seed]}
        last = command("run", env=env)
        yield {"data": data, "last": last, "asked_again": asked_again, "url": preview.url}


def submitted_jobs(url: str) -> dict[int, int]:
    """Return how often each seed was asked for; the clips that test a server's seeds are no takes."""
    seeds = {int(key.split(":")[0]): count for key, count in stats(url)["submitted"].items()}
    return {seed: count for seed, count in seeds.items() if seed != CLIP_SEED}


def seeds_of(data: Path, take_ids: set[str]) -> set[int]:
    store = Store.open(str(data))
    plan_id = store.current_plan_id()
    if plan_id is None:
        return set()
    planned = store.plan_table(plan_id, tables.PlannedTakes)
    return set(planned.filter(pl.col("take_id").is_in(list(take_ids)))["seed"])


@pytest.mark.xdist_group("killed")
@pytest.mark.timeout(420)
class TestKilledRuns:
    def test_the_next_run_completes_the_campaign(self, killed: dict[str, object]) -> None:
        last = killed["last"]
        assert last.returncode == 0, last.stdout + last.stderr
        assert "6 of 6 tracks mastered in 3 of 3 cells" in last.stdout

    def test_no_finished_take_was_asked_for_again(self, killed: dict[str, object]) -> None:
        assert killed["asked_again"] == set()
        counts = submitted_jobs(killed["url"])
        planned = 12
        assert len(counts) == planned
        assert sum(counts.values()) <= planned + MOMENTS * 3  # a kill repeats at most what one server was holding

    def test_every_package_verifies(self, killed: dict[str, object]) -> None:
        packages = [path for path in (killed["data"] / "packages").iterdir() if not path.name.startswith(".")]
        assert len(packages) == 3
        for package in packages:
            assert verify(package).problems == ()

    def test_nothing_half_written_is_left_under_a_final_name(self, killed: dict[str, object]) -> None:
        assert_nothing_half_written(killed["data"])

    def test_a_second_run_makes_nothing(self, killed: dict[str, object], tmp_path: Path) -> None:
        data = killed["data"]
        times = {path: path.stat().st_mtime_ns for path in data.glob("*/*/*") if path.suffix in {".flac", ".mp3"}}
        env = environment(data, data.parent / "config", ACE_SERVERS=str(killed["url"]))
        before = stats(killed["url"])["submitted_jobs"]
        again = command("run", env=env)
        assert again.returncode == 0, again.stderr
        assert "0 cells to do, 0 takes to make" in again.stdout
        assert stats(killed["url"])["submitted_jobs"] == before
        assert {path: path.stat().st_mtime_ns for path in times} == times
