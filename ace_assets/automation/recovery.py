"""After a crash: end the runs that no process works on any more and free their pool slots; safe beside live workers.

A run of this machine holds a locked mark while its process lives (`assets.work`). A run that says it is under way and
whose mark nobody holds is dead. A run that left no mark here is starting, or works elsewhere: a launcher that knows its
workers (Celery's) is asked, and the lease of the run's cell, which the dead do not renew; else the run is given time to
start before it is taken for dead.

`ace-assets recover` does this before the daemon starts, the sensor `mend_orphans` once a minute while it runs.
"""

import contextlib
import datetime as dt
from dataclasses import dataclass

import dagster as dg
from dagster import DagsterRunStatus
from dagster._core.launcher import WorkerStatus

from ace_assets.assets.work import is_alive
from ace_assets.automation.jobs import package_job
from ace_assets.resources import StoreResource
from ace_assets.store import Store

UNDER_WAY = [DagsterRunStatus.STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.CANCELING]
LOST = {WorkerStatus.FAILED, WorkerStatus.NOT_FOUND}
PACKAGE_JOB = package_job.name
GRACE_S = 120.0  # a busy machine needs a while from a launched process to its first asset
WATCH_EVERY_S = 60
WHY = "orphaned: its process is gone (host restart or kill); the store keeps what was finished, rerun the partition"


@dataclass(frozen=True)
class Mended:
    """A run that was ended: its id, its partition, its job."""

    run_id: str
    partition: str | None
    job: str


def recover(
    instance: dg.DagsterInstance,
    store: Store | None = None,
    *,
    grace_s: float = GRACE_S,
    now: dt.datetime | None = None,
) -> list[Mended]:
    """End every orphaned run and free its slots; return what was mended.

    Args:
        instance: the Dagster instance.
        store: where the leases of cells are.
        grace_s: how long a run without a mark may have been under way.
        now: the present.
    """
    moment = now or dt.datetime.now(dt.UTC)
    mended = []
    for record in instance.get_run_records(dg.RunsFilter(statuses=UNDER_WAY)):
        run = record.dagster_run
        if not _is_orphaned(instance, store, record, grace_s=grace_s, moment=moment):
            continue
        instance.report_run_failed(run, WHY)
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        mended.append(Mended(run.run_id, run.tags.get("dagster/partition"), run.job_name))
    return mended


def _is_orphaned(
    instance: dg.DagsterInstance,
    store: Store | None,
    record: dg.RunRecord,
    *,
    grace_s: float,
    moment: dt.datetime,
) -> bool:
    run = record.dagster_run
    alive = is_alive(run.run_id)
    if alive is not None:
        return not alive
    changed = record.update_timestamp.replace(tzinfo=dt.UTC)
    if (moment - changed).total_seconds() < grace_s:
        return False
    launcher = instance.run_launcher
    if not launcher.supports_check_run_worker_health:
        return True
    with contextlib.suppress(KeyError):  # a launcher that has not named a worker for it yet
        if launcher.check_run_worker_health(run).status in LOST:
            return True
    cell = run.tags.get("dagster/partition")
    working = run.status == DagsterRunStatus.STARTED and run.job_name != PACKAGE_JOB
    return bool(store and cell and working and store.cell_is_abandoned(cell, for_s=grace_s))


def recover_here(store: Store | None = None, *, grace_s: float = GRACE_S) -> list[Mended]:
    """Recover the instance of DAGSTER_HOME; see `recover`."""
    with dg.DagsterInstance.get() as instance:
        return recover(instance, store, grace_s=grace_s)


@dg.sensor(
    name="mend_orphans",
    minimum_interval_seconds=WATCH_EVERY_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="End runs whose process was killed, so that they hold no place in the queue. Safe beside live workers.",
)
def mend_orphans(context: dg.SensorEvaluationContext, store: StoreResource) -> dg.SkipReason:
    """Recover, and say what was mended."""
    mended = recover(context.instance, store.open())
    named = ", ".join(f"{found.partition or found.job} ({found.run_id[:8]})" for found in mended)
    return dg.SkipReason(f"ended {named}" if mended else "every run under way has a living process")
