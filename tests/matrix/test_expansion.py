"""The same matrix makes the same plan everywhere; a changed row changes only its prompts; captions keep their rules."""

from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ace_assets import identity, matrix, tables
from ace_assets.errors import ConfigError, PlanError
from ace_assets.matrix import captions
from ace_assets.matrix.expansion import prompts_of
from ace_assets.matrix.lexicon import Lexicon
from ace_assets.matrix.rows import Matrix, MatrixRow

from .conftest import Write, as_csv, good_rows, plan_of

GOLDEN_PLAN = "6ebc3fde23c46db3"
GOLDEN_FIRST_TAKE = "5f498ecfbc3b8990b688d9fb7374cd14"


@pytest.fixture
def small(write: Write) -> Matrix:
    return matrix.load_matrix(write(as_csv(good_rows())))


def prompt_ids(plan: matrix.Plan) -> dict[str, list[str]]:
    """Prompt ids of each cell, in order."""
    ordered = plan.prompts.sort("cell", "prompt_index").group_by("cell", maintain_order=True).agg("prompt_id")
    return dict(ordered.iter_rows())


# ---- the same everywhere -------------------------------------------------------------------------------------------


def test_the_golden_plan_holds(small: Matrix, campaigns: matrix.Campaigns) -> None:
    plan = plan_of(small, campaigns, "full_catalog")
    assert plan.plan_id == GOLDEN_PLAN
    assert plan.planned_takes["take_id"][0] == GOLDEN_FIRST_TAKE


def test_the_order_of_rows_does_not_matter(small: Matrix, campaigns: matrix.Campaigns) -> None:
    turned = Matrix(tuple(replace(row, row=9 - row.row) for row in reversed(small.rows)))
    one, other = (plan_of(rows, campaigns, "full_catalog") for rows in (small, turned))
    assert one.plan_id == other.plan_id
    assert one.planned_takes.equals(other.planned_takes)
    assert small.content_hash() == turned.content_hash()


def test_another_process_with_other_hash_seeds_makes_the_same_plan(first_test: matrix.Plan) -> None:
    code = (
        "from ace_assets import matrix as m; c = m.load_campaigns(); camp = c.campaign('first_test');"
        "p = m.make_plan(m.load_matrix(), campaign=camp, profile=c.profile(camp.profile), engine='ace-step');"
        "print(p.plan_id, p.planned_takes['request_json'].str.join(' ').hash().item())"
    )
    outputs = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": "Asia/Tokyo", "LC_ALL": "C"}
        run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        outputs.add(run.stdout)
    assert len(outputs) == 1
    assert outputs.pop().split()[0] == first_test.plan_id


def test_the_frames_keep_their_schemas_and_link_up(full_catalog: matrix.Plan) -> None:
    for table, frame in (
        (tables.Cells, full_catalog.cells),
        (tables.Prompts, full_catalog.prompts),
        (tables.PlannedTakes, full_catalog.planned_takes),
    ):
        assert tables.validated(table, frame).equals(frame)
    takes = full_catalog.planned_takes.group_by("prompt_id").len()
    counted = full_catalog.prompts.join(takes, on="prompt_id", how="full")
    assert counted.filter(pl.col("len") != pl.col("takes_planned")).is_empty()
    assert full_catalog.planned_takes["seed"].is_between(1, 2**31 - 1).all()


def test_a_plan_survives_the_store_unchanged(first_test: matrix.Plan, tmp_path: Path) -> None:
    from ace_assets.store import Store

    store = Store.open(str(tmp_path))
    store.publish_plan(
        first_test.plan_id,
        first_test.facts,
        cells=first_test.cells,
        prompts=first_test.prompts,
        planned_takes=first_test.planned_takes,
    )
    assert store.current_plan_id() == first_test.plan_id
    assert store.plan_table(first_test.plan_id, tables.Cells).equals(first_test.cells)
    assert store.plan_table(first_test.plan_id, tables.Prompts).equals(first_test.prompts)
    assert store.plan_facts(first_test.plan_id)["campaign"] == "first_test"


# ---- campaigns -----------------------------------------------------------------------------------------------------


def test_the_full_catalog_is_15000_tracks_of_432_cells(full_catalog: matrix.Plan) -> None:
    assert full_catalog.facts["tracks"] == full_catalog.cells["target_tracks"].sum() == 15_000
    assert full_catalog.cells.height == 432
    assert Counter(full_catalog.cells["zone"]) == {"lobby": 144, "retail": 144, "spa": 144}
    assert full_catalog.prompts["prompt_id"].is_unique().all()


