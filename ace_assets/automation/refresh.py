"""The refresh: a schedule that starts it, and the sensor that carries it from cells to catalog to packages.

    schedule -> refresh run (matrix, plan) -> one run per cell that lacks something -> catalog, once -> changed packages

The sensor's cursor says how far the present refresh is. Failed cells do not stop it: the catalog is built when every
run is terminal, failures included. Cells that somebody else was making are looked at again before that. A refresh whose
plan was refused (lint, brakes) is not carried. Run keys make a repeated evaluation harmless, leases a repeated run.
"""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import dagster as dg
from dagster import DagsterRunStatus

from ace_assets.assets.mastering import masters
from ace_assets.assets.needs import needs
from ace_assets.assets.packages import VENUES_FILE, venues_needing_packages
from ace_assets.assets.partitions import CELLS, VENUES
from ace_assets.automation.jobs import JOBS, REFRESH_TAG, catalog_job, cell_job, package_job, refresh_job
from ace_assets.errors import AceAssetsError
from ace_assets.resources import StoreResource
from ace_assets.settings import config_file

SCHEDULE_ENV = "ACE_REFRESH_CRON"
TIMEZONE_ENV = "ACE_REFRESH_TIMEZONE"
SENSOR_INTERVAL_ENV = "ACE_SENSOR_INTERVAL_S"
DEFAULT_CRON = "30 1 * * *"
DEFAULT_TIMEZONE = "UTC"
DEFAULT_INTERVAL_S = 30
ACTIVE = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]
CARRIED_TAG = "ace_assets/carried"  # on a refresh run: the sensor is done with it
PARTITION_TAG = "dagster/partition"
RUN_KEY_TAG = "dagster/run_key"
WILL_RETRY_TAG = "dagster/will_retry"
RETRY_TAG = "dagster/auto_retry_run_id"
MANUAL = "manual"
MISSING_AFTER_S = 300.0  # a run that was asked for and is not there by then was deleted, or never will be
STALE_REFRESH_S = 12 * 3600.0  # a refresh that nobody carried for so long does not hold up the next one


@dataclass
class Progress:
    """How far a refresh is.

    Attributes:
        refresh: run id of the refresh under way, `manual-<n>` for cells that somebody ran by hand, empty for none.
        stage: idle, cells, catalog or packages.
        expected: run keys that the present stage waits for.
        postponed: cells that another run was making when this refresh wanted them.
        asked_at_s: when the runs of the present stage were asked for, seconds since 1970.
        finished: run id of the last refresh that was carried to its end.
        seen_masters: storage id of the newest masters that a catalog was built after.
    """

    refresh: str = ""
    stage: str = "idle"
    expected: list[str] = field(default_factory=list)
    postponed: list[str] = field(default_factory=list)
    asked_at_s: float = 0.0
    finished: str = ""
    seen_masters: int = 0

    @classmethod
    def of(cls, cursor: str | None) -> "Progress":
        """Return what a cursor says; one that cannot be read, or of another version, starts anew."""
        try:
            found = json.loads(cursor or "{}")
            return cls(**{name: found[name] for name in cls.__dataclass_fields__ if name in found})
        except (ValueError, TypeError):
            return cls()

    def cursor(self) -> str:
        """Return it as the sensor's cursor."""
        return json.dumps(asdict(self), sort_keys=True)


Step = tuple[Sequence[dg.RunRequest], str]


def under_way(instance: dg.DagsterInstance) -> str | None:
    """Say why no refresh may start now: runs of one are active, or one waits for the sensor; None when one may."""
    planning = instance.get_runs(dg.RunsFilter(job_name=refresh_job.name, statuses=ACTIVE))
    carried = [run for run in instance.get_runs(dg.RunsFilter(statuses=ACTIVE)) if REFRESH_TAG in run.tags]
    busy = [*planning, *carried]
    if busy:
        return f"a refresh is under way: {len(busy)} runs, e.g. {busy[0].run_id}"
    newest = _newest_plan(instance)
    if newest is None or CARRIED_TAG in newest.dagster_run.tags:
        return None
    if time.time() - (newest.end_time or 0.0) > STALE_REFRESH_S:
        return None
    return f"refresh {newest.dagster_run.run_id} is planned and waits for the sensor carry_refresh"


