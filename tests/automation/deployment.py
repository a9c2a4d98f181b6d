"""A whole Dagster deployment for tests: code server, daemon and webserver as real processes on loopback, in tmp folders.

Music is made by a real preview server, ten seconds a take, so that a cell costs next to nothing. Everything ends with
the context, and with the process that started it.
"""

from __future__ import annotations

import contextlib
import csv
import ctypes
import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import dagster as dg
import httpx
import polars as pl
from dagster import DagsterRunStatus

from ace_assets import shipped, tables
from ace_assets.matrix import planning
from ace_assets.store import Store

REPOSITORY = Path(__file__).resolve().parents[2]
CELL_ASSETS = ("generated_audio", "take_scores", "masters")
WAIT_S = 400.0  # a limit, not an expectation: a busy machine takes its time
T = TypeVar("T")
TERMINAL = {DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED}
CAMPAIGNS = """
[campaigns.first_test]
tracks = "all"
cells = "all"
profile = "preview"
purpose = "tests"

[profiles.preview]
engine = "preview"
model = "ace-assets-preview"
"""
VENUE = """
[venues.lobby-test]
name = "Test lobby"
zone = "lobby"
brand = "test"
time_zone = "Europe/Vienna"
days = 1
[venues.lobby-test.opening_hours]
daily = "09:00-10:00"
[venues.lobby-test.dayparts]
morning = "00:00-24:00"
"""


def free_port() -> int:
    """Return a port of loopback that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def until(find: Callable[[], T | None], what: str, *, wait_s: float = WAIT_S, poll_s: float = 0.25) -> T:
    """Return what `find` returns as soon as it is neither None nor False; fail, saying what was waited for."""
    deadline = time.monotonic() + wait_s
    while True:
        found = find()
        if found is not None and found is not False:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {wait_s:.0f} s in vain until {what}")
        time.sleep(poll_s)


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def start(command: Sequence[str], *, log: Path, env: Mapping[str, str], cwd: Path) -> subprocess.Popen[bytes]:
    """Start a process in a group of its own that dies with this one."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            list(command),
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 (one system call; no lock can be held)
        )