def test_the_first_test_reaches_every_zone_with_three_takes_a_prompt_and_lengths_of_the_matrix(
    first_test: matrix.Plan, shipped_matrix: Matrix
) -> None:
    assert first_test.prompts.height == 20
    assert first_test.cells.height >= 9
    assert set(first_test.cells["zone"]) == {"lobby", "retail", "spa"}
    assert first_test.prompts["takes_planned"].min() == 3
    rows = {row.cell: row for row in shipped_matrix.rows}
    for cell, seconds in first_test.prompts.select("cell", "requested_duration_s").iter_rows():
        assert rows[cell].duration_min_s <= seconds <= rows[cell].duration_max_s


def test_a_larger_campaign_contains_the_smaller_one(
    first_test: matrix.Plan, full_catalog: matrix.Plan, shipped_matrix: Matrix, campaigns: matrix.Campaigns
) -> None:
    middle = plan_of(shipped_matrix, campaigns, "small_batch")
    for small, large in ((first_test, middle), (middle, full_catalog)):
        assert set(small.planned_takes["take_id"]) <= set(large.planned_takes["take_id"])
        for cell, ids in prompt_ids(small).items():
            assert prompt_ids(large)[cell][: len(ids)] == ids


def test_another_profile_asks_the_same_prompts_in_other_takes(
    first_test: matrix.Plan, shipped_matrix: Matrix, campaigns: matrix.Campaigns
) -> None:
    other = matrix.make_plan(
        shipped_matrix,
        campaign=campaigns.campaign("first_test"),
        profile=campaigns.profile("preview"),
        engine="preview",
    )
    assert other.prompts["prompt_id"].equals(first_test.prompts["prompt_id"])
    assert not set(other.planned_takes["take_id"]) & set(first_test.planned_takes["take_id"])
    assert set(other.planned_takes["engine"]) == {"preview"}


def test_a_profile_for_another_engine_is_refused(small: Matrix, campaigns: matrix.Campaigns) -> None:
    with pytest.raises(ConfigError, match="profile production"):
        matrix.make_plan(
            small, campaign=campaigns.campaign("first_test"), profile=campaigns.profile("production"), engine="preview"
        )


def test_a_pattern_plans_only_the_cells_that_match_with_the_same_prompts(
    full_catalog: matrix.Plan, shipped_matrix: Matrix, campaigns: matrix.Campaigns
) -> None:
    plan = plan_of(shipped_matrix, campaigns, "first_test", cells_glob="spa.ambient.*")
    assert plan.facts["tracks"] == 20
    assert all(cell.startswith("spa.ambient.") for cell in plan.cells["cell"])
    assert set(plan.prompts["prompt_id"]) <= set(full_catalog.prompts["prompt_id"])
    with pytest.raises(PlanError, match=r"garage\.\*.*432 cells"):
        plan_of(shipped_matrix, campaigns, "first_test", cells_glob="garage.*")


def test_a_matrix_that_wants_no_track_is_refused(small: Matrix, campaigns: matrix.Campaigns) -> None:
    nothing = Matrix(tuple(replace(row, target_tracks=0) for row in small.rows))
    with pytest.raises(PlanError, match="target_tracks"):
        plan_of(nothing, campaigns, "first_test")


def test_extra_takes_follow_the_first_ones_up_to_the_limit(small: Matrix, campaigns: matrix.Campaigns) -> None:
    before = plan_of(small, campaigns, "full_catalog")
    two, many = before.prompts["prompt_id"][:2]
    after = plan_of(small, campaigns, "full_catalog", extra_takes={two: 2, many: 99, "unknown": 5})
    planned = dict(after.prompts.select("prompt_id", "takes_planned").iter_rows())
    assert (planned.pop(two), planned.pop(many)) == (5, 8)
    assert set(planned.values()) == {3}
    assert set(before.planned_takes["take_id"]) < set(after.planned_takes["take_id"])
    assert after.plan_id != before.plan_id


# ---- one row -------------------------------------------------------------------------------------------------------

CHANGES: list[dict[str, Any]] = [
    {"bpm_max": 70},
    {"keys": ("C major",)},
    {"texture": ("still and wide",)},
    {"instruments_colour": ("harp", "cello")},
    {"duration_max_s": 180},
    {"vocal": "wordless"},
    {"time_signature": "3"},
    {"mood": "dreamy"},
]


