"""Twelve cells, three of which fail at the server: whoever reruns what failed reruns exactly these three.

One deployment serves all tests of this module. The server refuses three takes until the last test makes peace.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import dagster as dg
import polars as pl
import pytest
from dagster import DagsterRunStatus

from ace_assets import tables
from ace_assets.preview.process import running_preview
from tests.automation.deployment import CELL_ASSETS, Deployment, deployed, preview_stats, set_faults, until
from tests.automation.receiver import receiving
from tests.requires import needs
from tests.ui.browser import browsing, rerun_failed_and_missing

pytestmark = [pytest.mark.xdist_group("reruns"), pytest.mark.timeout(1200)]
FAILURE = DagsterRunStatus.FAILURE


@dataclass(frozen=True)
class Failing:
    """The deployment, the address of its server, the three cells that fail, and what the other nine were like."""

    deployment: Deployment
    url: str
    bad: list[str]
    good: list[str]
    files: dict[str, tuple[int, str]]
    report: str
    posted: list[dict[str, Any]]


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Failing]:
    with running_preview() as preview, receiving() as (hook, posted):
        made = Deployment(tmp_path_factory.mktemp("reruns"), preview.url, extra={"ACE_WEBHOOK_URL": hook})
        made.prepare(cells=12)
        takes = made.planned()
        cells = takes["cell"].unique(maintain_order=True).to_list()
        bad = cells[1::4]
        second_takes = takes.filter(pl.col("cell").is_in(bad) & (pl.col("take_index") == 1))
        set_faults(preview.url, "fail_match=" + "|".join(map(str, second_takes["seed"])))
        first = made.command("run", "--yes", check=False)
        assert first.returncode == 1, first.stdout + first.stderr
        good = [cell for cell in cells if cell not in bad]
        with deployed(made):
            yield Failing(made, preview.url, bad, good, made.files_of(good), first.stderr, posted)


def cells_of(runs: list[dg.DagsterRun]) -> list[str]:
    return sorted(run.tags["dagster/partition"] for run in runs)


def test_the_command_names_each_cell_that_failed_and_why(failing: Failing) -> None:
    for cell in failing.bad:
        assert f"cell {cell}: 1 of 2 takes could not be made" in failing.report
    assert "ace-assets rerun-failed" in failing.report
    assert "Traceback" not in failing.report
    status = failing.deployment.command("status").stdout
    assert "9 of 12 done, 3 failed" in status
    for cell in failing.bad:
        assert cell in " ".join(status.split())


def test_a_failed_cell_shows_which_prompt_failed_where_and_why(failing: Failing) -> None:
    with failing.deployment.instance() as instance:
        (run,) = instance.get_runs(
            dg.RunsFilter(tags={"dagster/partition": failing.bad[0]}, statuses=[FAILURE]), limit=1
        )
        events = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    event = events[0].dagster_event
    assert event is not None
    told = event.step_failure_data.user_failure_data
    assert told is not None
    table = str(told.metadata["failed_takes"].value)
    takes = failing.deployment.store.manifest(failing.bad[0], tables.Takes)
    assert takes is not None
    (prompt_id,) = takes.filter(pl.col("status") == "failed")["prompt_id"]
    assert prompt_id in table
    assert "127.0.0.1" in table
    assert takes.filter(pl.col("status") != "failed").height == 1


@needs("chromium")
@pytest.mark.browser
def test_the_ui_reruns_what_failed_and_is_missing(failing: Failing) -> None:
    deployment = failing.deployment
    before = {run.run_id for run in deployment.runs()}
    with browsing() as page:
        rerun_failed_and_missing(page, deployment.url, failed=3, materialized=9)
    with deployment.instance() as instance:
        (backfill,) = instance.get_backfills()
    runs = deployment.wait_for_backfill(backfill.backfill_id)
    assert cells_of(runs) == sorted(failing.bad)
    deployment.wait_until_idle()
    assert {run.run_id for run in deployment.runs()} - before == {run.run_id for run in runs}
    assert deployment.files_of(failing.good) == failing.files


def test_graphql_reruns_exactly_what_failed_of_a_backfill(failing: Failing) -> None:
    deployment = failing.deployment
    first = deployment.backfill(CELL_ASSETS, [*failing.bad, failing.good[0]])
    runs = deployment.wait_for_backfill(first)
    assert cells_of(runs) == sorted([*failing.bad, failing.good[0]])
    good = [run.tags["dagster/partition"] for run in runs if run.is_success]
    assert good == [failing.good[0]]
    finished = preview_stats(failing.url)["rendered"]
    again = deployment.wait_for_backfill(deployment.rerun_backfill(first))
    assert cells_of(again) == sorted(failing.bad)
    assert preview_stats(failing.url)["rendered"] == finished
    complete = failing.good[1:]
    assert deployment.files_of(complete) == {
        name: facts
        for name, facts in failing.files.items()
        if failing.good[0] not in name and name in deployment.files_of(complete)
    }


def test_each_failure_is_told_in_a_digest_and_at_the_webhook(failing: Failing) -> None:
    cell = failing.bad[0]
    expected = f"cell {cell} failed: generated_audio: cell {cell}: 1 of 2 takes could not be made"
    rerun = failing.deployment.backfill(CELL_ASSETS, [cell])
    (run,) = failing.deployment.wait_for_backfill(rerun)
    until(lambda: any(run.run_id in message["text"] for message in failing.posted), "the webhook heard of it")
    (text,) = (message["text"] for message in failing.posted if run.run_id in message["text"])
    assert expected.removeprefix(f"cell {cell} ") in text
    root = failing.deployment.store.local_root
    assert root is not None
    assert any(f"- {text}" in path.read_text() for path in (root / "digests").glob("*.md"))


def test_the_command_reruns_exactly_the_failed_cells_and_pays_for_nothing_twice(failing: Failing) -> None:
    deployment = failing.deployment
    deployment.wait_until_idle()
    before = {run.run_id for run in deployment.runs()}
    kept = deployment.files_of(failing.good)
    set_faults(failing.url, "")
    said = deployment.command("rerun-failed").stdout
    assert "3 cells to do, 3 takes to make" in said
    fresh = [run for run in deployment.runs() if run.run_id not in before]
    by_cell = [run for run in fresh if run.tags.get("dagster/partition") in {*failing.bad, *failing.good}]
    assert cells_of(by_cell) == sorted(failing.bad)
    assert all(run.is_success for run in by_cell)
    assert deployment.files_of(failing.good) == kept
    rendered = preview_stats(failing.url)["rendered"]
    seeds = {str(seed) for seed in deployment.planned()["seed"]}
    takes = {key: count for key, count in rendered.items() if key.split(":")[0] in seeds}
    assert len(takes) == 24
    assert set(takes.values()) == {1}
    assert "12 of 12 done, 0 failed" in deployment.command("status").stdout