def kill(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGKILL) -> None:
    """Signal a process with everything that it started, and wait for its end."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, how)
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=15)


def write_config(folder: Path, cells: int, *, takes: int = 2) -> None:
    """Write a matrix of some cells over three zones, one track of ten seconds each, a campaign and a venue."""
    source = shipped.path("config") / "genre_matrix.csv"
    with source.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    firsts = {(row["zone"], row["genre"]): row for row in reversed(rows)}
    rows.sort(key=lambda row: firsts[row["zone"], row["genre"]] is not row)  # another genre for each, while there are
    chosen: list[dict[str, str]] = []
    for zone in ("lobby", "retail", "spa"):
        for row in [row for row in rows if row["zone"] == zone][: -(-cells // 3)]:
            row.update(duration_min_s="10", duration_max_s="12", allow_unstable="yes", target_tracks="1")
            row.update(takes_per_prompt=str(takes), takes_limit=str(takes))
            chosen.append(row)
    write_matrix(folder, chosen[:cells])
    (folder / "campaigns.toml").write_text(CAMPAIGNS, encoding="utf-8")
    (folder / "venues.toml").write_text(VENUE, encoding="utf-8")


def write_matrix(folder: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """Write rows as the genre matrix of a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "genre_matrix.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_matrix(folder: Path) -> list[dict[str, str]]:
    """Return the rows of the genre matrix of a folder."""
    with (folder / "genre_matrix.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@dataclass
class Deployment:
    """Where everything is, and what runs.

    Attributes:
        root: the tmp folder of it all.
        servers: addresses of the preview servers.
        extra: environment variables on top.
        data: the data folder or bucket; below the root by default.
    """

    root: Path
    servers: str
    extra: dict[str, str] = field(default_factory=dict)
    data: str = ""
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    port: int = 0

    @property
    def home(self) -> Path:
        """DAGSTER_HOME."""
        return self.root / "home"

    @property
    def url(self) -> str:
        """The webserver's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def config(self) -> Path:
        """ACE_CONFIG_DIR."""
        return self.root / "config"

    @property
    def env(self) -> dict[str, str]:
        """The environment of every process."""
        env = {name: value for name, value in os.environ.items() if not name.startswith(("ACE_", "DAGSTER_"))}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        return env | {
            "DAGSTER_HOME": str(self.home),
            "ACE_DATA_DIR": self.data or str(self.root / "data"),
            "ACE_CONFIG_DIR": str(self.config),
            "ACE_SERVERS": self.servers,
            "ACE_SENSOR_INTERVAL_S": "2",
            "DAGSTER_DISABLE_TELEMETRY": "yes",
            **self.extra,
        }

    @property
    def store(self) -> Store:
        """The store that the deployment works on."""
        return Store.open(self.env["ACE_DATA_DIR"])

    @contextlib.contextmanager
    def instance(self) -> Iterator[dg.DagsterInstance]:
        """The deployment's Dagster instance, opened here."""
        with pytest_env(self.env), dg.DagsterInstance.from_config(str(self.home)) as instance:
            yield instance

    def prepare(self, *, cells: int, takes: int = 2, dagster_yaml: str | None = None) -> None:
        """Write the configuration."""
        self.home.mkdir(parents=True)
        shipped_yaml = (shipped.path("dagster_home") / "dagster.yaml").read_text(encoding="utf-8")
        quick = dagster_yaml or shipped_yaml
        for slow, fast in (
            ("poll_interval_seconds: 30", "poll_interval_seconds: 2"),
            ("end_seconds: 60", "end_seconds: 2"),
        ):
            assert slow in quick
            quick = quick.replace(slow, fast)
        (self.home / "dagster.yaml").write_text(quick, encoding="utf-8")
        write_config(self.config, cells, takes=takes)

    # ---- processes -------------------------------------------------------------------------------------------------

    def up(self, *names: str) -> None:
        """Start the named processes (code, daemon, web; all without names) and wait until they answer."""
        wanted = names or ("code", "daemon", "web")
        if "code" in wanted:
            code_port = free_port()
            (self.root / "workspace.yaml").write_text(
                f"load_from:\n  - grpc_server: {{host: 127.0.0.1, port: {code_port}, location_name: ace_assets}}\n",
                encoding="utf-8",
            )
            self._start("code", "-m", "dagster", "api", "grpc", "-m", "ace_assets.definitions", "-p", str(code_port),
                        "-h", "127.0.0.1", "--location-name", "ace_assets")  # fmt: skip
            until(lambda: self._listens("code", code_port), "the code server listens")
        workspace = str(self.root / "workspace.yaml")
        if "daemon" in wanted:
            self._start("daemon", "-m", "tests.automation.quick_daemon", "-w", workspace)
        if "web" in wanted:
            self.port = free_port()
            self._start("web", "-m", "dagster_webserver", "-w", workspace, "-h", "127.0.0.1", "-p", str(self.port))
            until(lambda: self._listens("web", self.port), "the webserver listens")

    def _start(self, name: str, *arguments: str) -> None:
        self.processes[name] = start(
            [sys.executable, *arguments], log=self.root / "logs" / f"{name}.log", env=self.env, cwd=REPOSITORY
        )

    def _listens(self, name: str, port: int) -> bool:
        ended = self.processes[name].poll() is not None
        assert not ended, (self.root / "logs" / f"{name}.log").read_text(errors="replace")[-2000:]
        return self.answers(port)

    @staticmethod
    def answers(port: int) -> bool:
        """Say whether something listens on a port of loopback."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    def kill(self, *names: str, how: signal.Signals = signal.SIGKILL) -> None:
        """End the named processes with everything that they started (all without names)."""
        for name in names or tuple(self.processes):
            process = self.processes.pop(name, None)
            if process is not None:
                kill(process, how)

    def command(self, *arguments: str, check: bool = True, wait_s: float = WAIT_S) -> subprocess.CompletedProcess[str]:
        """Run `ace-assets` to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "ace_assets.cli", *arguments],
            cwd=self.root,
            env=self.env,
            text=True,
            capture_output=True,
            timeout=wait_s,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    # ---- GraphQL ---------------------------------------------------------------------------------------------------

    def graphql(self, query: str, **variables: Any) -> dict[str, Any]:
        """Ask the webserver; the answer's `data`."""
        reply = httpx.post(
            f"{self.url}/graphql",
            json={"query": query, "variables": variables},
            timeout=60,
            trust_env=False,
        )
        document = reply.json()
        assert "errors" not in document, document["errors"]
        found: dict[str, Any] = document["data"]
        return found

    def launch(self, job: str, config: Mapping[str, Any] | None = None) -> str:
        """Launch a job as the Launchpad does; its run id."""
        selector = {
            "repositoryLocationName": "ace_assets",
            "repositoryName": "__repository__",
            "pipelineName": job,
        }
        found = self.graphql(
            """mutation($p: ExecutionParams!) { launchRun(executionParams: $p) {
                 __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
                 ... on RunConfigValidationInvalid { errors { message } } } }""",
            p={"selector": selector, "runConfigData": dict(config or {}), "mode": "default"},
        )["launchRun"]
        assert found["__typename"] == "LaunchRunSuccess", found
        return str(found["run"]["runId"])

    def backfill(self, assets: Sequence[str], cells: Sequence[str]) -> str:
        """Launch a backfill of cells; its id."""
        found = self.graphql(
            """mutation($p: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $p) {
                 __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }""",
            p={"assetSelection": [{"path": [name]} for name in assets], "partitionNames": list(cells)},
        )["launchPartitionBackfill"]
        assert found["__typename"] == "LaunchBackfillSuccess", found
        return str(found["backfillId"])

    def rerun_backfill(self, backfill: str) -> str:
        """Rerun what failed of a backfill; the id of the new one."""
        found = self.graphql(
            """mutation($p: ReexecutionParams!) { reexecutePartitionBackfill(reexecutionParams: $p) {
                 __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }""",
            p={"parentRunId": backfill, "strategy": "FROM_FAILURE"},
        )["reexecutePartitionBackfill"]
        assert found["__typename"] == "LaunchBackfillSuccess", found
        return str(found["backfillId"])

    # ---- what happened ---------------------------------------------------------------------------------------------

    def runs(self, **tags: str) -> list[dg.DagsterRun]:
        """Return runs, oldest first; tags with `__` for `/`."""
        with self.instance() as instance:
            wanted = {name.replace("__", "/"): value for name, value in tags.items()}
            return list(reversed(instance.get_runs(dg.RunsFilter(tags=wanted or None))))

    def wait_for_run(self, run_id: str, *, wait_s: float = WAIT_S) -> DagsterRunStatus:
        """Return the status of a run when it has ended."""
        with self.instance() as instance:

            def ended() -> DagsterRunStatus | None:
                run = instance.get_run_by_id(run_id)
                return run.status if run and run.status in TERMINAL else None

            return until(ended, f"run {run_id} ends", wait_s=wait_s)

    def wait_for_backfill(self, backfill: str, *, wait_s: float = WAIT_S) -> list[dg.DagsterRun]:
        """Return the runs of a backfill when it has ended, oldest first."""
        with self.instance() as instance:

            def ended() -> bool:
                found = instance.get_backfill(backfill)
                return found is not None and found.status.name not in {"REQUESTED", "CANCELING", "FAILING"}

            until(ended, f"backfill {backfill} ends", wait_s=wait_s)
            return list(reversed(instance.get_runs(dg.RunsFilter(tags={"dagster/backfill": backfill}))))

    def wait_until_idle(self, *, wait_s: float = WAIT_S) -> None:
        """Wait until no run is under way."""
        with self.instance() as instance:
            until(
                lambda: all(run.status in TERMINAL for run in instance.get_runs()),
                "no run is under way",
                wait_s=wait_s,
            )

    def wait_until_carried(self, refresh: str, *, wait_s: float = WAIT_S) -> None:
        """Wait until the sensor has carried a refresh to its end."""
        with self.instance() as instance:

            def carried() -> bool:
                run = instance.get_run_by_id(refresh)
                assert run is None or run.status != DagsterRunStatus.FAILURE, "the refresh failed"
                return run is not None and "ace_assets/carried" in run.tags

            until(carried, f"refresh {refresh} is carried to its end", wait_s=wait_s)

    def last_skip(self, sensor: str) -> str:
        """Return what a sensor said last."""
        with self.instance() as instance:
            states = [s for s in instance.all_instigator_state() if s.instigator_name == sensor]
            ticks = instance.get_ticks(states[0].instigator_origin_id, states[0].selector_id, limit=1) if states else []
            return (ticks[0].skip_reason or str(ticks[0].error or "")) if ticks else ""

    def planned(self) -> pl.DataFrame:
        """Return the takes that the matrix plans, without planning anything in the store."""
        planned = planning.plan_campaign(
            Store.open(str(self.root / "elsewhere")),
            self.config / "campaigns.toml",
            campaign="first_test",
            engine="preview",
            matrix_file=self.config / "genre_matrix.csv",
        )
        return planned.plan.planned_takes

    def files_of(self, cells: Sequence[str]) -> dict[str, tuple[int, str]]:
        """Return time and content of every file that belongs to some cells: manifests, takes, masters, history."""
        store = self.store
        root = store.local_root
        assert root is not None
        paths: list[Path] = []
        for cell in cells:
            for folder in ("cells", "events", "runs"):
                paths += sorted(path for path in (root / folder / cell).rglob("*") if path.is_file())
            for table, column, folder in ((tables.Takes, "take_id", "takes"), (tables.Masters, "master_id", "masters")):
                frame = store.manifest(cell, table)
                for name in [] if frame is None else frame[column]:
                    paths += sorted((root / folder / name[:2]).glob(f"{name}.*"))
        return {
            path.relative_to(root).as_posix(): (
                path.stat().st_mtime_ns,
                hashlib.sha256(path.read_bytes()).hexdigest(),
            )
            for path in paths
        }


@contextlib.contextmanager
def pytest_env(env: Mapping[str, str]) -> Iterator[None]:
    """Have the environment variables of a deployment for the length of the block (configuration reads them)."""
    before = {name: os.environ.get(name) for name in env}
    os.environ.update(env)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def deployed(deployment: Deployment, *names: str) -> Iterator[Deployment]:
    """Start a prepared deployment and end it whatever happens."""
    try:
        deployment.up(*names)
        yield deployment
    finally:
        deployment.kill()


def preview_stats(url: str) -> dict[str, Any]:
    """Return what a preview server has counted."""
    found: dict[str, Any] = httpx.get(f"{url}/_preview/stats", timeout=30, trust_env=False).json()
    return found


def set_faults(url: str, spec: str) -> None:
    """Give a preview server other faults."""
    httpx.post(f"{url}/_preview/faults", json={"spec": spec}, timeout=30, trust_env=False).raise_for_status()