@pytest.mark.parametrize("change", CHANGES)
def test_changing_a_row_changes_only_its_prompts(
    small: Matrix, campaigns: matrix.Campaigns, change: dict[str, Any]
) -> None:
    edited = Matrix((*small.rows[:2], replace(small.rows[2], **change)))
    before, after = (plan_of(rows, campaigns, "full_catalog") for rows in (small, edited))
    cell = small.rows[2].cell
    kept = pl.col("cell") != cell
    columns = pl.exclude("matrix_row")
    assert before.prompts.filter(kept).equals(after.prompts.filter(pl.col("cell") != edited.rows[2].cell))
    assert (
        before.cells.filter(kept)
        .select(columns)
        .equals(after.cells.filter(pl.col("cell") != edited.rows[2].cell).select(columns))
    )
    assert set(before.prompts.filter(~kept)["prompt_id"]) != set(after.prompts.filter(~kept)["prompt_id"])


@pytest.mark.parametrize(
    "change",
    [
        {"target_lufs": -20.0},
        {"takes_per_prompt": 5},
        {"target_tracks": 5},
        {"brand_exclude": ("Aurora",)},
        {"energy": 2},
    ],
)
def test_what_is_no_part_of_the_sound_keeps_the_prompts(
    small: Matrix, campaigns: matrix.Campaigns, change: dict[str, Any]
) -> None:
    edited = Matrix((*small.rows[:2], replace(small.rows[2], **change)))
    before, after = (plan_of(rows, campaigns, "full_catalog") for rows in (small, edited))
    assert set(after.prompts["prompt_id"]) <= set(before.prompts["prompt_id"])
    assert set(before.planned_takes["take_id"]) & set(after.planned_takes["take_id"])
    assert before.plan_id != after.plan_id


def test_a_new_row_leaves_all_others_alone(small: Matrix, campaigns: matrix.Campaigns) -> None:
    new = replace(small.rows[0], row=5, genre="jazz-trio")
    before, after = (plan_of(rows, campaigns, "full_catalog") for rows in (small, Matrix((*small.rows, new))))
    assert prompt_ids(before).items() <= prompt_ids(after).items()


# ---- balance and captions ------------------------------------------------------------------------------------------

WORDS = st.lists(st.sampled_from("abcdefghij"), min_size=1, max_size=6, unique=True).map(tuple)


