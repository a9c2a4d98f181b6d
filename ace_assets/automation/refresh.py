"""The refresh: a schedule that starts it, and the sensor that carries it from cells to catalog to packages.

    schedule -> refresh run (matrix, plan) -> one run per cell that lacks something -> catalog, once -> changed packages

The sensor's cursor says how far the present refresh is. Failed cells do not stop it: the catalog is built when every
run is terminal, failures included. Run keys make a repeated evaluation harmless, leases a repeated run.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import dagster as dg
from dagster import DagsterRun, DagsterRunStatus

from ace_assets.assets.mastering import masters
from ace_assets.assets.needs import needs
from ace_assets.assets.packages import VENUES_FILE, venues_needing_packages
from ace_assets.assets.partitions import CELLS, VENUES
from ace_assets.automation.jobs import JOBS, REFRESH_TAG, catalog_job, cell_job, package_job, refresh_job
from ace_assets.errors import AceAssetsError
from ace_assets.packages.venues import read_venues
from ace_assets.resources import StoreResource, config_file

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
PARTITION_TAG = "dagster/partition"
MANUAL = "manual"


@dataclass
class Progress:
    """How far a refresh is.

    Attributes:
        refresh: run id of the refresh under way, `manual` for cells that somebody ran by hand, empty for none.
        stage: idle, cells, catalog or packages.
        expected: runs that the present stage waits for.
        finished: run id of the last refresh that was carried to its end.
        seen_masters: storage id of the newest masters that a catalog was built after.
    """

    refresh: str = ""
    stage: str = "idle"
    expected: list[str] = field(default_factory=list)
    finished: str = ""
    seen_masters: int = 0


def active_refreshes(instance: dg.DagsterInstance) -> list[DagsterRun]:
    """Return the runs under way that belong to a refresh, refresh runs themselves included."""
    planning = instance.get_runs(dg.RunsFilter(job_name=refresh_job.name, statuses=ACTIVE))
    carried = instance.get_runs(dg.RunsFilter(statuses=ACTIVE))
    return [*planning, *(run for run in carried if REFRESH_TAG in run.tags)]


@dg.schedule(
    job=refresh_job,
    cron_schedule=os.environ.get(SCHEDULE_ENV, DEFAULT_CRON),
    execution_timezone=os.environ.get(TIMEZONE_ENV, DEFAULT_TIMEZONE),
    description="Top up what is missing or changed, every night. Skips with a reason while a refresh is under way.",
)
def nightly_refresh(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Start a refresh unless one is under way."""
    busy = active_refreshes(context.instance)
    if busy:
        return dg.SkipReason(f"a refresh is under way: {len(busy)} runs, e.g. {busy[0].run_id}")
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
    progress = Progress(**json.loads(context.cursor)) if context.cursor else Progress()
    try:
        requests, said = _step(context.instance, progress, store)
    except AceAssetsError as error:
        return dg.SensorResult(skip_reason=f"waiting: {error}", cursor=context.cursor)
    cursor = json.dumps(asdict(progress), sort_keys=True)
    if requests:
        return dg.SensorResult(run_requests=requests, cursor=cursor)
    return dg.SensorResult(skip_reason=said, cursor=cursor)


def _step(
    instance: dg.DagsterInstance, progress: Progress, store: StoreResource
) -> tuple[Sequence[dg.RunRequest], str]:
    if progress.stage == "idle":
        return _begin(instance, progress, store)
    waiting = _unfinished(instance, progress)
    if waiting:
        return [], f"{progress.stage}: {waiting} of {len(progress.expected)} runs are not done yet"
    if progress.stage == "cells":
        return _to_catalog(instance, progress)
    if progress.stage == "catalog":
        return _to_packages(instance, progress, store)
    progress.finished = progress.refresh if progress.refresh != MANUAL else progress.finished
    progress.stage, progress.refresh, progress.expected = "idle", "", []
    return [], "the refresh is done"


def _unfinished(instance: dg.DagsterInstance, progress: Progress) -> int:
    """Return how many of the runs that were asked for are not terminal, those not yet created included."""
    runs = instance.get_runs(dg.RunsFilter(tags={REFRESH_TAG: progress.refresh}))
    done = {run.tags.get("dagster/run_key") for run in runs if run.is_finished}
    return sum(key not in done for key in progress.expected)


def _begin(
    instance: dg.DagsterInstance, progress: Progress, store: StoreResource
) -> tuple[Sequence[dg.RunRequest], str]:
    planned = instance.get_runs(dg.RunsFilter(job_name=refresh_job.name, statuses=[DagsterRunStatus.SUCCESS]), limit=1)
    if planned and planned[0].run_id != progress.finished:
        return _to_cells(instance, progress, store, planned[0].run_id)
    if _newest_masters(instance) <= progress.seen_masters:
        return [], "nothing was planned or mastered since the last catalog"
    if any(PARTITION_TAG in run.tags for run in instance.get_runs(dg.RunsFilter(statuses=ACTIVE))):
        return [], "cells are being made by hand; the catalog follows when they are done"
    progress.refresh = MANUAL
    return _to_catalog(instance, progress)


def _to_cells(
    instance: dg.DagsterInstance, progress: Progress, store: StoreResource, refresh: str
) -> tuple[Sequence[dg.RunRequest], str]:
    opened = store.open()
    plan_id = opened.current_plan_id()
    wanted = [need.cell for need in needs(opened, plan_id)] if plan_id else []
    busy = {run.tags.get(PARTITION_TAG) for run in instance.get_runs(dg.RunsFilter(statuses=ACTIVE))}
    progress.refresh = refresh
    cells = [cell for cell in wanted if cell not in busy]
    if not cells:
        return _to_catalog(instance, progress)
    instance.add_dynamic_partitions(CELLS.name or "", cells)
    requests = [_request(f"{refresh}:{cell}", cell_job.name, refresh, cell) for cell in cells]
    progress.stage, progress.expected = "cells", [str(request.run_key) for request in requests]
    return requests, ""


def _newest_masters(instance: dg.DagsterInstance) -> int:
    """Return the storage id of the newest materialization of masters, by whatever run; 0 before the first."""
    records = instance.fetch_materializations(masters.key, limit=1).records
    return records[0].storage_id if records else 0


def _to_catalog(instance: dg.DagsterInstance, progress: Progress) -> tuple[Sequence[dg.RunRequest], str]:
    progress.seen_masters = _newest_masters(instance)
    mark = progress.refresh if progress.refresh != MANUAL else f"{MANUAL}-{progress.seen_masters}"
    request = _request(f"{mark}:catalog", catalog_job.name, progress.refresh)
    progress.stage, progress.expected = "catalog", [str(request.run_key)]
    return [request], ""


def _to_packages(
    instance: dg.DagsterInstance, progress: Progress, store: StoreResource
) -> tuple[Sequence[dg.RunRequest], str]:
    instance.add_dynamic_partitions(VENUES.name or "", sorted(read_venues(config_file(VENUES_FILE))))
    changed = venues_needing_packages(store.open())
    release_id = store.open().current_release_id()
    requests = [
        _request(f"{progress.refresh}:{release_id}:{venue}", package_job.name, progress.refresh, venue)
        for venue in changed
    ]
    progress.stage, progress.expected = "packages", [str(request.run_key) for request in requests]
    return requests, "no package changed"


def _request(key: str, job: str, refresh: str, partition: str | None = None) -> dg.RunRequest:
    return dg.RunRequest(run_key=key, job_name=job, partition_key=partition, tags={REFRESH_TAG: refresh})
