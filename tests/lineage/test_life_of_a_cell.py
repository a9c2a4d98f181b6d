"""A cell from plan to masters and on: reruns, retirement, top-up, a changed row, a new loudness target, another engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from ace_assets import tables
from ace_assets.acestep.cell import generate_cell
from ace_assets.acestep.servers import servers_at
from ace_assets.assets.needs import DONE_FACT, needs, work_hash_of
from ace_assets.catalog.history import retire
from ace_assets.errors import PlanError
from ace_assets.mastering.cell import CellMasters, master_cell
from ace_assets.matrix.planning import Brakes, Planned, keep_matrix, publish_campaign
from ace_assets.preview.process import PreviewProcess, running_preview
from ace_assets.scoring.cell import score_cell
from ace_assets.store import Store
from tests.lineage.support import row_of, small_config, stats, write_matrix

ROW = {"duration_min_s": 20, "duration_max_s": 20, "target_tracks": 2, "takes_per_prompt": 2, "takes_limit": 6}


@pytest.fixture(scope="module")
def preview() -> Iterator[PreviewProcess]:
    with running_preview() as found:
        yield found


class Lineage:
    """The lineage without Dagster: plan, then carry its cells."""

    def __init__(self, folder: Path, url: str) -> None:
        self.config = small_config(folder / "config", rows=[row_of("lobby", **ROW)], tracks=2, cells=1)
        self.store = Store.open(str(folder / "data"))
        self.url = url

    def matrix(self, **changes: object) -> None:
        write_matrix(self.config, [row_of("lobby", **{**ROW, **changes})])

    def plan(self, *, campaign: str | None = None, allow: bool = True) -> Planned:
        keep_matrix(self.store, self.config / "genre_matrix.csv")
        return publish_campaign(
            self.store,
            self.config / "campaigns.toml",
            campaign=campaign,
            engine="preview",
            brakes=Brakes(max_takes_per_refresh=0, allow_large_change=allow),
        )

    @property
    def cell(self) -> str:
        return str(self.store.plan_table(self.store.current_plan_id() or "", tables.Cells)["cell"][0])

    def carry(self) -> CellMasters:
        plan_id = self.store.current_plan_id()
        assert plan_id is not None
        with self.store.cell_lease(self.cell) as lease:
            outcome = generate_cell(
                self.store, self.cell, servers=servers_at(self.url), lease=lease, plan_id=plan_id, run_id="run"
            )
            assert outcome.gone is None
            assert not outcome.failed.height
            score_cell(self.store, self.cell, lease=lease)
            word = (self.store.manifest_facts(self.cell, tables.TakeScores) or {})["last_word"]
            done = {DONE_FACT: work_hash_of(self.store, plan_id, self.cell, word)}
            return master_cell(self.store, self.cell, lease=lease, actor="test", **done)

    def lacking(self) -> list[str]:
        return [need.cell for need in needs(self.store, self.store.current_plan_id() or "")]

    def masters(self, status: str = "active") -> pl.DataFrame:
        found = self.store.manifest(self.cell, tables.Masters)
        assert found is not None
        return found.filter(pl.col("status") == status)


@pytest.fixture
def lineage(tmp_path: Path, preview: PreviewProcess) -> Lineage:
    made = Lineage(tmp_path, preview.url)
    made.plan(campaign="first_test")
    made.carry()
    return made


def test_a_finished_cell_asks_the_servers_for_nothing_and_masters_nothing(lineage: Lineage) -> None:
    assert lineage.masters().height == 2
    assert lineage.lacking() == []
    before = stats(lineage.url)["submitted_jobs"]
    assert lineage.carry().made == 0
    assert stats(lineage.url)["submitted_jobs"] == before


def test_rejected_audio_is_pruned_and_counts_as_done(lineage: Lineage) -> None:
    takes = lineage.store.manifest(lineage.cell, tables.Takes)
    scores = lineage.store.manifest(lineage.cell, tables.TakeScores)
    assert takes is not None
    assert scores is not None
    kept = set(scores.filter(pl.col("fate").is_in(["kept", "runner_up"]))["take_id"])
    for take_id in takes["take_id"]:
        assert lineage.store.has_take(take_id) == (take_id in kept)
    assert lineage.plan().plan.plan_id == lineage.store.current_plan_id()


def test_a_retired_track_is_replaced_by_its_runner_up_or_by_further_takes(lineage: Lineage) -> None:
    gone = lineage.masters().row(0, named=True)
    retire(lineage.store, gone["track_id"], "too busy", actor="test")
    lineage.plan()
    assert lineage.lacking() == [lineage.cell]
    lineage.carry()
    now = lineage.masters()
    assert now.height == 2
    assert gone["track_id"] not in now["track_id"].to_list()
    assert gone["track_id"] in lineage.masters("retired")["track_id"].to_list()
    kinds = lineage.store.events(lineage.cell)["kind"].to_list()
    assert kinds.count("kept") == 3
    assert kinds.count("retired") == 1


def test_a_new_loudness_target_masters_again_without_generating_and_keeps_the_ids(lineage: Lineage) -> None:
    before = lineage.masters()
    jobs = stats(lineage.url)["submitted_jobs"]
    lineage.matrix(target_lufs=-20.0)
    lineage.plan()
    assert lineage.lacking() == [lineage.cell]
    assert lineage.carry().made == 2
    after = lineage.masters()
    assert stats(lineage.url)["submitted_jobs"] == jobs
    assert after["track_id"].to_list() == before["track_id"].to_list()
    assert set(after["master_id"]).isdisjoint(before["master_id"])
    assert after["integrated_loudness_lufs"].is_between(-20.1, -19.9).all()


def test_a_changed_row_supersedes_its_tracks_until_their_replacements_are_mastered(lineage: Lineage) -> None:
    before = set(lineage.masters()["track_id"])
    lineage.matrix(texture="soft and close")
    lineage.plan()
    lineage.carry()
    assert lineage.masters().height == 2
    assert set(lineage.masters()["track_id"]).isdisjoint(before)
    assert set(lineage.masters("replaced")["track_id"]) == before


def test_a_smaller_campaign_than_before_supersedes_nothing(lineage: Lineage) -> None:
    before = set(lineage.masters()["track_id"])
    campaigns = lineage.config / "campaigns.toml"
    campaigns.write_text(campaigns.read_text().replace("tracks = 2\ncells = 1", "tracks = 1\ncells = 1"))
    lineage.plan()
    lineage.carry()
    assert set(lineage.masters()["track_id"]) == before


def test_the_brakes_stop_a_change_of_most_prompts_and_publish_nothing(lineage: Lineage) -> None:
    plan_id = lineage.store.current_plan_id()
    lineage.matrix(texture="soft and close")
    with pytest.raises(PlanError, match="max_changed_share"):
        lineage.plan(allow=False)
    assert lineage.store.current_plan_id() == plan_id


def test_damaged_audio_is_forgotten_named_and_made_again(lineage: Lineage) -> None:
    take_id = lineage.masters()["take_id"][0]
    path = lineage.store.local_root / "takes" / take_id[:2] / f"{take_id}.flac"
    path.write_bytes(path.read_bytes()[:1000])
    for name in ("take_scores", "masters"):
        (lineage.store.local_root / "cells" / lineage.cell / f"{name}.parquet").unlink()
    with pytest.raises(Exception, match=take_id):
        lineage.carry()
    lineage.carry()
    assert lineage.masters().height == 2