@st.composite
def rows_of_any_shape(draw: st.DrawFn) -> MatrixRow:
    core = draw(
        st.lists(st.sampled_from(["harp", "cello", "flute", "oboe", "viola"]), min_size=1, max_size=5, unique=True)
    )
    colour = draw(
        st.lists(
            st.sampled_from(["piano", "bells", "organ", "guitar"]),
            min_size=int(len(core) == 1),
            max_size=4,
            unique=True,
        )
    )
    bpm, length = draw(st.integers(60, 180)), draw(st.integers(120, 240))
    return MatrixRow(
        row=2,
        zone="lobby",
        genre=draw(st.sampled_from(["jazz", "lounge"])),
        daypart="night",
        mood="warm",
        energy=2,
        bpm_min=bpm,
        bpm_max=draw(st.integers(bpm, 180)),
        keys=draw(WORDS),
        instruments_core=tuple(core),
        instruments_colour=tuple(colour),
        texture=draw(WORDS),
        production=draw(WORDS),
        duration_min_s=length,
        duration_max_s=draw(st.integers(length, 240)),
        target_tracks=30,
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(row=rows_of_any_shape(), count=st.integers(2, 50))
def test_every_dimension_is_balanced_within_a_cell_and_neighbours_differ(
    row: MatrixRow, count: int, lexicon: Lexicon
) -> None:
    made = list(islice(prompts_of(row, lexicon), count))
    for values in (
        [p.key for p in made],
        [p.texture for p in made],
        [p.bpm for p in made],
        [p.duration_s for p in made],
        [name for p in made for name in p.instruments if name in row.instruments_core],
    ):
        used = Counter(values)
        distinct = len(used)
        assert max(used.values()) - min(used.values()) <= 1 or distinct == 1
    assert set(Counter(p.key for p in made)) == set(row.keys) or count < len(row.keys)
    for before, after in pairwise(made):
        assert len(row.keys) == 1 or before.key != after.key
        assert len(row.texture) == 1 or before.texture != after.texture
        assert row.bpm_min == row.bpm_max or before.bpm != after.bpm
    assert all(
        row.bpm_min <= p.bpm <= row.bpm_max and row.duration_min_s <= p.duration_s <= row.duration_max_s for p in made
    )
    least = min(2, len(row.instruments_core) + len(row.instruments_colour))
    assert all(least <= len(set(p.instruments)) == len(p.instruments) <= 4 for p in made)
    longest = captions.longest(row, lexicon)
    assert all(len(p.caption) <= len(longest) for p in made)


def test_every_caption_of_the_full_catalog_keeps_its_rules(full_catalog: matrix.Plan, lexicon: Lexicon) -> None:
    for caption, instruments, texture in full_catalog.prompts.select("caption", "instruments", "texture").iter_rows():
        assert caption.isascii()
        assert len(caption) <= 512
        assert 2 <= len(instruments) <= 4
        assert len(caption.split(", ")) >= 2 + len(instruments)  # mood and genre, instruments, texture and production
        assert texture in caption
        assert not lexicon.caption_never.found_in(caption)
        assert not lexicon.artists.found_in(caption)
    for zone, caption, bpm in full_catalog.prompts.select("zone", "caption", "requested_bpm").iter_rows():
        assert not lexicon.zones[zone].never.found_in(caption)
        assert zone != "spa" or bpm <= 80
        assert zone != "retail" or bpm >= 90
    assert set(full_catalog.prompts["requested_key"]) == set(lexicon.reliable_keys)
    assert full_catalog.prompts["requested_duration_s"].is_between(120, 240).all()
    assert full_catalog.prompts["requested_duration_s"].is_between(150, 210).mean() > 0.75  # type: ignore[operator]


def test_hardly_two_prompts_of_a_cell_ask_for_the_same(full_catalog: matrix.Plan) -> None:
    columns = ["cell", "caption", "requested_bpm", "requested_key", "requested_duration_s"]
    assert full_catalog.prompts.select(columns).is_duplicated().sum() <= 15


def test_lyrics_are_a_tag_or_sections_that_end_in_an_outro(small: Matrix) -> None:
    row = small.rows[0]
    assert captions.lyrics_of(row) == "[Instrumental]"
    for vocal in ("wordless", "en"):
        assert captions.lyrics_of(replace(row, vocal=vocal)).endswith("[Outro]")
    assert captions.language_of(replace(row, vocal="en")) == "en"
    assert captions.language_of(row) == "unknown"


def test_titles_are_plain_unique_within_a_cell_and_name_no_artist(full_catalog: matrix.Plan, lexicon: Lexicon) -> None:
    titles = full_catalog.prompts["title"]
    assert all(title.isascii() and 5 <= len(title) <= 60 for title in titles)
    assert full_catalog.prompts.group_by("cell", "title").len()["len"].max() == 1
    assert titles.n_unique() > 0.95 * len(titles)
    assert not [title for title in titles if lexicon.names_somebody(title)]


def test_lint_warnings_ride_along_to_the_prompts(full_catalog: matrix.Plan) -> None:
    warned = full_catalog.prompts.filter(pl.col("genre") == "handpan")["lint_warnings"].to_list()
    assert all(any(text.startswith("L-STYLE-NICHE: genre: handpan") for text in texts) for texts in warned)
    assert full_catalog.prompts.filter(pl.col("genre") == "funk")["lint_warnings"].list.len().max() == 0


def test_track_ids_of_a_full_catalog_do_not_collide(full_catalog: matrix.Plan) -> None:
    tracks = {identity.track_id(take) for take in full_catalog.planned_takes["take_id"]}
    assert len(tracks) == full_catalog.planned_takes.height
    assert full_catalog.planned_takes["seed"].n_unique() > 0.999 * full_catalog.planned_takes.height


# ---- the shipped matrix --------------------------------------------------------------------------------------------


def test_the_shipped_zones_each_have_eight_to_twelve_genres_in_every_daypart_and_mood(shipped_matrix: Matrix) -> None:
    for zone in ("lobby", "retail", "spa"):
        rows = [row for row in shipped_matrix.rows if row.zone == zone]
        genres = {row.genre for row in rows}
        assert 8 <= len(genres) <= 12
        for genre in genres:
            own = [row for row in rows if row.genre == genre]
            assert len(own) == len({row.daypart for row in own}) * len({row.mood for row in own})


def test_the_shipped_file_is_plain_comma_separated_ascii() -> None:
    path = matrix.default_matrix_path()
    content = path.read_bytes()
    assert content.isascii()
    assert b"\r" not in content
    with path.open(newline="") as file:
        assert len(list(csv.reader(file))) == 433


def test_a_shuffled_copy_of_the_shipped_file_makes_the_same_first_test(
    tmp_path: Path, first_test: matrix.Plan, campaigns: matrix.Campaigns
) -> None:
    header, *lines = matrix.default_matrix_path().read_text().splitlines()
    random.Random(7).shuffle(lines)
    copy = tmp_path / "genre_matrix.csv"
    copy.write_text("\n".join([header, *lines]) + "\n")
    assert plan_of(matrix.load_matrix(copy), campaigns, "first_test").plan_id == first_test.plan_id


def test_every_request_is_canonical_json(first_test: matrix.Plan) -> None:
    for text in first_test.planned_takes["request_json"]:
        assert identity.canonical_json(json.loads(text)) == text
