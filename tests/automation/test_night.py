"""A night that goes wrong, on a real daemon: refreshes side by side, an edited matrix, kill -9 of everything.

One deployment serves all tests of this module, in order: each begins where nothing is under way.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from dagster import DagsterRunStatus

from ace_assets import tables
from ace_assets.assets.needs import needs
from ace_assets.preview.process import PreviewProcess, running_preview
from tests.automation.deployment import (
    CELL_ASSETS,
    Deployment,
    deployed,
    free_port,
    preview_stats,
    read_matrix,
    until,
    write_config,
    write_matrix,
)

pytestmark = [pytest.mark.xdist_group("night"), pytest.mark.timeout(1800)]
SERVICE = "service_s=1.5"


@dataclass
class Night:
    """The deployment and its server, which may be killed and started again at the same address."""

    deployment: Deployment
    port: int
    folder: Path
    server: contextlib.ExitStack
    preview: PreviewProcess

    def start_server(self) -> None:
        self.preview = self.server.enter_context(running_preview(faults=SERVICE, port=self.port, folder=self.folder))

    def plan_more(self, cells: int) -> str:
        """Have a larger matrix and refresh; the run's id."""
        write_config(self.deployment.config, cells)
        config = {"campaign": "first_test", "allow_large_change": True}
        return self.deployment.launch("refresh", {"ops": {"prompt_table": {"config": config}}})

    def generating(self) -> dg.DagsterRun:
        """Wait until a cell's run has takes under way at the server; that run."""

        def found() -> dg.DagsterRun | None:
            for run in self.deployment.runs():
                cell = run.tags.get("dagster/partition", "")
                if run.status == DagsterRunStatus.STARTED and self.deployment.store.journal(cell):
                    return run
            return None

        return until(found, "a cell's take is under way", poll_s=0.05)


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    root = tmp_path_factory.mktemp("night")
    port = free_port()
    with contextlib.ExitStack() as server:
        preview = server.enter_context(running_preview(faults=SERVICE, port=port, folder=root / "preview"))
        made = Deployment(root, preview.url)
        made.prepare(cells=3)
        with deployed(made):
            yield Night(made, port, root / "preview", server, preview)


def assert_whole(deployment: Deployment) -> None:
    """Nothing is lacking, doubled, half written or stuck."""
    deployment.wait_until_idle()
    store = deployment.store
    plan_id = store.current_plan_id()
    assert plan_id is not None
    assert list(needs(store, plan_id)) == []
    for cell in store.plan_table(plan_id, tables.Cells)["cell"]:
        frames = [store.manifest(cell, table) for table in (tables.Takes, tables.TakeScores, tables.Masters)]
        facts = [store.manifest_facts(cell, table) for table in (tables.Takes, tables.TakeScores, tables.Masters)]
        assert len({found["plan_id"] for found in facts if found}) == 1, f"{cell} mixes two plans"
        masters = frames[2]
        assert masters is not None
        assert masters.filter(pl.col("status") == "active")["prompt_id"].is_unique().all()
        assert store.journal(cell) == {}
    with deployment.instance() as instance:
        storage = instance.event_log_storage

        def slots_taken() -> int:
            return sum(storage.get_concurrency_info(key).active_slot_count for key in storage.get_concurrency_keys())

        until(lambda: slots_taken() == 0, "every pool slot is free")  # the daemon frees those of killed runs
    deployment.wait_until_idle()


def run_of(deployment: Deployment, run_id: str) -> dg.DagsterRun:
    (found,) = [run for run in deployment.runs() if run.run_id == run_id]
    return found


