"""kill -9 of a worker at each stage: the next run goes on where it stopped, nothing is lost, doubled or stuck."""

from __future__ import annotations

import datetime as dt
import signal
import subprocess
import sys
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from dagster import DagsterRunStatus

from ace_assets import tables
from ace_assets.automation.recovery import GRACE_S, recover
from ace_assets.automation.upkeep import prune_rejected, purge_runs
from ace_assets.preview.process import running_preview
from tests.automation.deployment import REPOSITORY, WAIT_S, Deployment, preview_stats

pytestmark = pytest.mark.timeout(1200)
MOMENTS = [  # the cell, what had just happened, how often, and how long ago
    (1, "take_submitted", 1, 0.3),  # the server is at work on it
    (1, "take_stored", 1, 0.0),
    (1, "take_scored", 1, 0.0),
    (1, "track_mastered", 1, 0.0),
    (2, "take_stored", 2, 0.0),  # all of them, and the manifest says nothing of it
    (2, "track_mastered", 1, 0.0),
]


def killed_at(deployment: Deployment, kind: str, count: int, delay_s: float, cell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.automation.killed_at", kind, str(count), str(delay_s), cell],
        cwd=REPOSITORY,
        env=deployment.env,
        capture_output=True,
        timeout=WAIT_S,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, (done.stdout + done.stderr).decode()


def slots_taken(instance: dg.DagsterInstance) -> int:
    return sum(
        instance.event_log_storage.get_concurrency_info(key).active_slot_count
        for key in instance.event_log_storage.get_concurrency_keys()
    )


def test_a_worker_killed_at_any_stage_leaves_nothing_lost_doubled_or_stuck(tmp_path: Path) -> None:
    with running_preview(faults="service_s=1") as preview:
        deployment = Deployment(tmp_path, preview.url)
        deployment.prepare(cells=3)
        cells = deployment.planned()["cell"].unique(maintain_order=True).to_list()
        deployment.command("run", "--cells", cells[0], "--workers", "1")
        kept = deployment.files_of(cells[:1])
        for place, kind, count, delay_s in MOMENTS:
            killed_at(deployment, kind, count, delay_s, cells[place])
            with deployment.instance() as instance:
                (orphan,) = instance.get_runs(dg.RunsFilter(statuses=[DagsterRunStatus.STARTED]))
                assert [mended.run_id for mended in recover(instance)] == [orphan.run_id], kind
                ended = instance.get_run_by_id(orphan.run_id)
                assert ended is not None
                assert ended.status == DagsterRunStatus.FAILURE
                assert slots_taken(instance) == 0
                assert recover(instance) == []
        said = deployment.command("run", "--workers", "1").stdout
        assert "2 cells to do, 0 takes to make" in said
        assert "3 of 3 tracks mastered in 3 of 3 cells" in said
        assert deployment.files_of(cells[:1]) == kept
        seeds = {str(seed) for seed in deployment.planned()["seed"]}
        rendered = preview_stats(preview.url)["rendered"]
        assert {key: n for key, n in rendered.items() if key.split(":")[0] in seeds and n != 1} == {}
        store = deployment.store
        for cell in cells[1:]:
            masters = store.manifest(cell, tables.Masters)
            assert masters is not None
            assert masters["track_id"].is_unique().all()
        store.sweep_partials(older_than_s=0)
        assert list(tmp_path.joinpath("data").rglob("*.partial")) == []
        assert prune_rejected(store) == 0
        scores = store.manifest(cells[1], tables.TakeScores)
        assert scores is not None
        rejected = scores["take_id"][0]  # as if its run had been killed between the verdict and the deletion
        with store.cell_lease(cells[1]) as lease:
            store.publish_manifest(
                cells[1],
                tables.TakeScores,
                scores.with_columns(
                    fate=pl.when(pl.col("take_id") == rejected).then(pl.lit("rejected")).otherwise("fate")
                ),
                lease=lease,
                plan_id="test",
            )
            assert prune_rejected(store) == 0
        assert prune_rejected(store) == 1
        assert not store.has_take(rejected)
        with deployment.instance() as instance:
            assert purge_runs(instance, keep_days=30) == 0
            runs = instance.get_runs_count()
            assert purge_runs(instance, keep_days=-1) == runs
            assert instance.get_runs() == []


def test_a_run_that_is_alive_or_only_just_starting_is_left_alone(tmp_path: Path) -> None:
    from dagster._core.test_utils import create_run_for_test

    deployment = Deployment(tmp_path, "")
    deployment.prepare(cells=1)
    with deployment.instance() as instance:
        living = create_run_for_test(instance, status=DagsterRunStatus.STARTED)
        holder = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import sys; from ace_assets.assets.work import mark_alive; mark_alive(sys.argv[1]); print(1, flush=True);"
                "sys.stdin.read()",
                living.run_id,
            ],
            cwd=REPOSITORY,
            env=deployment.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"1\n"
            starting = create_run_for_test(instance, status=DagsterRunStatus.STARTING)
            create_run_for_test(instance, status=DagsterRunStatus.NOT_STARTED)
            later = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=GRACE_S + 1)
            assert recover(instance) == []
            assert [mended.run_id for mended in recover(instance, now=later)] == [starting.run_id]
        finally:
            holder.kill()
            holder.communicate()
        assert [mended.run_id for mended in recover(instance)] == [living.run_id]
