"""The refresh, step by step, on an instance of its own: what the schedule and the sensor ask for, and when."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterRunStatus
from dagster._core.test_utils import create_run_for_test

from ace_assets import tables
from ace_assets.assets.needs import DONE_FACT, work_hash_of
from ace_assets.automation import refresh
from ace_assets.automation.refresh import CARRIED_TAG, MISSING_AFTER_S, REFRESH_TAG, carry_refresh, nightly_refresh
from ace_assets.catalog.build import build_release
from ace_assets.matrix import planning
from ace_assets.resources import StoreResource
from ace_assets.settings import CONFIG_ENV
from ace_assets.store import Store
from tests.automation.deployment import read_matrix, write_config, write_matrix

CELLS = 3


@dataclass
class Bench:
    """An instance, a store with a plan, and the sensor's cursor between ticks."""

    instance: dg.DagsterInstance
    store: Store
    config: Path
    cursor: str | None = None
    said: str = ""
    asked: list[dg.RunRequest] = field(default_factory=list)

    def plan(self) -> None:
        planning.keep_matrix(self.store, self.config / "genre_matrix.csv")
        brakes = planning.Brakes(allow_large_change=True)
        planning.publish_campaign(
            self.store, self.config / "campaigns.toml", campaign="first_test", engine="preview", brakes=brakes
        )

    @property
    def cells(self) -> list[str]:
        return list(self.store.plan_table(self.plan_id, tables.Cells)["cell"])

    @property
    def plan_id(self) -> str:
        found = self.store.current_plan_id()
        assert found is not None
        return found

    def refresh(self, status: DagsterRunStatus = DagsterRunStatus.SUCCESS) -> str:
        """Have a refresh run that ended just now."""
        return self.run("refresh", status).run_id

    def run(self, job: str, status: DagsterRunStatus, **tags: str) -> dg.DagsterRun:
        return create_run_for_test(
            self.instance, job_name=job, status=status, tags={k.replace("__", "/"): v for k, v in tags.items()}
        )

    def tick(self) -> list[str]:
        """Evaluate the sensor once; the run keys that it asks for."""
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor)
        result = carry_refresh(context, store=StoreResource(data_dir=self.store.uri))
        assert isinstance(result, dg.SensorResult)
        skip = result.skip_reason
        self.cursor, self.said = result.cursor, str(skip.skip_message if isinstance(skip, dg.SkipReason) else skip)
        self.asked = list(result.run_requests or [])
        return [str(request.run_key) for request in self.asked]

    def launch(self, *statuses: DagsterRunStatus, **tags: str) -> None:
        """Have the runs that were asked for, as the daemon would launch them."""
        for request, status in zip(self.asked, statuses * len(self.asked), strict=False):
            partition = {"dagster/partition": request.partition_key} if request.partition_key else {}
            create_run_for_test(
                self.instance,
                job_name=str(request.job_name),
                status=status,
                tags={**request.tags, **partition, "dagster/run_key": str(request.run_key), **tags},
            )

    def finish(self, cell: str) -> None:
        """Have the manifests of a cell that lacks nothing."""
        with self.store.cell_lease(cell) as lease:
            done = {DONE_FACT: work_hash_of(self.store, self.plan_id, cell, "")}
            empty = tables.empty(tables.Masters)
            self.store.publish_manifest(cell, tables.Masters, empty, lease=lease, plan_id=self.plan_id, **done)

    def later(self, seconds: float) -> None:
        """Let time pass for what the sensor waits for."""
        progress = json.loads(self.cursor or "{}")
        progress["asked_at_s"] -= seconds
        self.cursor = json.dumps(progress)


SUCCESS, FAILURE, STARTED = DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.STARTED


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    config = tmp_path / "config"
    write_config(config, CELLS)
    monkeypatch.setenv(CONFIG_ENV, str(config))
    (tmp_path / "home").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "home")) as instance:
        made = Bench(instance, Store.open(str(tmp_path / "data")), config)
        made.plan()
        yield made


def test_a_planned_refresh_asks_for_one_run_per_cell_that_lacks_something(bench: Bench) -> None:
    bench.finish(bench.cells[0])
    refresh_id = bench.refresh()
    assert bench.tick() == [f"{refresh_id}:{cell}" for cell in bench.cells[1:]]
    assert {request.job_name for request in bench.asked} == {"cell"}
    assert {request.tags[REFRESH_TAG] for request in bench.asked} == {refresh_id}
    assert set(bench.cells[1:]) <= set(bench.instance.get_dynamic_partitions("cells"))


