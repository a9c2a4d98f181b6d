"""What a new plan would change against the one before it, and the brake on a refresh that changes or spends much."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import polars as pl

from ace_assets.errors import PlanError
from ace_assets.matrix.expansion import Plan

DEFAULT_MAX_CHANGED_SHARE = 0.2
CELLS_NAMED = 3


@dataclass(frozen=True)
class PlanChanges:
    """What would be made, superseded and spent.

    Attributes:
        cells: per cell that changes: cell, prompts_made, prompts_superseded, takes_to_make, audio_s.
        prompts_before: prompts of the plan before.
        prompts_made: prompts that the plan before did not have.
        prompts_superseded: prompts of the plan before that the matrix no longer makes.
        takes_to_make: planned takes that are not stored.
        audio_s: their length, seconds.
    """

    cells: pl.DataFrame
    prompts_before: int
    prompts_made: int
    prompts_superseded: int
    takes_to_make: int
    audio_s: float

    @property
    def changed_share(self) -> float:
        """Share of the earlier prompts that would be superseded, 0 to 1."""
        return self.prompts_superseded / self.prompts_before if self.prompts_before else 0.0

    def lines(self) -> list[str]:
        """Return the changes in words."""
        return [
            f"{self.prompts_made:,} new prompts, {self.prompts_superseded:,} superseded"
            f" ({self.changed_share:.0%} of {self.prompts_before:,})",
            f"{self.takes_to_make:,} takes to make, {self.audio_s / 3600:,.1f} hours of audio",
        ]


def plan_changes(before: Plan | None, after: Plan, *, stored_take_ids: Collection[str] | None = None) -> PlanChanges:
    """Compare two plans.

    Args:
        before: the current plan, None before the first.
        after: the plan that would replace it.
        stored_take_ids: takes that exist already; None takes those of the plan before for made.
    """
    old_prompts = after.prompts.clear() if before is None else before.prompts
    if stored_take_ids is None:
        stored_take_ids = [] if before is None else before.planned_takes["take_id"].to_list()
    stored = pl.DataFrame({"take_id": list(stored_take_ids)}, schema={"take_id": pl.String})
    made = after.prompts.join(old_prompts, on="prompt_id", how="anti")
    possible = (
        after.cells.select("cell", prompt_id="matrix_prompt_ids").explode("prompt_id", empty_as_null=True).drop_nulls()
    )
    gone = old_prompts.join(after.cells, on="cell", how="semi").join(possible, on=["cell", "prompt_id"], how="anti")
    takes = after.planned_takes.join(stored, on="take_id", how="anti").join(
        after.prompts.select("prompt_id", "requested_duration_s"), on="prompt_id", how="left"
    )
    parts = [
        made.group_by("cell").agg(prompts_made=pl.len().cast(pl.Int64)),
        gone.group_by("cell").agg(prompts_superseded=pl.len().cast(pl.Int64)),
        takes.group_by("cell").agg(takes_to_make=pl.len().cast(pl.Int64), audio_s=pl.col("requested_duration_s").sum()),
    ]
    cells = pl.concat([part.select("cell") for part in parts]).unique()
    for part in parts:
        cells = cells.join(part, on="cell", how="left")
    return PlanChanges(
        cells=cells.fill_null(0).sort("cell"),
        prompts_before=old_prompts.height,
        prompts_made=made.height,
        prompts_superseded=gone.height,
        takes_to_make=takes.height,
        audio_s=float(takes["requested_duration_s"].sum()),
    )


def _largest(changes: PlanChanges, column: str) -> str:
    top = changes.cells.filter(pl.col(column) > 0).sort(column, "cell", descending=[True, False])
    named = [f"{cell} ({count:,})" for cell, count in top.head(CELLS_NAMED).select("cell", column).iter_rows()]
    rest = top.height - len(named)
    return ", ".join(named) + (f" and {rest} more cells" if rest > 0 else "")


def check_brakes(
    plan_before: Plan | None,
    plan_after: Plan,
    *,
    max_takes_per_refresh: int | None,
    max_changed_share: float = DEFAULT_MAX_CHANGED_SHARE,
    stored_take_ids: Collection[str] | None = None,
) -> PlanChanges:
    """Stop a plan that would change or spend more than a refresh may on its own; return its changes otherwise.

    Args:
        plan_before: the current plan, None before the first.
        plan_after: the plan that would replace it.
        max_takes_per_refresh: most takes to make, None for any number.
        max_changed_share: largest share of the earlier prompts that may be superseded, 0 to 1.
        stored_take_ids: takes that exist already; None takes those of the plan before for made.

    Raises:
        PlanError: a limit is passed; says what would change and how to allow it.
    """
    changes = plan_changes(plan_before, plan_after, stored_take_ids=stored_take_ids)
    if changes.changed_share > max_changed_share:
        raise PlanError(
            "refresh", rule="max_changed_share",
            value=f"{changes.prompts_superseded:,} of {changes.prompts_before:,} prompts superseded"
            f" ({changes.changed_share:.0%}): {_largest(changes, 'prompts_superseded')}",
            expected=f"at most {max_changed_share:.0%}",
            remedy="look at `ace-assets plan`; if the matrix is meant so, raise max_changed_share for one refresh",
        )  # fmt: skip
    if max_takes_per_refresh is not None and changes.takes_to_make > max_takes_per_refresh:
        raise PlanError(
            "refresh", rule="max_takes_per_refresh",
            value=f"{changes.takes_to_make:,} takes to make, {changes.audio_s / 3600:,.1f} hours of audio:"
            f" {_largest(changes, 'takes_to_make')}",
            expected=f"at most {max_takes_per_refresh:,}",
            remedy="look at `ace-assets plan`; raise max_takes_per_refresh, or plan fewer cells with --cells",
        )  # fmt: skip
    return changes
