"""After a host crash: end the runs that no process works on any more, free their pool slots; safe beside live workers.

A run of this machine holds a locked mark while it works (`assets.work`). A run that says it is under way, whose mark
nobody holds, is dead. A run that never left a mark is given time to start before it is taken for dead.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import dagster as dg
from dagster import DagsterRunStatus

from ace_assets.assets.work import is_alive

UNDER_WAY = [DagsterRunStatus.STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.CANCELING]
GRACE_S = 60.0
WHY = "orphaned: its process is gone (host restart or kill); the store keeps what was finished, rerun the partition"


@dataclass(frozen=True)
class Mended:
    """A run that was ended: its id, its partition, its job."""

    run_id: str
    partition: str | None
    job: str


def recover(instance: dg.DagsterInstance, *, grace_s: float = GRACE_S, now: dt.datetime | None = None) -> list[Mended]:
    """End every orphaned run and free its slots; return what was mended.

    Args:
        instance: the Dagster instance.
        grace_s: how long a run without a mark may have been under way.
        now: the present.
    """
    moment = now or dt.datetime.now(dt.UTC)
    mended = []
    for record in instance.get_run_records(dg.RunsFilter(statuses=UNDER_WAY)):
        run = record.dagster_run
        alive = is_alive(run.run_id)
        started_s = record.start_time or record.create_timestamp.timestamp()
        waited_s = moment.timestamp() - started_s
        if alive or (alive is None and waited_s < grace_s):
            continue
        instance.report_run_failed(run, WHY)
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        mended.append(Mended(run.run_id, run.tags.get("dagster/partition"), run.job_name))
    return mended


def recover_here(*, grace_s: float = GRACE_S) -> list[Mended]:
    """Recover the instance of DAGSTER_HOME; see `recover`."""
    with dg.DagsterInstance.get() as instance:
        return recover(instance, grace_s=grace_s)
