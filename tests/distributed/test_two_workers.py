"""The lineage on PostgreSQL, Redis and S3 with two Celery workers: only configuration differs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg
import polars as pl
import pytest
from dagster import DagsterRunStatus

from ace_assets import shipped, tables
from ace_assets.preview.process import running_preview
from tests.automation.deployment import CELL_ASSETS, TERMINAL, Deployment, deployed, preview_stats, set_faults, until
from tests.distributed.services import BUCKET, Worker, missing, services, worker
from tests.requires import needs
from tests.ui.browser import browsing, rerun_failed_and_missing

LACKING = missing()
pytestmark = [
    pytest.mark.distributed,
    pytest.mark.xdist_group("distributed"),
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        bool(LACKING) and os.environ.get("ACE_REQUIRE_ALL") != "1", reason=f"{', '.join(LACKING)} not installed here"
    ),
]


@dataclass(frozen=True)
class Fleet:
    """The deployment, its two workers, its server, the three cells that fail and the nine others."""

    deployment: Deployment
    workers: tuple[Worker, Worker]
    url: str
    bad: list[str]
    good: list[str]


def objects(deployment: Deployment, cells: list[str]) -> dict[str, tuple[int, str]]:
    """Return size and etag of everything in the bucket that is named after some cells."""
    blobs = deployment.store.blobs
    found = {}
    for cell in cells:
        for folder in ("cells", "events", "runs"):
            for key in blobs.keys(f"{folder}/{cell}/"):
                stat = blobs.stat(key)
                assert stat is not None
                found[key] = (stat.size_bytes, stat.etag)
    return found


def cells_of(runs: list[dg.DagsterRun]) -> list[str]:
    return sorted(run.tags["dagster/partition"] for run in runs)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    root = tmp_path_factory.mktemp("distributed")
    with services(root / "logs") as env, running_preview(faults="service_s=0.3") as preview:
        deployment = Deployment(root, preview.url, extra=env, data=f"s3://{BUCKET}/night")
        configuration = (shipped.path("dagster_home") / "distributed" / "dagster.yaml").read_text(encoding="utf-8")
        # without the queue's limit the lease alone keeps two workers from one cell
        deployment.prepare(cells=12, dagster_yaml=configuration.replace("        limit: 1\n", "        limit: 2\n"))
        takes = deployment.planned()
        cells = takes["cell"].unique(maintain_order=True).to_list()
        bad = cells[1::4]
        second_takes = takes.filter(pl.col("cell").is_in(bad) & (pl.col("take_index") == 1))
        set_faults(preview.url, "service_s=0.3,fail_match=" + "|".join(map(str, second_takes["seed"])))
        with deployed(deployment), worker(deployment, "one") as one, worker(deployment, "two") as two:
            yield Fleet(deployment, (one, two), preview.url, bad, [cell for cell in cells if cell not in bad])


def test_a_refresh_survives_the_death_of_a_worker_in_the_middle(fleet: Fleet) -> None:
    deployment = fleet.deployment
    refresh = deployment.launch("refresh", {"ops": {"prompt_table": {"config": {"campaign": "first_test"}}}})

    def generating_on_one() -> bool:
        marks = list((fleet.workers[0].home / "ace_runs").glob("*.lock"))
        done = [run for run in deployment.runs() if run.job_name == "cell" and run.is_finished]
        runs = {run.run_id: run for run in deployment.runs()}
        return len(done) >= 2 and any(
            runs[mark.stem].job_name == "cell" and not runs[mark.stem].is_finished
            for mark in marks
            if mark.stem in runs
        )

    until(generating_on_one, "worker one is in the middle of a cell")
    fleet.workers[0].kill()
    time.sleep(1)
    fleet.workers[0].start()
    deployment.wait_until_carried(refresh)
    deployment.wait_until_idle()
    orphaned = [run for run in deployment.runs() if run.tags.get("dagster/will_retry") == "true"]
    assert len(orphaned) == 1
    store = deployment.store
    for cell in fleet.good:
        masters = store.manifest(cell, tables.Masters)
        assert masters is not None
        assert masters.filter(pl.col("status") == "active").height == 1
    assert store.current_release_id() is not None
    assert store.current_package_id("lobby-test") is not None
    with deployment.instance() as instance:
        storage = instance.event_log_storage

        def slots_taken() -> int:
            return sum(storage.get_concurrency_info(key).active_slot_count for key in storage.get_concurrency_keys())

        until(lambda: slots_taken() == 0, "every pool slot is free")
        assert {run.status for run in instance.get_runs()} <= TERMINAL
    failed = {run.tags["dagster/partition"] for run in deployment.runs() if run.status == DagsterRunStatus.FAILURE}
    assert failed - {orphaned[0].tags["dagster/partition"]} <= set(fleet.bad)


@needs("chromium")
@pytest.mark.browser
def test_the_ui_and_graphql_rerun_exactly_the_three_failed_cells(fleet: Fleet) -> None:
    deployment = fleet.deployment
    deployment.wait_until_idle()
    kept = objects(deployment, fleet.good)
    with browsing() as page:
        rerun_failed_and_missing(page, deployment.url, failed=3, materialized=9)
    with deployment.instance() as instance:
        first = instance.get_backfills()[0].backfill_id
    assert cells_of(deployment.wait_for_backfill(first)) == sorted(fleet.bad)
    second = deployment.rerun_backfill(first)
    assert cells_of(deployment.wait_for_backfill(second)) == sorted(fleet.bad)
    assert objects(deployment, fleet.good) == kept


def test_the_command_reruns_the_failed_cells_and_no_finished_take_is_asked_for_again(fleet: Fleet) -> None:
    deployment = fleet.deployment
    deployment.wait_until_idle()
    kept = objects(deployment, fleet.good)
    set_faults(fleet.url, "service_s=0.3")
    said = deployment.command("rerun-failed").stdout
    assert "3 cells to do, 3 takes to make" in said
    assert objects(deployment, fleet.good) == kept
    seeds = {str(seed) for seed in deployment.planned()["seed"]}
    rendered = preview_stats(fleet.url)["rendered"]
    again = {key: count for key, count in rendered.items() if key.split(":")[0] in seeds and count != 1}
    assert len(again) <= 1, again  # the take that was under way when its worker was killed
    assert "12 of 12 done, 0 failed" in deployment.command("status").stdout


def test_two_workers_given_one_cell_at_once_make_it_once(fleet: Fleet) -> None:
    deployment = fleet.deployment
    deployment.wait_until_idle()
    cell = fleet.good[0]
    store = deployment.store
    planned = deployment.planned().filter(pl.col("cell") == cell)
    for take_id in planned["take_id"]:
        store.quarantine_take(take_id)
    for key in list(store.blobs.keys(f"cells/{cell}/")):
        store.blobs.delete(key)
    before = preview_stats(fleet.url)["rendered"]
    backfills = [deployment.backfill(CELL_ASSETS, [cell]) for _ in range(2)]
    runs = [run for backfill in backfills for run in deployment.wait_for_backfill(backfill)]
    assert [run.status for run in runs] == [DagsterRunStatus.SUCCESS] * 2
    after = preview_stats(fleet.url)["rendered"]
    made = {key: count - before.get(key, 0) for key, count in after.items() if count != before.get(key, 0)}
    assert sorted(key.split(":")[0] for key in made) == sorted(map(str, planned["seed"]))
    assert set(made.values()) == {1}


def test_compute_logs_lie_on_s3(fleet: Fleet) -> None:
    keys = list(fleet.deployment.store.blobs.client.list_objects_v2(Bucket=BUCKET, Prefix="compute-logs/")["Contents"])
    assert keys
