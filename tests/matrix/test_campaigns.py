"""Campaigns and profiles are data; a wrong entry is named; shares of cells are representative and nested."""

from __future__ import annotations

import copy
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace_assets import matrix, shipped
from ace_assets.errors import ConfigError
from ace_assets.matrix.campaigns import Campaign, parse_campaigns
from ace_assets.matrix.rows import Matrix, MatrixRow
from ace_assets.matrix.shares import prompts_per_cell, reach_order

SHIPPED = tomllib.loads((shipped.path("config") / "campaigns.toml").read_text())


def changed(*keys: str, value: Any) -> dict[str, Any]:
    data: dict[str, Any] = copy.deepcopy(SHIPPED)
    entry = data
    for key in keys[:-1]:
        entry = entry[key]
    if value is None:
        del entry[keys[-1]]
    else:
        entry[keys[-1]] = value
    return data


def test_the_shipped_campaigns_have_the_sizes_that_were_asked_for(campaigns: matrix.Campaigns) -> None:
    assert {name: c.tracks for name, c in campaigns.campaigns.items()} == {
        "first_test": 20,
        "quality_eval": 200,
        "small_batch": 2000,
        "full_catalog": None,
    }
    evaluation = campaigns.profile(campaigns.campaign("quality_eval").profile)
    assert (evaluation.model, evaluation.inference_steps, evaluation.guidance_scale) == ("acestep-v15-sft", 50, 7.0)
    production = campaigns.profile(campaigns.campaign("full_catalog").profile)
    assert (production.model, production.inference_steps) == ("acestep-v15-turbo", 8)


def test_the_preview_engine_has_its_own_profile_in_every_campaign(campaigns: matrix.Campaigns) -> None:
    for campaign in campaigns.campaigns.values():
        assert campaigns.profile_for(campaign, "preview").engine == "preview"
        assert campaigns.profile_for(campaign, "ace-step").name == campaign.profile


@pytest.mark.parametrize(
    ("keys", "value", "words"),
    [
        (("campaigns", "first_test", "tracks"), 0, "tracks"),
        (("campaigns", "first_test", "tracks"), "twenty", "tracks"),
        (("campaigns", "first_test", "tracks"), True, "tracks"),
        (("campaigns", "first_test", "cells"), 21, "at most its 20 tracks"),
        (("campaigns", "first_test", "profile"), "prod", "one of production"),
        (("campaigns", "first_test", "track"), 20, "did you mean tracks"),
        (("campaigns", "first_test"), 20, "a table"),
        (("campaigns",), {}, "at least one"),
        (("campaign",), {}, "campaigns.NAME"),
        (("profiles", "production", "model"), None, "model: missing"),
        (("profiles", "production", "model"), " ", "a model's name"),
        (("profiles", "production", "engine"), "suno", "ace-step or preview"),
        (("profiles", "production", "inference_steps"), 8.5, "a whole number"),
        (("profiles", "production", "thinking"), "yes", "true or false"),
        (("profiles", "production", "shift"), "3", "a number"),
        (("profiles", "production", "step"), 8, "inference_steps"),
        (("campaigns", "small_batch", "cells"), 49, "C-NESTED"),
        (("campaigns", "quality_eval", "cells"), 180, "C-NESTED"),
    ],
)
def test_a_wrong_entry_is_named(keys: tuple[str, ...], value: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=r"campaigns\.toml") as caught:
        parse_campaigns(changed(*keys, value=value))
    assert words in str(caught.value)


def test_an_unreadable_file_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "campaigns.toml"
    for content in (b"[campaigns", b"\xff\xfe", None):
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ConfigError, match=r"campaigns\.toml") as caught:
            matrix.load_campaigns(path)
        assert str(tmp_path) not in str(caught.value)


def test_an_unknown_name_lists_the_known_ones(campaigns: matrix.Campaigns) -> None:
    with pytest.raises(ConfigError, match="did you mean first_test"):
        campaigns.campaign("first_tets")
    with pytest.raises(ConfigError, match="one of production, evaluation, preview"):
        campaigns.profile("none")


