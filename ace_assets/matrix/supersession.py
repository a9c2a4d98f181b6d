"""What earlier work is worth under a new plan: tracks superseded or forbidden, prompts that need further takes.

Pure functions over frames. Keeping is sticky: a smaller campaign supersedes nothing, only a changed matrix does. What
becomes of the files is for scoring and mastering to carry out.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from ace_assets import tables
from ace_assets.matrix.campaigns import Profile
from ace_assets.matrix.identity import TakeIds
from ace_assets.matrix.lexicon import Lexicon

USABLE_FATES = ("kept", "runner_up")
RETIRED = "retired"
RESTORED = "restored"
LEFT_ROW = "its row of the genre matrix changed: the prompt is no longer made"


def superseded(cells: pl.DataFrame, masters: pl.DataFrame) -> pl.DataFrame:
    """Return the tracks whose prompt the matrix no longer makes at their cell.

    Tracks of cells that the plan does not hold are left alone, and so are prompts that only a larger campaign reaches.

    Args:
        cells: the new plan's `tables.Cells`.
        masters: `tables.Masters` of any number of cells.

    Returns:
        track_id, take_id, prompt_id, cell, reason; retired tracks are not among them.
    """
    made = cells.select("cell", prompt_id="matrix_prompt_ids").explode("prompt_id", empty_as_null=True).drop_nulls()
    judged = masters.filter(pl.col("status") != RETIRED).join(cells.select("cell"), on="cell", how="semi")
    gone = judged.join(made, on=["cell", "prompt_id"], how="anti")
    return gone.select("track_id", "take_id", "prompt_id", "cell", reason=pl.lit(LEFT_ROW)).sort("track_id")


def forbidden(prompts: pl.DataFrame, lexicon: Lexicon) -> pl.DataFrame:
    """Return the prompts of any plan, old ones included, that a zone's never-list or the list of artists forbids now.

    Their tracks may not be exported even before they are replaced.

    Args:
        prompts: `tables.Prompts`.
        lexicon: today's words.

    Returns:
        prompt_id, cell, rule, reason.
    """
    found: list[tuple[str, str, str, str]] = []
    columns = ("prompt_id", "cell", "zone", "caption", "instrumental", "requested_bpm")
    for prompt_id, cell, zone_name, caption, instrumental, bpm in prompts.select(columns).iter_rows():
        zone = lexicon.zones.get(zone_name)
        reasons = [("L-ARTIST", f"names {name}") for name in lexicon.artists.found_in(caption)]
        if zone is not None:
            rule = f"L-NEVER-{zone_name.upper()}"
            reasons += [(rule, f"{word} is on the never-list") for word in zone.never.found_in(caption)]
            if not instrumental and "sung" not in zone.vocals:
                reasons.append((rule, "sung words are on the never-list"))
            if zone.bpm_min is not None and bpm < zone.bpm_min:
                reasons.append((rule, f"{bpm} beats per minute, below {zone.bpm_min}"))
            if zone.bpm_max is not None and bpm > zone.bpm_max:
                reasons.append((rule, f"{bpm} beats per minute, above {zone.bpm_max}"))
        if reasons:
            found.append((prompt_id, cell, *reasons[0]))
    return pl.DataFrame(found, schema=dict.fromkeys(("prompt_id", "cell", "rule", "reason"), pl.String), orient="row")


def _standing(
    cells: pl.DataFrame, prompts: pl.DataFrame, scores: pl.DataFrame, events: pl.DataFrame, profile: Profile
) -> pl.DataFrame:
    """Return per prompt what was tried and what is usable of it, counting takes of this profile only."""
    ids = TakeIds(profile)
    takes = pl.DataFrame(
        [
            (prompt_id, index, ids.of(prompt_id, index))
            for prompt_id, limit in prompts.select("prompt_id", "takes_limit").iter_rows()
            for index in range(limit)
        ],
        schema={"prompt_id": pl.String, "take_index": pl.Int64, "take_id": pl.String},
        orient="row",
    )
    last = (
        events.filter(pl.col("kind").is_in([RETIRED, RESTORED]))
        .sort("event_id")
        .group_by("take_id", maintain_order=True)
        .agg(last_kind=pl.col("kind").last())
    )
    tried = (
        takes.join(scores.select("take_id", "fate").unique("take_id", keep="last"), on="take_id", how="inner")
        .join(last, on="take_id", how="left")
        .with_columns(
            usable=pl.when(pl.col("last_kind") == RETIRED)
            .then(pl.lit(value=False))
            .when(pl.col("last_kind") == RESTORED)
            .then(pl.col("fate").is_in([*USABLE_FATES, RETIRED]))
            .otherwise(pl.col("fate").is_in(list(USABLE_FATES)))
        )
        .group_by("prompt_id")
        .agg(
            tried=pl.len().cast(pl.Int64),
            reached=pl.col("take_index").max() + 1,
            usable=pl.col("usable").sum().cast(pl.Int64),
        )
    )
    return (
        prompts.select("prompt_id", "cell", "takes_planned", "takes_limit", "tracks_per_prompt")
        .join(cells.select("cell", "takes_per_prompt"), on="cell", how="inner")
        .join(tried, on="prompt_id", how="left")
        .with_columns(pl.col("tried", "reached", "usable").fill_null(0))
        .with_columns(planned=pl.max_horizontal("takes_planned", "reached"))
        .with_columns(
            missing=(pl.col("tracks_per_prompt") - pl.col("usable")).clip(lower_bound=0),
            outstanding=pl.col("planned") - pl.col("tried"),
        )
    )


def top_up(
    cells: pl.DataFrame, prompts: pl.DataFrame, scores: pl.DataFrame, events: pl.DataFrame, *, profile: Profile
) -> dict[str, int]:
    """Return how many takes beyond its first ones each prompt gets: those it had, and more where a track is missing.

    A prompt lacks a track if none of its takes passed, or one was retired and no runner-up is left. While takes that
    were planned were not tried yet, nothing is added; then as many as at first are, for each missing track, up to the
    prompt's limit.

    Args:
        cells, prompts: the plan as the matrix and the campaign make it, without extra takes.
        scores: `tables.TakeScores` of its cells; takes of other engines or profiles among them do not count.
        events: `tables.Events`, for retirements and restorations.
        profile: the plan's profile.

    Returns:
        prompt id -> extra takes, as `make_plan` wants them; prompts without any are left out.
    """
    standing = _standing(cells, prompts, scores, events, profile)
    lacking = (pl.col("missing") > 0) & (pl.col("outstanding") == 0)
    wanted = (
        pl.when(lacking)
        .then(pl.col("planned") + pl.col("takes_per_prompt") * pl.col("missing"))
        .otherwise(pl.col("planned"))
    )
    extra = standing.select("prompt_id", extra=pl.min_horizontal(wanted, "takes_limit") - pl.col("takes_per_prompt"))
    return dict(extra.filter(pl.col("extra") > 0).sort("prompt_id").iter_rows())


def exhausted(
    cells: pl.DataFrame, prompts: pl.DataFrame, scores: pl.DataFrame, events: pl.DataFrame, *, profile: Profile
) -> pl.DataFrame:
    """Return the prompts that lack a track after all takes that the matrix allows: prompt_id, cell, takes, missing."""
    standing = _standing(cells, prompts, scores, events, profile)
    spent = (pl.col("missing") > 0) & (pl.col("outstanding") <= 0) & (pl.col("planned") >= pl.col("takes_limit"))
    return (
        standing.filter(spent).select("prompt_id", "cell", takes="planned", missing="missing").sort("cell", "prompt_id")
    )


def concat_scores(frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Return the score manifests of several cells as one frame, also of none."""
    return pl.concat([tables.empty(tables.TakeScores), *frames])
