"""Run the lineage from a command, without daemon or queue: the same assets, the same history in the same instance.

Cells run in a few worker processes of this command, each with its own in-process executor: runs of Dagster cannot share
a process, and a process per run would cost more than the work. Workers die with the command.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import logging
import multiprocessing as mp
import os
import queue
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from ace_assets import progress as news
from ace_assets.errors import AceAssetsError

WORKERS = 2
WORKER_TAG = "ace_assets/command"
_PR_SET_PDEATHSIG = 1

Listener = Callable[[news.Progress], None]


@dataclass(frozen=True)
class Outcome:
    """How a run ended: the partition, whether it succeeded, and one line that says why not."""

    partition: str | None
    success: bool
    message: str = ""


@contextlib.contextmanager
def quiet(log: Path | None) -> Iterator[None]:
    """Send what Dagster says of each step to a log file; people get progress and one line per failure instead."""
    stream: Any = log.open("a", encoding="utf-8") if log else io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger("dagster")
    with stream, contextlib.redirect_stderr(stream), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root.addHandler(handler)
        try:
            yield
        finally:
            root.removeHandler(handler)


def execute(
    assets: Sequence[str],
    *,
    partition: str | None = None,
    run_config: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> Outcome:
    """Materialize assets in this process, recorded in the instance of DAGSTER_HOME."""
    with quiet(log):
        from ace_assets.definitions import defs

        job = defs.get_implicit_global_asset_job_def()
        with dg.DagsterInstance.get() as instance:
            result = job.execute_in_process(
                instance=instance,
                partition_key=partition,
                asset_selection=[dg.AssetKey(name) for name in assets],
                run_config=dict(run_config or {}),
                tags={WORKER_TAG: str(os.getpid()), **(tags or {})},
                raise_on_error=False,
            )
    if result.success:
        return Outcome(partition, success=True)
    return Outcome(partition, success=False, message=_why(result))


def _why(result: dg.ExecuteInProcessResult) -> str:
    causes = []
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            user = data.user_failure_data
            if user and user.description:
                causes.append(user.description)
            elif data.error:
                cause = data.error.cause or data.error
                causes.append(cause.message.strip().splitlines()[0])
    return "; ".join(causes) or "the run failed before its first step"


def _die_with(parent: int) -> None:
    """End this process when its parent ends, however that happens."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _work(
    parent: int,
    tasks: Any,
    results: Any,
    assets: Sequence[str],
    tags: Mapping[str, str],
    log: str | None,
) -> None:
    _die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command decides
    with news.listening(results.put):
        while True:
            partition = tasks.get()
            if partition is None:
                return
            try:
                outcome = execute(assets, partition=partition, tags=tags, log=Path(log) if log else None)
            except AceAssetsError as error:
                outcome = Outcome(partition, success=False, message=str(error))
            except Exception as error:  # a worker reports whatever happens and goes on
                outcome = Outcome(partition, success=False, message=f"{type(error).__name__}: {error}".splitlines()[0])
            results.put(outcome)


def execute_partitions(
    assets: Sequence[str],
    partitions: Sequence[str],
    *,
    listener: Listener,
    workers: int = WORKERS,
    tags: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> list[Outcome]:
    """Materialize assets once per partition, some at a time; one that fails does not stop the others.

    Args:
        assets: names of the assets, run together per partition.
        partitions: partition keys.
        listener: told of every event of the workers, on this thread.
        workers: processes at a time.
        tags: tags of the runs.
        log: where Dagster's own messages go.

    Returns:
        One outcome per partition, in the order in which they ended.
    """
    if not partitions:
        return []
    context = mp.get_context("spawn")
    tasks, results = context.Queue(), context.Queue()
    for partition in partitions:
        tasks.put(partition)
    processes = []
    for _ in range(min(workers, len(partitions))):
        tasks.put(None)
        process = context.Process(
            target=_work,
            args=(os.getpid(), tasks, results, list(assets), dict(tags or {}), str(log) if log else None),
            daemon=False,
        )
        process.start()
        processes.append(process)
    outcomes: list[Outcome] = []
    try:
        while len(outcomes) < len(partitions):
            try:
                item = results.get(timeout=0.5)
            except queue.Empty:
                if not any(process.is_alive() for process in processes):
                    break
                continue
            if isinstance(item, Outcome):
                outcomes.append(item)
            else:
                listener(item)
        done = {outcome.partition for outcome in outcomes}
        lost = [partition for partition in partitions if partition not in done]
        outcomes += [Outcome(name, success=False, message="its worker process died; run again") for name in lost]
        return outcomes
    finally:
        for process in processes:
            process.join(timeout=5 if len(outcomes) >= len(partitions) else 0)
            if process.is_alive():
                process.terminate()
                process.join(timeout=5)
