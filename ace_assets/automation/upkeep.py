"""Keep the place tidy: old runs and events, half-written files, marks of gone runs. Nothing of value is touched."""

import contextlib
import datetime as dt

import dagster as dg
import polars as pl

from ace_assets import tables
from ace_assets.assets.work import marks_folder
from ace_assets.errors import LeaseHeldError, SchemaError
from ace_assets.resources import StoreResource
from ace_assets.store import Store

PURGE_BATCH = 200


class PurgeConfig(dg.Config):
    """How old a run must be to go."""

    keep_days: int = 90


def purge_runs(instance: dg.DagsterInstance, *, keep_days: int) -> int:
    """Delete runs that ended longer ago, with their events; return how many."""
    limit = dt.datetime.now(dt.UTC) - dt.timedelta(days=keep_days)
    purged = 0
    while True:
        old = instance.get_run_records(dg.RunsFilter(created_before=limit), limit=PURGE_BATCH, ascending=True)
        ended = [record for record in old if record.dagster_run.is_finished]
        if not ended:
            return purged
        for record in ended:
            instance.delete_run(record.dagster_run.run_id)
            purged += 1


def prune_rejected(store: Store) -> int:
    """Delete the audio of rejected takes that a killed run left lying; return how many. Their rows stay."""
    from ace_assets.scoring.cell import PRUNED_FATES

    pruned = 0
    for cell in store.manifest_cells():
        with contextlib.suppress(SchemaError, LeaseHeldError):  # the catalog names the one, the other is at work
            scores = store.manifest(cell, tables.TakeScores)
            rejected = [] if scores is None else scores.filter(pl.col("fate").is_in(PRUNED_FATES))["take_id"].to_list()
            left = [take_id for take_id in rejected if store.has_take(take_id)]
            if left:
                with store.cell_lease(cell):
                    for take_id in left:
                        store.prune_take(take_id)
                pruned += len(left)
    return pruned


@dg.op(description="Delete old runs with their events, rejected audio, half-written files and forgotten marks.")
def purge(context: dg.OpExecutionContext, config: PurgeConfig, store: StoreResource) -> None:
    """Tidy up."""
    runs = purge_runs(context.instance, keep_days=config.keep_days)
    opened = store.open()
    partials = opened.sweep_partials()
    takes = prune_rejected(opened)
    marks = 0
    folder = marks_folder()
    for path in folder.glob("*.lock") if folder and folder.is_dir() else ():
        run = context.instance.get_run_by_id(path.stem)
        if run is None or run.is_finished:
            path.unlink(missing_ok=True)
            marks += 1
    context.log.info(f"purged {runs} runs, {takes} rejected takes, {partials} half-written files, {marks} marks")


@dg.job(name="purge_old_runs", description="Old runs, events and leftovers go; takes, masters and history stay.")
def purge_job() -> None:
    """Tidy up."""
    purge()


weekly_purge = dg.ScheduleDefinition(
    name="weekly_purge",
    job=purge_job,
    cron_schedule="15 4 * * 0",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