def test_the_catalog_follows_once_when_every_cell_has_ended_failures_included(bench: Bench) -> None:
    refresh_id = bench.refresh()
    bench.tick()
    bench.launch(SUCCESS, FAILURE, STARTED)
    assert bench.tick() == []
    assert bench.said == "cells: 1 of 3 runs are not done yet"
    (running,) = bench.instance.get_runs(dg.RunsFilter(statuses=[STARTED]))
    bench.instance.report_run_failed(running)
    assert bench.tick() == [f"{refresh_id}:catalog"]
    assert bench.tick() == []
    assert bench.said == "catalog: 1 of 1 runs are not done yet"


def test_the_refresh_ends_after_the_catalog_where_no_package_changed(bench: Bench) -> None:
    refresh_id = bench.refresh()
    bench.tick()
    bench.launch(FAILURE)
    bench.tick()
    bench.launch(SUCCESS)
    build_release(bench.store, reason="test")
    assert bench.tick() == []
    assert bench.said == "no package changed"
    bench.tick()
    assert bench.said == "the refresh is done"
    run = bench.instance.get_run_by_id(refresh_id)
    assert run is not None
    assert CARRIED_TAG in run.tags
    bench.tick()
    assert bench.said == "nothing was planned or mastered since the last catalog"


def test_a_failed_catalog_ends_the_refresh_so_that_the_next_one_can_begin(bench: Bench) -> None:
    bench.refresh()
    bench.tick()
    bench.launch(SUCCESS)
    bench.tick()
    bench.launch(FAILURE)
    assert bench.tick() == []
    assert bench.said == "the catalog failed; the next refresh builds it"
    again = bench.refresh()
    assert bench.tick() == [f"{again}:{cell}" for cell in bench.cells]


def test_a_refresh_whose_plan_was_refused_is_not_carried(bench: Bench) -> None:
    bench.refresh(FAILURE)
    assert bench.tick() == []
    assert bench.said == "nothing was planned or mastered since the last catalog"


def test_a_requested_run_that_somebody_deleted_does_not_hold_up_the_catalog(bench: Bench) -> None:
    refresh_id = bench.refresh()
    bench.tick()
    bench.launch(SUCCESS)
    bench.instance.delete_run(bench.instance.get_runs(dg.RunsFilter(job_name="cell"))[0].run_id)
    assert bench.tick() == []
    assert bench.said == "cells: 1 of 3 runs are not done yet"
    bench.later(MISSING_AFTER_S + 1)
    assert bench.tick() == [f"{refresh_id}:catalog"]


def test_a_run_that_is_about_to_be_retried_is_waited_for(bench: Bench) -> None:
    refresh_id = bench.refresh()
    bench.tick()
    bench.launch(SUCCESS)
    crashed = bench.instance.get_runs(dg.RunsFilter(job_name="cell"))[0]
    lost = bench.run("cell", STARTED, **{REFRESH_TAG: refresh_id, "dagster/will_retry": "true"})
    bench.instance.report_run_failed(lost)
    assert bench.tick() == []
    bench.instance.add_run_tags(lost.run_id, {"dagster/auto_retry_run_id": crashed.run_id})
    assert bench.tick() == [f"{refresh_id}:catalog"]


def test_a_cell_that_somebody_makes_by_hand_is_left_alone_and_looked_at_again(bench: Bench) -> None:
    by_hand, *others = bench.cells
    manual = bench.run("__ASSET_JOB", STARTED, dagster__partition=by_hand)
    refresh_id = bench.refresh()
    assert bench.tick() == [f"{refresh_id}:{cell}" for cell in others]
    bench.launch(SUCCESS)
    assert bench.tick() == []
    bench.instance.report_run_failed(manual)
    assert bench.tick() == [f"{refresh_id}:{by_hand}"]
    bench.launch(SUCCESS)
    assert bench.tick() == [f"{refresh_id}:catalog"]


def test_a_cell_that_was_made_by_hand_meanwhile_is_not_asked_for_again(bench: Bench) -> None:
    by_hand = bench.cells[0]
    manual = bench.run("__ASSET_JOB", STARTED, dagster__partition=by_hand)
    refresh_id = bench.refresh()
    bench.tick()
    bench.launch(SUCCESS)
    bench.finish(by_hand)
    bench.instance.report_run_failed(manual)
    assert bench.tick() == [f"{refresh_id}:catalog"]


def test_a_sensor_without_its_memory_asks_with_the_same_keys(bench: Bench) -> None:
    bench.refresh()
    first = bench.tick()
    bench.cursor = None
    assert bench.tick() == first
    bench.cursor = "not json"
    assert bench.tick() == first


