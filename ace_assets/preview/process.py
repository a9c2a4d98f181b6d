"""A preview server in a process of its own, that ends for sure: with its context, and with its parent."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from ace_assets.errors import ServerError

KEY_VARIABLE = "ACE_PREVIEW_API_KEY"
_STEP_S = 0.02


@dataclass(frozen=True)
class PreviewProcess:
    """A running preview server: its address, e.g. `http://127.0.0.1:40123`, its process id and its log."""

    url: str
    pid: int
    log_path: Path
    process: subprocess.Popen[bytes]


@contextmanager
def running_preview(
    *,
    faults: str = "",
    port: int = 0,
    log_path: Path | None = None,
    folder: Path | None = None,
    api_key: str = "",
    start_timeout_s: float = 60.0,
    extra_environment: Mapping[str, str] | None = None,
) -> Iterator[PreviewProcess]:
    """Start a preview server on loopback, wait until it is healthy, yield it, and end it whatever happens.

    Args:
        faults: faults to inject, see `faults.parse_faults`; none by default.
        port: port to listen on; 0 takes a free one.
        log_path: file to which the server's output is appended; None for a temporary one, removed at the end.
        folder: keeps audio and the disk cache there, over restarts; None for a temporary one, removed at the end.
        api_key: key that the server asks for; handed over in the environment.
        start_timeout_s: how long to wait for the first healthy answer.
        extra_environment: environment variables on top of this process's.

    Raises:
        ServerError: the server did not become healthy in time, or ended; names the last line of its log.
    """
    with tempfile.TemporaryDirectory(prefix="ace-preview-log-") as scratch:
        log = log_path or Path(scratch) / "preview.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", **(extra_environment or {})}
        environment.pop(KEY_VARIABLE, None)
        if api_key:
            environment[KEY_VARIABLE] = api_key
        command = [sys.executable, "-m", "ace_assets.preview", "--port", str(port), "--faults", faults]
        command += ["--end-with-parent", str(os.getpid())]
        command += ["--folder", str(folder)] if folder else ["--folder", f"{scratch}/data", "--remove-folder"]
        address = Path(scratch) / "address"
        with log.open("ab") as errors, address.open("wb") as output:
            process = (
                subprocess.Popen(  # in a session of its own, so that Ctrl-C reaches only its parent, which ends it
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=errors,
                    env=environment,
                    start_new_session=True,
                )
            )
        try:
            url = _wait_until_healthy(process, address, log, start_timeout_s)
            yield PreviewProcess(url, process.pid, log, process)
        finally:
            _end(process)


def _wait_until_healthy(process: subprocess.Popen[bytes], address: Path, log: Path, timeout_s: float) -> str:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServerError(
                "preview server",
                value=_last_line(log),
                expected="a running server",
                remedy=f"read {log.name}; exit status {process.returncode}",
            )
        url = address.read_text().strip()
        if url:
            try:
                httpx.get(f"{url}/_preview/faults", timeout=5.0, trust_env=False).raise_for_status()
            except httpx.HTTPError:
                pass
            else:
                return url
        time.sleep(_STEP_S)
    raise ServerError(
        "preview server",
        value=_last_line(log),
        expected=f"a healthy answer within {timeout_s:.0f} s",
        remedy="try again",
    )


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "no output"


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