def test_the_first_cells_reached_spread_over_zones_genres_dayparts_and_moods(shipped_matrix: Matrix) -> None:
    order = reach_order(row.cell for row in shipped_matrix.rows)
    assert len(order) == 432
    for size in (9, 10, 50, 216):
        parts = [cell.split(".") for cell in order[:size]]
        zones = Counter(zone for zone, *_ in parts)
        assert max(zones.values()) - min(zones.values()) <= 1
        for zone in zones:
            genres = Counter(genre for z, genre, *_ in parts if z == zone)
            assert max(genres.values()) - (min(genres.values()) if len(genres) == 12 else 0) <= 1
            dayparts = Counter(daypart for z, _, daypart, _ in parts if z == zone)
            assert max(dayparts.values()) - (min(dayparts.values()) if len(dayparts) == 4 else 0) <= 2


def bare_row(cell: str, target_tracks: int, tracks_per_prompt: int) -> MatrixRow:
    zone, genre, daypart, mood = cell.split(".")
    return MatrixRow(
        row=2,
        zone=zone,
        genre=genre,
        daypart=daypart,
        mood=mood,
        energy=1,
        bpm_min=60,
        bpm_max=70,
        keys=("C major",),
        instruments_core=("harp",),
        texture=("soft",),
        production=("dry",),
        duration_min_s=150,
        duration_max_s=200,
        target_tracks=target_tracks,
        tracks_per_prompt=tracks_per_prompt,
    )


CELLS = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from("cdef"), st.sampled_from("gh"), st.sampled_from("ijk")).map(
        ".".join
    ),
    min_size=1,
    unique=True,
)


@given(cells=CELLS, shuffled=st.randoms())
def test_the_order_of_reach_holds_every_cell_once_and_does_not_depend_on_the_order_of_rows(
    cells: list[str], shuffled: Any
) -> None:
    other = list(cells)
    shuffled.shuffle(other)
    assert reach_order(cells) == reach_order(other)
    assert sorted(reach_order(cells)) == sorted(cells)


@given(data=st.data())
def test_a_larger_campaign_takes_at_least_as_much_of_every_cell(data: st.DataObject) -> None:
    cells = data.draw(CELLS)
    targets = data.draw(st.lists(st.integers(0, 30), min_size=len(cells), max_size=len(cells)))
    kept = data.draw(st.lists(st.integers(1, 3), min_size=len(cells), max_size=len(cells)))
    rows = [bare_row(cell, target, per) for cell, target, per in zip(cells, targets, kept, strict=True)]
    reach = data.draw(st.integers(1, 60))
    tracks = data.draw(st.integers(reach, 400))
    large_reach = reach + data.draw(st.integers(0, 40))
    large_tracks = -(-tracks * large_reach // reach) + data.draw(st.integers(0, 500))  # no thinner: rule C-NESTED
    less = prompts_per_cell(rows, Campaign(name="s", tracks=tracks, cells=reach, profile="p"))
    more = prompts_per_cell(rows, Campaign(name="l", tracks=large_tracks, cells=large_reach, profile="p"))
    everything = prompts_per_cell(rows, Campaign(name="a", tracks=None, cells=None, profile="p"))
    for row in rows:
        count = [share.get(row.cell, 0) for share in (less, more, everything)]
        assert count == sorted(count)
        assert count[-1] * row.tracks_per_prompt >= row.target_tracks


@pytest.mark.parametrize(
    ("name", "tracks", "cells"), [("first_test", 20, 10), ("quality_eval", 200, 50), ("small_batch", 2000, 216)]
)
def test_the_shipped_matrix_yields_exactly_the_sizes_asked_for(
    name: str, tracks: int, cells: int, shipped_matrix: Matrix, campaigns: matrix.Campaigns
) -> None:
    counts = prompts_per_cell(shipped_matrix.rows, campaigns.campaign(name))
    assert (sum(counts.values()), len(counts)) == (tracks, cells)
    assert {cell.split(".")[0] for cell in counts} == {"lobby", "retail", "spa"}
