"""PostgreSQL, Redis and an S3 server as real processes on loopback, each with a data folder of its own, ended by pid."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ace_assets.blobs import S3Blobs
from tests.automation.deployment import REPOSITORY, Deployment, free_port, kill, start, until

BUCKET = "ace-music"


def postgres_program(name: str) -> str | None:
    """Return a program of PostgreSQL, which Debian keeps off the PATH."""
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(installed[-1]) if installed else None)


def missing() -> list[str]:
    """Return what is not installed here."""
    programs = {"postgres": postgres_program("postgres"), "redis-server": shutil.which("redis-server")}
    return [name for name, path in programs.items() if path is None]


def _as_somebody() -> tuple[list[str], int]:
    """Return how to start PostgreSQL, which refuses to run as root, and the user that owns its files."""
    if os.geteuid() != 0:
        return [], os.geteuid()
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return ["runuser", "-u", name, "--"], pwd.getpwnam(name).pw_uid
    raise AssertionError("no user but root to run PostgreSQL as")


@contextlib.contextmanager
def services(logs: Path) -> Iterator[dict[str, str]]:
    """Start all three and give the environment that points to them."""
    with contextlib.ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="ace-services-", ignore_cleanup_errors=True))
        )
        postgres_port, redis_port, s3_port = free_port(), free_port(), free_port()
        env = {
            "ACE_POSTGRES_HOST": "127.0.0.1",
            "ACE_POSTGRES_PORT": str(postgres_port),
            "ACE_POSTGRES_USER": "dagster",
            "ACE_POSTGRES_PASSWORD": "loopback",
            "ACE_POSTGRES_DB": "postgres",
            "ACE_CELERY_BROKER": f"redis://127.0.0.1:{redis_port}/0",
            "ACE_LOGS_BUCKET": BUCKET,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{s3_port}",
            "AWS_ACCESS_KEY_ID": "loopback",
            "AWS_SECRET_ACCESS_KEY": "loopback",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        prefix, owner = _as_somebody()
        database = folder / "postgres"
        database.mkdir()
        folder.chmod(0o755)
        os.chown(database, owner, -1)
        initdb, postgres = postgres_program("initdb"), postgres_program("postgres")
        assert initdb
        assert postgres
        subprocess.run(
            [*prefix, initdb, "-D", str(database), "-U", "dagster", "-A", "trust", "--no-sync", "-E", "UTF8"],
            check=True,
            capture_output=True,
            cwd="/",
        )
        quick = ["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "shared_buffers=32MB"]
        commands = {
            "postgres": [*prefix, postgres, "-D", str(database), "-p", str(postgres_port), "-h", "127.0.0.1",
                         "-k", "", *quick],
            "redis": ["redis-server", "--port", str(redis_port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)],
            "s3": [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(s3_port)],
        }  # fmt: skip
        for name, command in commands.items():
            process = start(command, log=logs / f"{name}.log", env=dict(os.environ), cwd=Path("/"))
            stack.callback(kill, process)
        for port in (postgres_port, redis_port, s3_port):
            until(lambda port=port: Deployment.answers(port), f"port {port} answers")  # type: ignore[misc]
        before = {name: os.environ.get(name) for name in env}
        os.environ.update(env)
        try:
            S3Blobs(BUCKET, "").client.create_bucket(Bucket=BUCKET)
            yield env
        finally:
            for name, value in before.items():
                os.environ.pop(name, None) if value is None else os.environ.update({name: value})


@contextlib.contextmanager
def worker(deployment: Deployment, name: str) -> Iterator[Worker]:
    """Start a Celery worker with a DAGSTER_HOME of its own, as on a machine of its own."""
    made = Worker(deployment, name)
    try:
        made.start()
        yield made
    finally:
        made.kill()


class Worker:
    """A machine that runs cells."""

    def __init__(self, deployment: Deployment, name: str) -> None:
        self.deployment = deployment
        self.name = name
        self.home = deployment.root / f"home-{name}"
        self.home.mkdir()
        shutil.copy(deployment.home / "dagster.yaml", self.home / "dagster.yaml")
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def env(self) -> dict[str, str]:
        """The environment of this machine."""
        return self.deployment.env | {"DAGSTER_HOME": str(self.home)}

    def start(self) -> None:
        """Mend what an earlier life left, then listen for runs; as the README says."""
        log = self.deployment.root / "logs" / f"worker-{self.name}.log"
        subprocess.run(
            [sys.executable, "-m", "ace_assets.cli", "recover"],
            env=self.env,
            cwd=REPOSITORY,
            check=True,
            capture_output=True,
        )
        configuration = REPOSITORY / "dagster_home" / "distributed" / "celery.yaml"
        self.process = start(
            [sys.executable, "-m", "dagster_celery.cli", "worker", "start", "-A", "dagster_celery.app",
             "-y", str(configuration), "-n", self.name, "--", "--concurrency=1"],
            log=log,
            env=self.env | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
            cwd=REPOSITORY,
        )  # fmt: skip
        until(lambda: " ready." in log.read_text(errors="replace"), f"worker {self.name} is ready")

    def kill(self) -> None:
        """End it with everything that it started, at once."""
        if self.process is not None:
            kill(self.process)
            self.process = None
