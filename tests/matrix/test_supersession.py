"""Tracks of changed rows are superseded and no others; prompts without a track get further takes, up to their limit."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from ace_assets import identity, matrix, tables
from ace_assets.matrix import supersession
from ace_assets.matrix.identity import TakeIds
from ace_assets.matrix.lexicon import Lexicon
from ace_assets.matrix.rows import Matrix

from .conftest import Write, as_csv, good_rows, plan_of

NOW = dt.datetime(2026, 11, 25, 2, 0, tzinfo=dt.UTC)


@pytest.fixture
def small(write: Write) -> Matrix:
    return matrix.load_matrix(write(as_csv(good_rows())))


@pytest.fixture
def plan(small: Matrix, campaigns: matrix.Campaigns) -> matrix.Plan:
    return plan_of(small, campaigns, "full_catalog")


def scores_of(takes: pl.DataFrame, fates: dict[str, str], *, default: str = "rejected") -> pl.DataFrame:
    rows = [
        {
            "take_id": take_id,
            "prompt_id": prompt_id,
            "cell": cell,
            "take_index": index,
            "gate_failures": [],
            "fit_failures": [],
            "score_basis": "signal_only",
            "score_version": "1",
            "fate": fates.get(take_id, default),
            "why": "test",
            "scored_at": NOW,
        }
        for take_id, prompt_id, cell, index in takes.select("take_id", "prompt_id", "cell", "take_index").iter_rows()
    ]
    return tables.from_rows(tables.TakeScores, rows)


def masters_of(takes: pl.DataFrame, *, status: str = "active") -> pl.DataFrame:
    numbers = {name: 0.0 for name, dtype in tables.polars_schema(tables.Masters).items() if dtype == pl.Float64}
    rows: list[dict[str, Any]] = [
        {
            **numbers,
            "track_id": identity.track_id(take_id),
            "master_id": f"m{take_id}",
            "take_id": take_id,
            "prompt_id": prompt_id,
            "cell": cell,
            "status": status,
            "title": "T",
            "flac_sha256": "x",
            "flac_bytes": 1,
            "mastering_version": "1",
            "mastered_at": NOW,
        }
        for take_id, prompt_id, cell in takes.select("take_id", "prompt_id", "cell").iter_rows()
    ]
    return tables.from_rows(tables.Masters, rows)


def events_of(*happened: tuple[str, str]) -> pl.DataFrame:
    rows = [
        {
            "event_id": f"{number:04d}",
            "happened_at": NOW,
            "kind": kind,
            "track_id": identity.track_id(take_id),
            "take_id": take_id,
            "prompt_id": "p",
            "cell": "c",
            "actor": "test",
        }
        for number, (kind, take_id) in enumerate(happened)
    ]
    return tables.from_rows(tables.Events, rows)


def first_takes(plan: matrix.Plan) -> pl.DataFrame:
    return plan.planned_takes.filter(pl.col("take_index") == 0)


# ---- supersession --------------------------------------------------------------------------------------------------


def test_nothing_is_superseded_while_the_matrix_stays(plan: matrix.Plan) -> None:
    assert supersession.superseded(plan.cells, masters_of(first_takes(plan))).is_empty()


def test_a_changed_row_supersedes_its_tracks_and_no_others(
    small: Matrix, plan: matrix.Plan, campaigns: matrix.Campaigns
) -> None:
    edited = Matrix((*small.rows[:2], replace(small.rows[2], keys=("D major",))))
    after = plan_of(edited, campaigns, "full_catalog")
    gone = supersession.superseded(after.cells, masters_of(first_takes(plan)))
    assert set(gone["cell"]) == {small.rows[2].cell}
    assert gone.height == small.rows[2].target_tracks
    assert "row" in gone["reason"][0]


def test_a_smaller_campaign_supersedes_nothing(full_catalog: matrix.Plan, first_test: matrix.Plan) -> None:
    cells = first_test.cells["cell"].to_list()
    tracks = masters_of(first_takes(full_catalog).filter(pl.col("cell").is_in(cells)))
    assert tracks.height > first_test.prompts.height
    assert supersession.superseded(first_test.cells, tracks).is_empty()


def test_cells_that_the_plan_does_not_hold_are_left_alone(
    small: Matrix, plan: matrix.Plan, campaigns: matrix.Campaigns
) -> None:
    after = plan_of(Matrix(small.rows[:1]), campaigns, "full_catalog")
    assert supersession.superseded(after.cells, masters_of(first_takes(plan))).is_empty()


def test_a_lower_target_supersedes_what_it_no_longer_wants(
    small: Matrix, plan: matrix.Plan, campaigns: matrix.Campaigns
) -> None:
    edited = Matrix((*small.rows[:2], replace(small.rows[2], target_tracks=4)))
    after = plan_of(edited, campaigns, "full_catalog")
    assert supersession.superseded(after.cells, masters_of(first_takes(plan))).height == 2


def test_retired_tracks_are_not_superseded_again(small: Matrix, plan: matrix.Plan, campaigns: matrix.Campaigns) -> None:
    after = plan_of(Matrix(tuple(replace(row, keys=("D major",)) for row in small.rows)), campaigns, "full_catalog")
    retired = masters_of(first_takes(plan), status="retired")
    assert supersession.superseded(after.cells, retired).is_empty()


def test_a_new_never_list_forbids_old_prompts_by_name(plan: matrix.Plan, lexicon: Lexicon) -> None:
    assert supersession.forbidden(plan.prompts, lexicon).is_empty()
    spa = pl.col("zone") == "spa"
    caption = pl.when(spa & (pl.col("prompt_index") == 0)).then(pl.lit("soft drums, harp")).otherwise("caption")
    bpm = pl.when(spa & (pl.col("prompt_index") == 1)).then(84).otherwise("requested_bpm")
    sung = ~(spa & (pl.col("prompt_index") == 2))
    old = plan.prompts.with_columns(caption=caption, requested_bpm=bpm, instrumental=sung)
    found = supersession.forbidden(old, lexicon)
    assert set(found["rule"]) == {"L-NEVER-SPA"}
    assert found.height == 3
    named = plan.prompts.head(1).with_columns(caption=pl.lit("like brian eno"))
    assert supersession.forbidden(named, lexicon)["rule"].to_list() == ["L-ARTIST"]


# ---- topping up ----------------------------------------------------------------------------------------------------


def top_up(
    plan: matrix.Plan, scores: pl.DataFrame, events: pl.DataFrame, campaigns: matrix.Campaigns
) -> dict[str, int]:
    return supersession.top_up(plan.cells, plan.prompts, scores, events, profile=campaigns.profile("production"))


def test_nothing_is_added_before_the_first_takes_are_scored(plan: matrix.Plan, campaigns: matrix.Campaigns) -> None:
    assert top_up(plan, tables.empty(tables.TakeScores), events_of(), campaigns) == {}
    some = plan.planned_takes.filter(pl.col("take_index") < 2)  # the third take is still to come
    assert top_up(plan, scores_of(some, {}), events_of(), campaigns) == {}


def test_nothing_is_added_where_a_take_is_kept(plan: matrix.Plan, campaigns: matrix.Campaigns) -> None:
    kept = dict.fromkeys(first_takes(plan)["take_id"], "kept")
    assert top_up(plan, scores_of(plan.planned_takes, kept), events_of(), campaigns) == {}


def test_a_prompt_whose_takes_all_failed_gets_as_many_again_and_keeps_them(
    small: Matrix, plan: matrix.Plan, campaigns: matrix.Campaigns
) -> None:
    poor = plan.prompts["prompt_id"][0]
    fates = {
        take_id: "kept"
        for take_id, prompt_id in first_takes(plan).select("take_id", "prompt_id").iter_rows()
        if prompt_id != poor
    }
    extra = top_up(plan, scores_of(plan.planned_takes, fates), events_of(), campaigns)
    assert extra == {poor: 3}
    second = plan_of(small, campaigns, "full_catalog", extra_takes=extra)
    added = second.planned_takes.join(plan.planned_takes, on="take_id", how="anti")
    assert added["take_index"].to_list() == [3, 4, 5]
    # one of the new ones passes: the extra takes stay planned, no more are added
    fates[added["take_id"][1]] = "kept"
    assert top_up(plan, scores_of(second.planned_takes, fates), events_of(), campaigns) == {poor: 3}


def test_takes_are_added_up_to_the_limit_and_then_the_prompt_is_named_as_exhausted(
    small: Matrix, plan: matrix.Plan, campaigns: matrix.Campaigns
) -> None:
    now, extra = plan, {}
    for _ in range(4):
        extra = top_up(plan, scores_of(now.planned_takes, {}), events_of(), campaigns)
        now = plan_of(small, campaigns, "full_catalog", extra_takes=extra)
    assert set(extra.values()) == {5}
    assert set(now.prompts["takes_planned"]) == {8}
    left = supersession.exhausted(
        plan.cells, plan.prompts, scores_of(now.planned_takes, {}), events_of(), profile=campaigns.profile("production")
    )
    assert left.height == plan.prompts.height
    assert set(left["takes"]) == {8}
    fresh = supersession.exhausted(
        plan.cells,
        plan.prompts,
        scores_of(plan.planned_takes, {}),
        events_of(),
        profile=campaigns.profile("production"),
    )
    assert fresh.is_empty()


def test_a_retired_track_without_a_runner_up_is_made_again_and_a_restored_one_is_not(
    plan: matrix.Plan, campaigns: matrix.Campaigns
) -> None:
    kept = dict.fromkeys(first_takes(plan)["take_id"], "kept")
    scores = scores_of(plan.planned_takes, kept)
    take = first_takes(plan)["take_id"][0]
    prompt = first_takes(plan)["prompt_id"][0]
    assert top_up(plan, scores, events_of(("retired", take)), campaigns) == {prompt: 3}
    assert top_up(plan, scores, events_of(("retired", take), ("restored", take)), campaigns) == {}
    marked = scores_of(plan.planned_takes, {**kept, take: "retired"})
    assert top_up(plan, marked, events_of(("retired", take), ("restored", take)), campaigns) == {}
    assert top_up(plan, marked, events_of(("kept", take), ("retired", take)), campaigns) == {prompt: 3}
    second = plan.planned_takes.filter((pl.col("prompt_id") == prompt) & (pl.col("take_index") == 1))["take_id"][0]
    with_runner_up = scores_of(plan.planned_takes, {**kept, take: "retired", second: "runner_up"})
    assert top_up(plan, with_runner_up, events_of(("retired", take)), campaigns) == {}


def test_takes_of_another_profile_do_not_count(plan: matrix.Plan, campaigns: matrix.Campaigns) -> None:
    ids = TakeIds(campaigns.profile("preview"))
    foreign = plan.planned_takes.with_columns(
        take_id=pl.Series([ids.of(p, i) for p, i in plan.planned_takes.select("prompt_id", "take_index").iter_rows()])
    )
    rejected = scores_of(plan.planned_takes, {})
    both = pl.concat([rejected, scores_of(foreign, {}, default="kept")])
    assert set(top_up(plan, both, events_of(), campaigns).values()) == {3}
    assert top_up(plan, scores_of(foreign, {}, default="rejected"), events_of(), campaigns) == {}


def test_scores_of_several_cells_or_none_come_together(plan: matrix.Plan) -> None:
    assert supersession.concat_scores([]).is_empty()
    parts = [scores_of(group, {}) for _, group in plan.planned_takes.group_by("cell")]
    assert supersession.concat_scores(parts).height == plan.planned_takes.height
