"""A plan's changes are counted before anything is spent; a refresh that changes or spends too much stops and asks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ace_assets import matrix
from ace_assets.errors import PlanError
from ace_assets.matrix.changes import check_brakes, plan_changes
from ace_assets.matrix.rows import Matrix

from .conftest import Write, as_csv, good_rows, plan_of


@pytest.fixture
def small(write: Write) -> Matrix:
    return matrix.load_matrix(write(as_csv(good_rows())))


@pytest.fixture
def plan(small: Matrix, campaigns: matrix.Campaigns) -> matrix.Plan:
    return plan_of(small, campaigns, "full_catalog")


def test_a_first_plan_makes_everything_and_supersedes_nothing(plan: matrix.Plan) -> None:
    changes = plan_changes(None, plan)
    assert (changes.prompts_made, changes.prompts_superseded) == (18, 0)
    assert changes.takes_to_make == plan.planned_takes.height == 54
    assert changes.audio_s == plan.facts["audio_s"]
    assert changes.cells["prompts_made"].to_list() == [6, 6, 6]


def test_the_same_plan_changes_and_costs_nothing(plan: matrix.Plan) -> None:
    changes = plan_changes(plan, plan)
    assert (changes.prompts_made, changes.prompts_superseded, changes.takes_to_make, changes.audio_s) == (0, 0, 0, 0.0)
    assert changes.cells.is_empty()
    assert changes.lines() == ["0 new prompts, 0 superseded (0% of 18)", "0 takes to make, 0.0 hours of audio"]


def test_what_is_stored_is_not_spent_again(plan: matrix.Plan) -> None:
    stored = plan.planned_takes["take_id"][:50].to_list()
    assert plan_changes(None, plan, stored_take_ids=stored).takes_to_make == 4
    assert plan_changes(plan, plan, stored_take_ids=stored).takes_to_make == 4


def test_a_changed_row_is_the_only_one_counted(small: Matrix, plan: matrix.Plan, campaigns: matrix.Campaigns) -> None:
    after = plan_of(Matrix((*small.rows[:2], replace(small.rows[2], keys=("D major",)))), campaigns, "full_catalog")
    changes = plan_changes(plan, after)
    assert changes.cells["cell"].to_list() == [small.rows[2].cell]
    assert (changes.prompts_made, changes.prompts_superseded) == (6, 6)
    assert changes.changed_share == pytest.approx(1 / 3)


def test_a_smaller_campaign_supersedes_nothing_and_costs_nothing(
    first_test: matrix.Plan, full_catalog: matrix.Plan
) -> None:
    changes = plan_changes(full_catalog, first_test)
    assert (changes.prompts_made, changes.prompts_superseded, changes.takes_to_make) == (0, 0, 0)


def test_a_refresh_within_its_limits_goes_on(plan: matrix.Plan) -> None:
    assert check_brakes(None, plan, max_takes_per_refresh=54).takes_to_make == 54
    assert check_brakes(None, plan, max_takes_per_refresh=None).takes_to_make == 54


def test_too_many_takes_stop_and_say_how_to_go_on(plan: matrix.Plan) -> None:
    with pytest.raises(PlanError) as caught:
        check_brakes(None, plan, max_takes_per_refresh=53)
    assert caught.value.rule == "max_takes_per_refresh"
    text = str(caught.value)
    for word in (
        "54 takes to make",
        "lobby.bossa-nova.morning.warm (18)",
        "at most 53",
        "ace-assets plan",
        "raise max_takes",
    ):
        assert word in text


def test_too_large_a_share_of_changed_prompts_stops_and_names_the_cells(
    small: Matrix, plan: matrix.Plan, campaigns: matrix.Campaigns
) -> None:
    after = plan_of(Matrix((*small.rows[:2], replace(small.rows[2], keys=("D major",)))), campaigns, "full_catalog")
    with pytest.raises(PlanError) as caught:
        check_brakes(plan, after, max_takes_per_refresh=None)
    assert caught.value.rule == "max_changed_share"
    text = str(caught.value)
    for word in (
        "6 of 18 prompts superseded (33%)",
        "spa.ambient.midday.serene (6)",
        "at most 20%",
        "max_changed_share",
    ):
        assert word in text
    assert check_brakes(plan, after, max_takes_per_refresh=None, max_changed_share=0.4).prompts_superseded == 6
