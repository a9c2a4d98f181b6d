"""Which takes of a cell are kept, and why; keeping is sticky.

A take that is kept stays kept until it is retired, or superseded because its prompt left the plan. A take that was once
rejected or found to be a duplicate stays so, for its audio may be gone. All else is decided by gates, fit, near-duplicates
and the score, in that order. Pure functions over frames with the columns of `tables.TakeScores`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ace_assets.audio import fingerprint

KEPT, RUNNER_UP, REJECTED, DUPLICATE, RETIRED, SUPERSEDED = (
    "kept",
    "runner_up",
    "rejected",
    "duplicate",
    "retired",
    "superseded",
)
RUNNERS_UP_PER_PROMPT = 1
_DECISION = {"fate": pl.String, "why": pl.String, "duplicate_of": pl.String}


class _Decisions:
    """The fates given so far, and the fingerprints that later takes must not repeat."""

    def __init__(self, same_music: float) -> None:
        self.fate: dict[str, tuple[str, str, str | None]] = {}
        self._taken: list[tuple[str, bytes]] = []
        self._same_music = same_music

    def give(self, row: Mapping[str, Any], fate: str, why: str, duplicate_of: str | None = None) -> None:
        self.fate[row["take_id"]] = (fate, why, duplicate_of)
        if fate in (KEPT, RUNNER_UP, RETIRED, SUPERSEDED) and row["fingerprint"] is not None:
            self._taken.append((row["take_id"], row["fingerprint"]))

    def twin_of(self, row: Mapping[str, Any]) -> tuple[str, float] | None:
        """Return the most similar take that already has a place, and how similar, if it counts as the same music."""
        if row["fingerprint"] is None:
            return None
        best = max(
            ((fingerprint.similarity(own, row["fingerprint"]), take_id) for take_id, own in self._taken),
            default=(0.0, ""),
        )
        return (best[1], best[0]) if best[0] >= self._same_music else None


def select_takes(
    scores: pl.DataFrame,
    *,
    tracks_per_prompt: Mapping[str, int],
    previous: pl.DataFrame | None = None,
    retired: Mapping[str, str] | None = None,
    runners_up_per_prompt: int = RUNNERS_UP_PER_PROMPT,
    same_music: float = fingerprint.SAME_MUSIC,
) -> pl.DataFrame:
    """Return the scores of a cell's takes with `fate`, `why` and `duplicate_of` filled in; rows keep their order.

    Args:
        scores: one row per take of the cell, with at least take_id, prompt_id, take_index, gate_failures, fit_failures,
            signal_score, score_basis, score_version and fingerprint. Takes of prompts that left the plan are included.
        tracks_per_prompt: how many tracks the plan wants of each prompt. A prompt that is missing has left the plan: its kept
            takes become superseded.
        previous: earlier decisions, with take_id, fate, why and duplicate_of.
        retired: reason per retired take.
        runners_up_per_prompt: how many passing takes are stored beside the kept ones.
        same_music: similarity from which two takes are near-duplicates.
    """
    retired = retired or {}
    earlier: dict[str, tuple[str, str | None, str | None]] = {}
    if previous is not None:
        for take_id, fate, why, twin in previous.select("take_id", "fate", "why", "duplicate_of").iter_rows():
            earlier[take_id] = (fate, why, twin)
    rows = scores.sort(["prompt_id", "take_index"]).to_dicts()
    decisions = _Decisions(same_music)
    open_rows: list[dict[str, Any]] = []
    kept: dict[str, int] = {}
    for row in rows:
        take_id, prompt_id = row["take_id"], row["prompt_id"]
        fate, why, twin = earlier.get(take_id, (None, None, None))
        if take_id in retired:
            decisions.give(row, RETIRED, f"retired: {retired[take_id]}")
        elif fate in (KEPT, RETIRED, SUPERSEDED):
            if prompt_id not in tracks_per_prompt:
                decisions.give(row, SUPERSEDED, "its prompt is no longer in the plan; exportable until replaced")
            else:
                note = {KEPT: why or "kept before", RETIRED: "kept again: no longer retired"}
                decisions.give(row, KEPT, note.get(str(fate), "kept again: its prompt is back in the plan"))
                kept[prompt_id] = kept.get(prompt_id, 0) + 1
        elif fate in (REJECTED, DUPLICATE):
            decisions.give(row, str(fate), why or "rejected before", twin)
        else:
            open_rows.append({**row, "was_runner_up": fate == RUNNER_UP})
    _decide(open_rows, decisions, kept, tracks_per_prompt, runners_up_per_prompt)
    decided = pl.DataFrame(
        [(take_id, *fate) for take_id, fate in decisions.fate.items()],
        schema={"take_id": pl.String, **_DECISION},
        orient="row",
    )
    return scores.drop(*(name for name in _DECISION if name in scores.columns)).join(
        decided, on="take_id", how="left", maintain_order="left"
    )


def _decide(
    rows: list[dict[str, Any]],
    decisions: _Decisions,
    kept: dict[str, int],
    tracks_per_prompt: Mapping[str, int],
    runners_up_per_prompt: int,
) -> None:
    """Give a fate to the takes that are open, the best first; stored runners-up come before anything new of their prompt."""
    stored: dict[str, int] = {}
    rank = {id(row): place for place, row in enumerate(sorted(rows, key=_order), start=1)}
    for row in sorted(rows, key=lambda row: (not row["was_runner_up"], rank[id(row)])):
        prompt_id = row["prompt_id"]
        failures = [*(row["gate_failures"] or ()), *(row["fit_failures"] or ())]
        wanted = tracks_per_prompt.get(prompt_id)
        score = row["signal_score"]
        if failures:
            kind = "defect" if row["gate_failures"] else "does not fit the zone"
            decisions.give(row, REJECTED, f"{kind}: {', '.join(failures)}")
        elif wanted is None:
            decisions.give(row, REJECTED, "its prompt is no longer in the plan")
        elif score is None:
            decisions.give(row, REJECTED, "could not be scored")
        elif (twin := decisions.twin_of(row)) is not None:
            decisions.give(row, DUPLICATE, f"near-duplicate of {twin[0]} (similarity {twin[1]:.2f})", twin[0])
        elif kept.get(prompt_id, 0) < wanted:
            kept[prompt_id] = kept.get(prompt_id, 0) + 1
            place = "promoted from runner-up" if row["was_runner_up"] else "best accepted take"
            decisions.give(row, KEPT, f"{place}: score {score:.1f}, track {kept[prompt_id]} of {wanted} of its prompt")
        elif stored.get(prompt_id, 0) < runners_up_per_prompt:
            stored[prompt_id] = stored.get(prompt_id, 0) + 1
            decisions.give(row, RUNNER_UP, f"passed with score {score:.1f}; its prompt already has its tracks")
        else:
            decisions.give(
                row, REJECTED, f"passed with score {score:.1f}, but its prompt has its tracks and runners-up already"
            )


def _order(row: Mapping[str, Any]) -> tuple[float, int, str]:
    score = row["signal_score"]
    return (-score if score is not None else 1.0, row["take_index"], row["take_id"])


def accepted(scores: pl.DataFrame) -> pl.DataFrame:
    """Return the takes that passed every gate and fit rule, whether or not their prompt had a place for them."""
    return scores.filter((pl.col("gate_failures").list.len() == 0) & (pl.col("fit_failures").list.len() == 0))


def takes_lacking(decided: pl.DataFrame, prompts: pl.DataFrame) -> pl.DataFrame:
    """Return per prompt how many tracks it lacks and how many further takes to make for them.

    Args:
        decided: takes with prompt_id and fate, as `select_takes` returns them.
        prompts: the plan's prompts with prompt_id, takes_planned, takes_limit and tracks_per_prompt.

    Returns:
        One row per prompt, in the plan's order: prompt_id, tracks_kept, tracks_lacking, takes_lacking. `takes_lacking` repeats
        the plan's own ratio of takes to tracks, less the planned takes that are not scored yet, never beyond the limit; 0
        where a runner-up can be promoted instead.
    """
    counted = decided.group_by("prompt_id").agg(
        tracks_kept=(pl.col("fate") == KEPT).sum().cast(pl.Int64),
        runners_up=(pl.col("fate") == RUNNER_UP).sum().cast(pl.Int64),
        scored=pl.len().cast(pl.Int64),
    )
    first_planned = pl.col("takes_planned").clip(lower_bound=1)
    joined = prompts.select("prompt_id", "takes_planned", "takes_limit", "tracks_per_prompt").join(
        counted, on="prompt_id", how="left", maintain_order="left"
    )
    return (
        joined.with_columns(pl.col("tracks_kept", "runners_up", "scored").fill_null(0))
        .with_columns(tracks_lacking=(pl.col("tracks_per_prompt") - pl.col("tracks_kept")).clip(lower_bound=0))
        .with_columns(uncovered=(pl.col("tracks_lacking") - pl.col("runners_up")).clip(lower_bound=0))
        .with_columns(
            takes_lacking=pl.min_horizontal(
                (pl.col("uncovered") * first_planned / pl.col("tracks_per_prompt").clip(lower_bound=1)).ceil()
                - (pl.col("takes_planned") - pl.col("scored")).clip(lower_bound=0),
                (pl.col("takes_limit") - pl.col("takes_planned")).clip(lower_bound=0),
            )
            .clip(lower_bound=0)
            .cast(pl.Int64)
        )
        .select("prompt_id", "tracks_kept", "tracks_lacking", "takes_lacking")
    )
