"""Keeping is sticky, explainable, and free of twins."""

from __future__ import annotations

import numpy as np
import polars as pl

from ace_assets.audio.fingerprint import words_of
from ace_assets.scoring import select_takes, takes_lacking

SCHEMA = {
    "take_id": pl.String,
    "prompt_id": pl.String,
    "take_index": pl.Int64,
    "gate_failures": pl.List(pl.String),
    "fit_failures": pl.List(pl.String),
    "signal_score": pl.Float64,
    "fingerprint": pl.Binary,
}


def mark(seed: int) -> bytes:
    return b"AF1\x00" + np.random.default_rng(seed).integers(0, 2**32, 500, dtype=np.uint64).astype("<u4").tobytes()


def take(
    name: str, prompt: str, score: float | None, *, gates=(), fit=(), twin: int | None = None
) -> dict[str, object]:
    seed = sum(name.encode()) * 31 + len(prompt) if twin is None else twin
    return {
        "take_id": name,
        "prompt_id": prompt,
        "take_index": int(name[1:]),
        "gate_failures": list(gates),
        "fit_failures": list(fit),
        "signal_score": score,
        "fingerprint": mark(seed),
    }


def fates(frame: pl.DataFrame) -> dict[str, str]:
    return dict(frame.select("take_id", "fate").iter_rows())


def chosen(rows, **options) -> pl.DataFrame:
    return select_takes(pl.DataFrame(rows, schema=SCHEMA), tracks_per_prompt={"p": 1, "q": 1}, **options)


def test_the_best_take_is_kept_the_next_waits_and_the_rest_is_rejected():
    frame = chosen([take("a0", "p", 70), take("a1", "p", 90), take("a2", "p", 80)])
    assert fates(frame) == {"a0": "rejected", "a1": "kept", "a2": "runner_up"}
    assert frame["take_id"].to_list() == ["a0", "a1", "a2"]
    assert all(frame["why"].to_list())


def test_gates_and_fit_reject_whatever_the_score():
    frame = chosen(
        [take("a0", "p", 99, gates=["clipping"]), take("a1", "p", 98, fit=["wrong_tempo"]), take("a2", "p", 10)]
    )
    assert fates(frame) == {"a0": "rejected", "a1": "rejected", "a2": "kept"}
    assert "clipping" in frame["why"][0]


def test_a_near_duplicate_of_a_better_take_is_dropped_across_prompts():
    frame = chosen([take("a0", "p", 90, twin=5), take("a1", "q", 80, twin=5), take("a2", "q", 70)])
    assert fates(frame) == {"a0": "kept", "a1": "duplicate", "a2": "kept"}
    assert frame["duplicate_of"].to_list() == [None, "a0", None]
    assert words_of(mark(5)).size == 500


def test_a_kept_take_stays_though_a_later_one_scores_higher_or_its_own_gates_changed():
    first = chosen([take("a0", "p", 60)])
    later = chosen([take("a0", "p", 55, gates=["silence"]), take("a1", "p", 99)], previous=first)
    assert fates(later) == {"a0": "kept", "a1": "runner_up"}


def test_a_retired_take_makes_room_for_its_runner_up_before_anything_new():
    first = chosen([take("a0", "p", 90), take("a1", "p", 70)])
    later = chosen(
        [take("a0", "p", 90), take("a1", "p", 70), take("a2", "p", 95)], previous=first, retired={"a0": "a complaint"}
    )
    assert fates(later) == {"a0": "retired", "a1": "kept", "a2": "runner_up"}
    assert "a complaint" in later["why"][0]
    restored = chosen([take("a0", "p", 90), take("a1", "p", 70)], previous=later)
    assert fates(restored) == {"a0": "kept", "a1": "kept"}


def test_a_prompt_that_left_the_plan_supersedes_its_tracks_and_keeps_nothing_new():
    first = chosen([take("a0", "p", 90)])
    later = select_takes(
        pl.DataFrame([take("a0", "p", 90), take("a1", "p", 95)], schema=SCHEMA), tracks_per_prompt={}, previous=first
    )
    assert fates(later) == {"a0": "superseded", "a1": "rejected"}


def test_what_was_rejected_stays_rejected_for_its_audio_may_be_gone():
    first = chosen([take("a0", "p", 50), take("a1", "p", 90), take("a2", "p", 80)])
    later = chosen(
        [take("a0", "p", 50), take("a1", "p", 90), take("a2", "p", 80)], previous=first, retired={"a1": "x", "a2": "y"}
    )
    assert fates(later)["a0"] == "rejected"


def test_deciding_twice_changes_nothing():
    rows = [take("a0", "p", 70), take("a1", "p", 90), take("a2", "q", 80), take("a3", "q", None)]
    once = chosen(rows)
    assert chosen(rows, previous=once).equals(once)


def test_prompts_without_enough_tracks_get_further_takes_up_to_the_limit():
    decided = chosen(
        [take("a0", "p", 1, gates=["silence"]), take("a1", "p", 1, gates=["silence"]), take("a2", "q", 90)]
    )
    prompts = pl.DataFrame(
        {
            "prompt_id": ["p", "q", "r"],
            "takes_planned": [2, 1, 3],
            "takes_limit": [3, 6, 6],
            "tracks_per_prompt": [1, 1, 1],
        }
    )
    lacking = takes_lacking(decided, prompts)
    assert lacking["tracks_lacking"].to_list() == [1, 0, 1]
    assert lacking["takes_lacking"].to_list() == [
        1,
        0,
        0,
    ]  # the limit binds; nothing lacks; three takes are still to come


def test_no_takes_at_all_is_no_error():
    empty = chosen([])
    assert empty.height == 0
    assert "fate" in empty.columns