def test_a_store_that_cannot_be_read_is_waited_for_without_losing_the_place(bench: Bench) -> None:
    bench.refresh()
    bench.tick()
    before = bench.cursor
    bench.launch(SUCCESS)
    bench.tick()
    bench.launch(SUCCESS)
    stage = bench.cursor
    assert stage != before
    assert bench.tick() == []  # the catalog run says success, yet the store has no release to make packages from
    assert bench.said.startswith("waiting: ")
    assert bench.cursor == stage
    build_release(bench.store, reason="test")
    bench.tick()
    assert bench.said == "no package changed"


def test_the_schedule_skips_with_a_reason_while_a_refresh_is_under_way(bench: Bench) -> None:
    moment = dt.datetime(2026, 11, 26, 1, 30, tzinfo=dt.UTC)

    def evaluate() -> dg.RunRequest | dg.SkipReason:
        context = dg.build_schedule_context(instance=bench.instance, scheduled_execution_time=moment)
        found = nightly_refresh(context)
        assert isinstance(found, dg.RunRequest | dg.SkipReason)
        return found

    first, second = evaluate(), evaluate()
    assert isinstance(first, dg.RunRequest)
    assert isinstance(second, dg.RunRequest)
    assert first.run_key == second.run_key == "refresh-2026-11-26T01:30:00+00:00"

    planning_run = bench.run("refresh", STARTED)
    skipped = evaluate()
    assert isinstance(skipped, dg.SkipReason)
    assert skipped.skip_message == f"a refresh is under way: 1 runs, e.g. {planning_run.run_id}"
    bench.instance.report_run_failed(planning_run)

    refresh_id = bench.refresh()
    bench.tick()
    bench.launch(STARTED)
    skipped = evaluate()
    assert isinstance(skipped, dg.SkipReason)
    assert "a refresh is under way: 3 runs" in str(skipped.skip_message)
    bench.instance.add_run_tags(refresh_id, {CARRIED_TAG: "true"})
    for run in bench.instance.get_runs(dg.RunsFilter(statuses=[STARTED])):
        bench.instance.report_run_failed(run)
    assert isinstance(evaluate(), dg.RunRequest)


def test_cells_made_by_hand_bring_one_catalog_when_all_of_them_are_done(bench: Bench) -> None:
    bench.refresh(FAILURE)
    running = bench.run("__ASSET_JOB", STARTED, dagster__partition=bench.cells[0])
    bench.instance.report_runless_asset_event(dg.AssetMaterialization("masters", partition=bench.cells[1]))
    assert bench.tick() == []
    assert bench.said == "cells are being made by hand; the catalog follows when they are done"
    bench.instance.report_run_failed(running)
    (key,) = bench.tick()
    assert key.startswith("manual-")
    assert key.endswith(":catalog")
    bench.launch(SUCCESS)
    build_release(bench.store, reason="test")
    bench.tick()
    bench.launch(SUCCESS)
    bench.tick()
    assert bench.said == "the refresh is done"
    assert bench.tick() == []


def test_the_plan_that_counts_is_the_newest_when_the_matrix_changed_during_a_refresh(bench: Bench) -> None:
    bench.refresh()
    bench.tick()
    rows = read_matrix(bench.config)
    rows[0]["target_lufs"] = "-18.0"
    write_matrix(bench.config, rows)
    bench.plan()
    bench.launch(SUCCESS)
    changed, *others = bench.cells
    for cell in others:
        bench.finish(cell)
    bench.tick()
    bench.launch(SUCCESS)
    build_release(bench.store, reason="test")
    bench.tick()
    bench.launch(SUCCESS)
    bench.tick()
    second = bench.refresh()
    assert bench.tick() == [f"{second}:{changed}"]


def test_a_refresh_that_nobody_carries_holds_up_the_next_one_only_for_hours(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = bench.run("refresh", STARTED)
    bench.instance.report_run_failed(run)
    assert refresh.under_way(bench.instance) is None
    newest = bench.refresh()
    record = bench.instance.get_run_record_by_id(newest)
    assert record is not None
    ended = record.end_time or 0.0
    monkeypatch.setattr(time, "time", lambda: ended + refresh.STALE_REFRESH_S - 60)
    said = refresh.under_way(bench.instance)
    assert said == f"refresh {newest} is planned and waits for the sensor carry_refresh"
    monkeypatch.setattr(time, "time", lambda: ended + refresh.STALE_REFRESH_S + 60)
    assert refresh.under_way(bench.instance) is None
