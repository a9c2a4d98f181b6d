"""Run a campaign from matrix to packages in this command: plan, cells, catalog, packages; only what is missing."""

from __future__ import annotations

import contextlib
import fnmatch
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import polars as pl

from ace_assets import progress as news
from ace_assets import tables
from ace_assets.acestep.cell import lacking
from ace_assets.acestep.servers import Server
from ace_assets.assets.needs import needs, pinned_plan
from ace_assets.assets.packages import VENUES_FILE, venues_needing_packages
from ace_assets.assets.partitions import CELLS, VENUES
from ace_assets.commands.local import Listener, Outcome, execute, execute_partitions
from ace_assets.errors import PlanError
from ace_assets.matrix.planning import Brakes, keep_matrix, plan_campaign
from ace_assets.packages.venues import read_venues
from ace_assets.preview.process import running_preview
from ace_assets.settings import SERVERS_ENV, config_file
from ace_assets.store import Store

CELL_ASSETS = ("generated_audio", "take_scores", "masters")


@dataclass
class CampaignReport:
    """What a run did.

    Attributes:
        campaign, plan_id: what was planned.
        cells: cells that lacked something.
        failures: what did not succeed, by partition.
        packages: venues whose package was built.
        release_id: the catalog's release that readers see.
    """

    campaign: str = ""
    plan_id: str = ""
    cells: list[str] = field(default_factory=list)
    failures: list[Outcome] = field(default_factory=list)
    packages: list[str] = field(default_factory=list)
    release_id: str | None = None


@dataclass(frozen=True)
class Work:
    """What a plan still wants: cells, and how many takes and tracks they lack."""

    cells: list[str]
    takes: int
    tracks: int


def plan(store: Store, *, campaign: str | None, engine: str, brakes: Brakes, log: Path | None) -> str:
    """Plan a campaign through the assets, unless the present plan is what comes out; return the plan's id.

    Raises:
        ConfigError, PlanError: the matrix or the plan is refused; nothing was published.
    """
    keep_matrix(store, config_file("genre_matrix.csv"))
    campaigns = config_file("campaigns.toml")
    planned = plan_campaign(store, campaigns, campaign=campaign, engine=engine)
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions(CELLS.name or "", planned.plan.cells["cell"].to_list())
    if planned.plan.plan_id != store.current_plan_id():
        config = {
            "campaign": str(planned.plan.facts["campaign"]),
            "max_takes_per_refresh": brakes.max_takes_per_refresh,
            "max_changed_share": brakes.max_changed_share,
            "allow_large_change": brakes.allow_large_change,
        }
        run_config = {"ops": {"prompt_table": {"config": config}}}
        outcome = execute(["genre_matrix", "prompt_table"], run_config=run_config, log=log)
        if not outcome.success:
            raise PlanError(outcome.message)
    return pinned_plan(store)


def work_of(store: Store, plan_id: str, cells_glob: str | None = None) -> Work:
    """Return what a plan still wants, of the cells whose key matches.

    Raises:
        PlanError: no planned cell matches.
    """
    planned = store.plan_table(plan_id, tables.Cells)["cell"].to_list()
    if cells_glob and not fnmatch.filter(planned, cells_glob):
        raise PlanError(
            "--cells",
            value=cells_glob,
            expected=f"a pattern that one of the {len(planned)} planned cells matches",
            remedy=f"cells look like {planned[0]}; try 'spa.*', or a larger campaign",
        )
    cells = [need.cell for need in needs(store, plan_id) if fnmatch.fnmatchcase(need.cell, cells_glob or "*")]
    takes = store.plan_table(plan_id, tables.PlannedTakes).filter(pl.col("cell").is_in(cells))
    missing = sum(
        lacking(store, str(key[0]), rows).height for key, rows in takes.partition_by("cell", as_dict=True).items()
    )
    prompts = store.plan_table(plan_id, tables.Prompts).filter(pl.col("cell").is_in(cells))
    return Work(cells, missing, int(prompts["tracks_per_prompt"].sum()))


@contextlib.contextmanager
def engine_ready(servers: tuple[Server, ...], *, needed: bool, log: Path | None) -> Iterator[None]:
    """Start the embedded engine where no server is named and one is needed, and tell the workers of it."""
    if servers or not needed:
        yield
        return
    before = os.environ.get(SERVERS_ENV)
    with running_preview(log_path=log) as preview:
        os.environ[SERVERS_ENV] = preview.url
        try:
            yield
        finally:
            os.environ.pop(SERVERS_ENV)
            if before is not None:
                os.environ[SERVERS_ENV] = before


def make_cells(
    work: Work, servers: tuple[Server, ...], *, listener: Listener, workers: int, log_folder: Path
) -> list[Outcome]:
    """Carry the cells from takes to masters."""
    with engine_ready(servers, needed=work.takes > 0, log=log_folder / "preview-engine.log"):
        return execute_partitions(
            CELL_ASSETS, work.cells, listener=listener, workers=workers, log=log_folder / "dagster.log"
        )


def publish(store: Store, *, listener: Listener, log_folder: Path, report: CampaignReport) -> None:
    """Build the catalog, then the packages whose content changed."""
    log = log_folder / "dagster.log"
    outcome = execute(["catalog"], log=log)
    report.release_id = store.current_release_id()
    if not outcome.success:
        report.failures.append(Outcome("catalog", success=False, message=outcome.message))
        return
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions(VENUES.name or "", sorted(read_venues(config_file(VENUES_FILE))))
    venues = venues_needing_packages(store)
    with news.listening(listener):  # a handful of venues: a worker process would take longer to start than to work
        outcomes = [execute(["export_packages"], partition=venue, log=log) for venue in venues]
    report.packages = [str(found.partition) for found in outcomes if found.success]
    report.failures += [found for found in outcomes if not found.success]
