"""Make the plan of a campaign over what the store already holds: keep the matrix, top up, hold the brakes, publish."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from ace_assets import tables
from ace_assets.errors import PlanError
from ace_assets.matrix.campaigns import Campaign, Profile, load_campaigns
from ace_assets.matrix.changes import DEFAULT_MAX_CHANGED_SHARE, PlanChanges, check_brakes, plan_changes
from ace_assets.matrix.expansion import Plan, make_plan
from ace_assets.matrix.findings import MATRIX_NAME, refuse_errors
from ace_assets.matrix.lexicon import ARTISTS_NAME, LEXICON_NAME, Lexicon, load_lexicon
from ace_assets.matrix.reading import check_matrix, load_matrix
from ace_assets.matrix.rows import Matrix
from ace_assets.matrix.supersession import concat_scores, forbidden, superseded, top_up
from ace_assets.store import Store, new_event_id

FIRST_CAMPAIGN = "first_test"


@dataclass(frozen=True)
class Brakes:
    """How much a refresh may do without asking.

    Attributes:
        max_takes_per_refresh: most takes to make; 0 for any number.
        max_changed_share: largest share of the present prompts that may be superseded, 0 to 1.
        allow_large_change: somebody looked at it and agrees.
    """

    max_takes_per_refresh: int = 10_000
    max_changed_share: float = DEFAULT_MAX_CHANGED_SHARE
    allow_large_change: bool = False


@dataclass(frozen=True)
class KeptMatrix:
    """The matrix as it was kept: its hash, its size, its warnings as lines, and cells per zone."""

    content_hash: str
    rows: int
    warnings: tuple[str, ...]
    cells_per_zone: pl.DataFrame


@dataclass(frozen=True)
class Planned:
    """A plan that could be published: what it changes, and how many of its takes are top-ups."""

    plan: Plan
    changes: PlanChanges
    top_up_takes: int

    @property
    def changes_text(self) -> str:
        """The changes in words, as markdown."""
        return "\n".join(f"- {line}" for line in self.changes.lines())


def keep_matrix(store: Store, path: Path) -> KeptMatrix:
    """Read and lint a matrix, and keep it (with the lexicon beside it) as the state that plans are made of.

    Raises:
        ConfigError: the first error of the lint, with the number of the others; nothing was kept.
    """
    matrix, findings = check_matrix(path)
    refuse_errors(findings)
    assert matrix is not None
    beside = [path.parent / name for name in (LEXICON_NAME, ARTISTS_NAME)]
    files = {MATRIX_NAME: path.read_bytes()} | {file.name: file.read_bytes() for file in beside if file.is_file()}
    store.publish_matrix(files, content_hash=matrix.content_hash())
    rows = pl.DataFrame(
        [(row.zone, row.genre, row.target_tracks) for row in matrix.rows],
        schema=["zone", "genre", "target_tracks"],
        orient="row",
    )
    per_zone = rows.group_by("zone").agg(
        genres=pl.col("genre").n_unique(), cells=pl.len(), target_tracks=pl.col("target_tracks").sum()
    )
    warnings = tuple(finding.line() for finding in findings if finding.severity == "warning")
    return KeptMatrix(matrix.content_hash(), len(matrix.rows), warnings, per_zone.sort("zone"))


def plan_campaign(
    store: Store,
    campaigns_file: Path,
    *,
    campaign: str | None,
    engine: str,
    cells_glob: str | None = None,
    matrix_file: Path | None = None,
) -> Planned:
    """Make a campaign's plan over what the store holds, without publishing it.

    Args:
        store: where the kept matrix, the present plan and the manifests are.
        campaigns_file: campaigns and profiles.
        campaign: its name; None for that of the present plan, or `first_test`.
        engine: `ace-step` or `preview`.
        cells_glob: plan only the cells whose key matches.
        matrix_file: a matrix to plan instead of the kept one.

    Raises:
        PlanError: the present plan is for real servers and this one would be a preview, or no cell matches.
    """
    before = present_plan(store)
    if before is not None and before.facts["engine"] != engine and engine == "preview":
        raise PlanError(
            "engine",
            value="preview",
            expected=f"{before.facts['engine']}, as the present plan of this store says",
            remedy="name servers (--servers or ACE_SERVERS), or keep previews in another ACE_DATA_DIR",
        )
    configured = load_campaigns(campaigns_file)
    name = campaign or (str(before.facts["campaign"]) if before else FIRST_CAMPAIGN)
    chosen = configured.campaign(name)
    profile = configured.profile_for(chosen, engine)
    if matrix_file is not None:
        plan, extra = _topped_up(store, load_matrix(matrix_file), chosen, profile, cells_glob, matrix_file.parent)
    else:
        with store.matrix_files() as folder:
            matrix = load_matrix(folder / MATRIX_NAME)
            plan, extra = _topped_up(store, matrix, chosen, profile, cells_glob, folder)
    return Planned(plan, plan_changes(before, plan, stored_take_ids=_made(store, plan)), sum(extra.values()))


def publish_campaign(
    store: Store,
    campaigns_file: Path,
    *,
    campaign: str | None,
    engine: str,
    brakes: Brakes,
    cells_glob: str | None = None,
) -> Planned:
    """Make a campaign's plan, hold it against the brakes, and make it the one that runs pin (see `plan_campaign`).

    Raises:
        PlanError: it would change or make more than the brakes allow; nothing was published.
    """
    planned = plan_campaign(store, campaigns_file, campaign=campaign, engine=engine, cells_glob=cells_glob)
    if not brakes.allow_large_change:
        check_brakes(
            present_plan(store),
            planned.plan,
            max_takes_per_refresh=brakes.max_takes_per_refresh or None,
            max_changed_share=brakes.max_changed_share,
            stored_take_ids=_made(store, planned.plan),
        )
    plan = planned.plan
    store.publish_plan(
        plan.plan_id, dict(plan.facts), cells=plan.cells, prompts=plan.prompts, planned_takes=plan.planned_takes
    )
    with store.matrix_files() as folder:
        retire_forbidden(store, plan, load_lexicon(folder))
    return planned


def retire_forbidden(store: Store, plan: Plan, lexicon: Lexicon) -> int:
    """Retire the superseded tracks that a never-list forbids now, and return how many.

    Superseded tracks stay exportable until they are replaced; these may not be heard another day.
    """
    known = set(store.manifest_cells())
    retired = 0
    for cell in (cell for cell in plan.cells["cell"] if cell in known):
        masters = store.manifest(cell, tables.Masters)
        if masters is None:
            continue
        playable = masters.filter(pl.col("status").is_in(["active", "superseded"]))
        gone = superseded(plan.cells, playable)
        if not gone.height:
            continue
        takes = store.manifest(cell, tables.Takes)
        older = [] if takes is None else takes.join(gone, on="take_id", how="semi")["plan_id"].unique().to_list()
        prompts = [store.plan_table(plan_id, tables.Prompts, cell=cell) for plan_id in older]
        rules = forbidden(pl.concat([tables.empty(tables.Prompts), *prompts]).unique("prompt_id"), lexicon)
        words = dict(rules.select("prompt_id", pl.format("{} (rule {})", "reason", "rule")).iter_rows())
        told = retired_already(store.events(cell))
        rows = [row for row in gone.to_dicts() if row["prompt_id"] in words and row["take_id"] not in told]
        now = dt.datetime.now(dt.UTC)
        events = [
            {name: row[name] for name in ("track_id", "take_id", "prompt_id", "cell")}
            | {"event_id": new_event_id(now), "happened_at": now, "kind": "retired", "actor": "prompt_table"}
            | {"reason": f"forbidden now: {words[row['prompt_id']]}"}
            for row in rows
        ]
        if events:
            store.append_events(cell, tables.from_rows(tables.Events, events))
            retired += len(events)
    return retired


def retired_already(events: pl.DataFrame) -> set[str]:
    """Return the takes whose last word in the history is that they were retired."""
    words = events.filter(pl.col("kind").is_in(["retired", "restored"])).sort("event_id")
    last = words.group_by("take_id", maintain_order=True).last()
    return set(last.filter(pl.col("kind") == "retired")["take_id"])


def present_plan(store: Store) -> Plan | None:
    """Return the plan that runs pin now, or None before the first."""
    plan_id = store.current_plan_id()
    if plan_id is None:
        return None
    frames = [store.plan_table(plan_id, table) for table in (tables.Cells, tables.Prompts, tables.PlannedTakes)]
    return Plan(plan_id, store.plan_facts(plan_id), *frames)


def _topped_up(
    store: Store, matrix: Matrix, campaign: Campaign, profile: Profile, cells_glob: str | None, folder: Path
) -> tuple[Plan, Mapping[str, int]]:
    arguments: dict[str, Any] = {
        "campaign": campaign,
        "profile": profile,
        "engine": profile.engine,
        "cells_glob": cells_glob,
        "lexicon": load_lexicon(folder),
    }
    plan = make_plan(matrix, **arguments)
    known = set(store.manifest_cells())
    cells = [cell for cell in plan.cells["cell"] if cell in known]
    scores = [frame for cell in cells if (frame := store.manifest(cell, tables.TakeScores)) is not None]
    events = pl.concat([tables.empty(tables.Events), *(store.events(cell) for cell in cells)])
    extra = top_up(plan.cells, plan.prompts, concat_scores(scores), events, profile=profile)
    return (make_plan(matrix, extra_takes=extra, **arguments), extra) if extra else (plan, {})


def _made(store: Store, plan: Plan) -> list[str]:
    """Return the takes of a plan that its cells' manifests hold."""
    known = set(store.manifest_cells())
    frames = [store.manifest(cell, tables.Takes) for cell in plan.cells["cell"] if cell in known]
    made = [frame.filter(pl.col("status") != "failed")["take_id"] for frame in frames if frame is not None]
    return pl.concat(made).to_list() if made else []
