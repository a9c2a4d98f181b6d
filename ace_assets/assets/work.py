"""What every asset's body is wrapped in: deliberate errors become one line in the UI, and a run says that it lives.

A run's mark is a locked file in DAGSTER_HOME: the system frees the lock when the process dies, so that `recover` can
tell a run that works from one that was killed. A process keeps the mark of its last run between that run's assets, so
that no moment looks like death.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import dagster as dg

from ace_assets.errors import AceAssetsError

MARKS = "ace_runs"
LEASE_WAIT_S = float(os.environ.get("ACE_LEASE_WAIT_S", "900"))  # how long a run waits for another one's cell
_held: dict[str, IO[str]] = {}  # the mark of this process's present run


def marks_folder() -> Path | None:
    """Return where runs of this machine leave their marks, or None without a DAGSTER_HOME."""
    home = os.environ.get("DAGSTER_HOME")
    return Path(home) / MARKS if home else None


def mark_alive(run_id: str) -> None:
    """Take the run's mark; this process holds it until it ends or takes another run's."""
    folder = marks_folder()
    if folder is None or run_id in _held:
        return
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f".{run_id}.{os.getpid()}"
    file = fresh.open("a")
    fcntl.flock(file, fcntl.LOCK_SH)
    fresh.rename(folder / f"{run_id}.lock")  # locked before anybody can see it
    while _held:
        _held.popitem()[1].close()
    _held[run_id] = file


def is_alive(run_id: str) -> bool | None:
    """Say whether a process holds the run's mark; None where the run never left one on this machine."""
    folder = marks_folder()
    path = folder / f"{run_id}.lock" if folder else None
    if path is None or not path.exists():
        return None
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        return False


@contextlib.contextmanager
def working(context: dg.AssetExecutionContext, **facts: Any) -> Iterator[None]:
    """Mark the run as alive; turn a deliberate error into a failure that shows its one line.

    Raises:
        dg.Failure: with the error's message and its fields as metadata.
    """
    mark_alive(context.run_id)
    try:
        yield
    except AceAssetsError as error:
        raise failure(error, facts) from error


def failure(error: AceAssetsError, facts: Mapping[str, Any]) -> dg.Failure:
    """Return a deliberate error as Dagster shows it."""
    metadata: dict[str, Any] = {"error": type(error).__name__, "thing": error.thing, **facts}
    for name in ("expected", "remedy", "rule"):
        if getattr(error, name):
            metadata[name] = getattr(error, name)
    return dg.Failure(description=str(error), metadata=metadata, allow_retries=False)