@dg.schedule(
    job=refresh_job,
    cron_schedule=os.environ.get(SCHEDULE_ENV, DEFAULT_CRON),
    execution_timezone=os.environ.get(TIMEZONE_ENV, DEFAULT_TIMEZONE),
    description="Top up what is missing or changed, every night. Skips with a reason while a refresh is under way.",
)
def nightly_refresh(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Start a refresh unless one is under way."""
    busy = under_way(context.instance)
    if busy:
        return dg.SkipReason(busy)
    return dg.RunRequest(run_key=f"refresh-{context.scheduled_execution_time.isoformat()}")


@dg.sensor(
    name="carry_refresh",
    jobs=JOBS[1:],
    minimum_interval_seconds=int(os.environ.get(SENSOR_INTERVAL_ENV, DEFAULT_INTERVAL_S)),
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Carry a planned refresh to cells, then to one catalog, then to the packages that changed.",
)
def carry_refresh(context: dg.SensorEvaluationContext, store: StoreResource) -> dg.SensorResult:
    """Do the next step of the refresh under way, if there is one."""
    progress = Progress.of(context.cursor)
    try:
        requests, said = _step(context.instance, progress, store)
    except AceAssetsError as error:
        return dg.SensorResult(skip_reason=f"waiting: {error}", cursor=context.cursor)
    if requests:
        return dg.SensorResult(run_requests=requests, cursor=progress.cursor())
    return dg.SensorResult(skip_reason=said, cursor=progress.cursor())


def _step(instance: dg.DagsterInstance, progress: Progress, store: StoreResource) -> Step:
    if progress.stage == "idle":
        return _begin(instance, progress, store)
    records = instance.get_run_records(dg.RunsFilter(tags={REFRESH_TAG: progress.refresh}))
    waiting = _unfinished(progress, records)
    if waiting:
        return [], f"{progress.stage}: {waiting} of {len(progress.expected)} runs are not done yet"
    if progress.stage == "cells":
        return _look_again(instance, progress, store)
    if progress.stage == "catalog" and _succeeded(records, catalog_job.name):
        return _to_packages(instance, progress, store)
    said = "the catalog failed; the next refresh builds it" if progress.stage == "catalog" else "the refresh is done"
    return _finish(instance, progress, said)


def _unfinished(progress: Progress, records: Sequence[dg.RunRecord]) -> int:
    """Return how many runs are not terminal: those not yet created and those about to be retried included."""
    now_s = time.time()
    known = {record.dagster_run.tags.get(RUN_KEY_TAG) for record in records}
    missing = [] if now_s - progress.asked_at_s > MISSING_AFTER_S else set(progress.expected) - known
    return len(missing) + sum(_is_open(record, now_s) for record in records)


def _is_open(record: dg.RunRecord, now_s: float) -> bool:
    run = record.dagster_run
    if not run.is_finished:
        return True
    retried = run.tags.get(WILL_RETRY_TAG) == "true" and RETRY_TAG not in run.tags
    return retried and now_s - (record.end_time or 0.0) < MISSING_AFTER_S


def _succeeded(records: Sequence[dg.RunRecord], job: str) -> bool:
    """Say whether the newest run of a job among the records succeeded."""
    runs = [record for record in records if record.dagster_run.job_name == job]
    newest = max(runs, key=lambda record: record.storage_id, default=None)
    return newest is not None and newest.dagster_run.is_success


def _newest_plan(instance: dg.DagsterInstance) -> dg.RunRecord | None:
    """Return the newest refresh run that made a plan; one that was refused made none."""
    planned = dg.RunsFilter(job_name=refresh_job.name, statuses=[DagsterRunStatus.SUCCESS])
    return next(iter(instance.get_run_records(planned, limit=1)), None)


def _begin(instance: dg.DagsterInstance, progress: Progress, store: StoreResource) -> Step:
    newest = _newest_plan(instance)
    if newest and newest.dagster_run.run_id != progress.finished and CARRIED_TAG not in newest.dagster_run.tags:
        progress.refresh, progress.postponed = newest.dagster_run.run_id, []
        return _to_cells(instance, progress, store)
    seen = _newest_masters(instance)
    if seen <= progress.seen_masters:
        return [], "nothing was planned or mastered since the last catalog"
    if _busy_cells(instance):
        return [], "cells are being made by hand; the catalog follows when they are done"
    progress.refresh = f"{MANUAL}-{seen}"
    return _to_catalog(instance, progress)


def _busy_cells(instance: dg.DagsterInstance) -> set[str]:
    """Return the partitions that some run is making, or is about to."""
    return {
        run.tags[PARTITION_TAG]
        for run in instance.get_runs(dg.RunsFilter(statuses=ACTIVE))
        if PARTITION_TAG in run.tags
    }


def _to_cells(
    instance: dg.DagsterInstance, progress: Progress, store: StoreResource, *, only: Sequence[str] | None = None
) -> Step:
    opened = store.open()
    plan_id = opened.current_plan_id()
    wanted = [need.cell for need in needs(opened, plan_id)] if plan_id else []
    if only is not None:
        wanted = [cell for cell in wanted if cell in only]
    busy = _busy_cells(instance)
    cells = [cell for cell in wanted if cell not in busy]
    progress.postponed = [cell for cell in wanted if cell in busy]
    if not wanted:
        return _to_catalog(instance, progress)
    instance.add_dynamic_partitions(CELLS.name or "", wanted)
    requests = [_request(progress, cell, cell_job.name, cell) for cell in cells]
    return _await(progress, "cells", requests), f"cells: {len(wanted)} are being made by other runs"


def _look_again(instance: dg.DagsterInstance, progress: Progress, store: StoreResource) -> Step:
    """Ask for the cells that were postponed and still lack something; when there is none, for the catalog."""
    if not progress.postponed:
        return _to_catalog(instance, progress)
    return _to_cells(instance, progress, store, only=progress.postponed)


def _newest_masters(instance: dg.DagsterInstance) -> int:
    """Return the storage id of the newest materialization of masters, by whatever run; 0 before the first."""
    records = instance.fetch_materializations(masters.key, limit=1).records
    return records[0].storage_id if records else 0


def _to_catalog(instance: dg.DagsterInstance, progress: Progress) -> Step:
    progress.seen_masters = _newest_masters(instance)
    return _await(progress, "catalog", [_request(progress, "catalog", catalog_job.name)]), ""


def _to_packages(instance: dg.DagsterInstance, progress: Progress, store: StoreResource) -> Step:
    from ace_assets.packages.venues import read_venues

    instance.add_dynamic_partitions(VENUES.name or "", sorted(read_venues(config_file(VENUES_FILE))))
    opened = store.open()
    changed = venues_needing_packages(opened)
    release_id = opened.current_release_id()
    requests = [_request(progress, f"{release_id}:{venue}", package_job.name, venue) for venue in changed]
    return _await(progress, "packages", requests), "no package changed"


def _finish(instance: dg.DagsterInstance, progress: Progress, said: str) -> Step:
    if not progress.refresh.startswith(MANUAL):
        progress.finished = progress.refresh
        if instance.get_run_by_id(progress.refresh) is not None:
            instance.add_run_tags(progress.refresh, {CARRIED_TAG: "true"})
    progress.stage, progress.refresh, progress.expected, progress.postponed = "idle", "", [], []
    return [], said


def _await(progress: Progress, stage: str, requests: Sequence[dg.RunRequest]) -> Sequence[dg.RunRequest]:
    """Note what the new stage waits for; return the requests."""
    progress.stage, progress.asked_at_s = stage, time.time()
    progress.expected = [str(request.run_key) for request in requests]
    return requests


def _request(progress: Progress, what: str, job: str, partition: str | None = None) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=f"{progress.refresh}:{what}",
        job_name=job,
        partition_key=partition,
        tags={REFRESH_TAG: progress.refresh},
    )