def test_two_refreshes_at_once_make_each_cell_once(night: Night) -> None:
    deployment = night.deployment
    config = {"ops": {"prompt_table": {"config": {"campaign": "first_test"}}}}
    both = [deployment.launch("refresh", config) for _ in range(2)]
    for refresh in both:
        assert deployment.wait_for_run(refresh) == DagsterRunStatus.SUCCESS
    deployment.wait_until_carried(both[1])
    deployment.wait_until_idle()
    runs = [run for run in deployment.runs() if run.job_name == "cell"]
    assert all(run.is_success for run in runs)
    cells = [run.tags["dagster/partition"] for run in runs]
    assert len(cells) == len(set(cells)) == 3
    seeds = {str(seed) for seed in deployment.planned()["seed"]}
    rendered = preview_stats(night.preview.url)["rendered"]
    assert {count for key, count in rendered.items() if key.split(":")[0] in seeds} == {1}
    assert deployment.store.current_package_id("lobby-test") is not None
    assert_whole(deployment)


def test_a_change_beyond_the_brakes_fails_with_what_to_do_and_is_not_carried(night: Night) -> None:
    deployment = night.deployment
    before = deployment.store.current_plan_id()
    rows = read_matrix(deployment.config)
    changed = [row | {"texture": "soft as felt"} for row in rows]
    write_matrix(deployment.config, changed)
    refresh = deployment.launch("refresh")
    assert deployment.wait_for_run(refresh) == DagsterRunStatus.FAILURE
    with deployment.instance() as instance:
        (event,) = instance.all_logs(refresh, of_type=dg.DagsterEventType.STEP_FAILURE)
    assert event.dagster_event is not None
    told = event.dagster_event.step_failure_data.user_failure_data
    assert told is not None
    assert "rule max_changed_share" in str(told.description)
    assert "3 of 3 prompts superseded" in str(told.description)
    assert deployment.store.current_plan_id() == before
    write_matrix(deployment.config, rows)
    assert_whole(deployment)


def test_a_matrix_edited_while_cells_are_made_by_hand_never_mixes_two_plans(night: Night) -> None:
    deployment = night.deployment
    first = night.plan_more(5)
    assert deployment.wait_for_run(first) == DagsterRunStatus.SUCCESS
    night.generating()
    by_hand = deployment.backfill(CELL_ASSETS, list(deployment.planned()["cell"].unique(maintain_order=True)[:1]))
    rows = read_matrix(deployment.config)
    rows[-1]["texture"] = "soft as felt"
    write_matrix(deployment.config, rows)
    second = deployment.launch("refresh", {"ops": {"prompt_table": {"config": {"allow_large_change": True}}}})
    assert deployment.wait_for_run(second) == DagsterRunStatus.SUCCESS
    deployment.wait_for_backfill(by_hand)
    deployment.wait_until_carried(second)
    assert_whole(deployment)


def test_a_worker_killed_alone_and_a_server_killed_with_it_are_made_good_by_the_same_refresh(night: Night) -> None:
    deployment = night.deployment
    refresh = night.plan_more(6)
    assert deployment.wait_for_run(refresh) == DagsterRunStatus.SUCCESS
    run = night.generating()
    with deployment.instance() as instance:
        said = " ".join(str(record.message) for record in instance.all_logs(run.run_id))
    (pid,) = set(re.findall(r"\(pid: (\d+)\)", said))
    os.kill(int(pid), signal.SIGKILL)
    night.preview.process.kill()
    night.preview.process.wait()
    night.start_server()
    deployment.wait_until_carried(refresh)
    assert run_of(deployment, run.run_id).status == DagsterRunStatus.FAILURE
    assert_whole(deployment)


def test_daemon_code_server_and_worker_killed_together_leave_nothing_stuck(night: Night) -> None:
    deployment = night.deployment
    refresh = night.plan_more(8)
    assert deployment.wait_for_run(refresh) == DagsterRunStatus.SUCCESS
    run = night.generating()
    deployment.kill()
    assert run_of(deployment, run.run_id).status == DagsterRunStatus.STARTED
    said = deployment.command("recover").stdout
    assert f"ended orphaned run {run.run_id}" in said
    assert run_of(deployment, run.run_id).status == DagsterRunStatus.FAILURE
    deployment.up()
    deployment.wait_until_carried(refresh)
    assert_whole(deployment)
