"""How things stand: what the plan wants, what the store holds, what Dagster runs."""

from __future__ import annotations

import datetime as dt
import os
from dataclasses import asdict, dataclass, field
from typing import Any

import dagster as dg
import polars as pl
from dagster import DagsterRunStatus

from ace_assets import tables
from ace_assets.assets.needs import needs
from ace_assets.automation.refresh import ACTIVE, DEFAULT_CRON, DEFAULT_TIMEZONE, SCHEDULE_ENV, TIMEZONE_ENV
from ace_assets.errors import SchemaError
from ace_assets.scoring.selection import accepted
from ace_assets.store import Store

RECENT_RUNS = 1_000  # more than a refresh of the full catalog has


@dataclass
class PlanStatus:
    """What a plan has come to.

    Attributes:
        cells, cells_done: planned cells, and those that lack nothing.
        planned_tracks, tracks: tracks wanted, and masters that are active.
        takes, takes_accepted: takes judged, and those that passed every gate and fit rule.
        audio_hours: length of the active masters.
        prompts_without_track: prompts that were judged and have none, each with its reasons.
    """

    cells: int = 0
    cells_done: int = 0
    planned_tracks: int = 0
    tracks: int = 0
    takes: int = 0
    takes_accepted: int = 0
    audio_hours: float = 0.0
    prompts_without_track: list[str] = field(default_factory=list)


def plan_status(store: Store, plan_id: str) -> PlanStatus:
    """Return what a plan has come to, reading one cell after the other."""
    cells = store.plan_table(plan_id, tables.Cells)
    prompts = store.plan_table(plan_id, tables.Prompts).partition_by("cell", as_dict=True)
    lacking = {need.cell for need in needs(store, plan_id)}
    found = PlanStatus(
        cells=cells.height,
        cells_done=cells.height - len(lacking),
        planned_tracks=int(cells["planned_tracks"].sum()),
    )
    for cell in cells["cell"]:
        try:
            scores = store.manifest(cell, tables.TakeScores)
            masters = store.manifest(cell, tables.Masters)
        except SchemaError:
            continue  # the catalog names it
        if scores is None:
            continue
        found.takes += scores.height
        found.takes_accepted += accepted(scores).height
        active = tables.empty(tables.Masters) if masters is None else masters.filter(pl.col("status") == "active")
        found.tracks += active.height
        found.audio_hours += float(active["duration_s"].sum() or 0.0) / 3600
        without = prompts[cell,].filter(~pl.col("prompt_id").is_in(active["prompt_id"].to_list()))
        for prompt_id, title in without.select("prompt_id", "title").iter_rows():
            reasons = scores.filter(pl.col("prompt_id") == prompt_id)["why"].to_list()
            if reasons:
                found.prompts_without_track.append(f"{cell} '{title}' ({prompt_id[:8]}): {'; '.join(reasons)}")
    return found


@dataclass
class LineageStatus:
    """How the whole lineage stands, for people and programs."""

    campaign: str | None
    plan_id: str | None
    engine: str | None
    plan: PlanStatus
    runs_active: int
    runs_failed_recently: int
    cells_failed: list[str]
    release_id: str | None
    next_refresh: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        share = self.plan.takes_accepted / self.plan.takes if self.plan.takes else None
        return {**asdict(self), "yield": share}

    def lines(self) -> list[tuple[str, str]]:
        """Return label and value for each line that a person reads."""
        plan = self.plan
        share = f"{plan.takes_accepted / plan.takes:.0%} of {plan.takes} takes" if plan.takes else "nothing judged yet"
        return [
            ("campaign", f"{self.campaign or 'none yet'} (plan {self.plan_id or '-'}, {self.engine or '-'})"),
            ("cells", f"{plan.cells_done} of {plan.cells} done, {len(self.cells_failed)} failed"),
            ("runs", f"{self.runs_active} active, {self.runs_failed_recently} of the last {RECENT_RUNS} failed"),
            ("failed", ", ".join(self.cells_failed) or "none"),
            ("tracks", f"{plan.tracks} of {plan.planned_tracks}, {plan.audio_hours:.2f} hours of music"),
            ("yield", share),
            ("catalog", self.release_id or "no release yet"),
            ("next refresh", self.next_refresh),
        ]


def lineage_status(store: Store) -> LineageStatus:
    """Return how the whole lineage stands."""
    plan_id = store.current_plan_id()
    facts = store.plan_facts(plan_id) if plan_id else {}
    with dg.DagsterInstance.get() as instance:
        active = instance.get_runs_count(dg.RunsFilter(statuses=ACTIVE))
        recent = instance.get_runs(limit=RECENT_RUNS)
    latest: dict[str, DagsterRunStatus] = {}
    for run in recent:
        partition = run.tags.get("dagster/partition")
        if partition:
            latest.setdefault(partition, run.status)
    failed = sorted(name for name, status in latest.items() if status == DagsterRunStatus.FAILURE)
    return LineageStatus(
        campaign=facts.get("campaign"),
        plan_id=plan_id,
        engine=facts.get("engine"),
        plan=plan_status(store, plan_id) if plan_id else PlanStatus(),
        runs_active=active,
        runs_failed_recently=sum(run.status == DagsterRunStatus.FAILURE for run in recent),
        cells_failed=failed,
        release_id=store.current_release_id(),
        next_refresh=next_refresh(),
    )


def next_refresh(now: dt.datetime | None = None) -> str:
    """Return when the schedule ticks next, if it is switched on and the daemon runs."""
    from dagster._utils.schedules import schedule_execution_time_iterator

    cron = os.environ.get(SCHEDULE_ENV, DEFAULT_CRON)
    zone = os.environ.get(TIMEZONE_ENV, DEFAULT_TIMEZONE)
    moment = now or dt.datetime.now(dt.UTC)
    tick = next(schedule_execution_time_iterator(moment.timestamp(), cron, zone, ascending=True))
    return f"{tick:%Y-%m-%d %H:%M} {zone}, while the schedule nightly_refresh is on"
