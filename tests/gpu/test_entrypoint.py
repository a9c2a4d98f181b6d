"""The entrypoint, really run, with a stand-in for the server on PATH."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ace_assets import shipped

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the entrypoint runs in a Linux image")

SCRIPT = shipped.path("gpu") / "entrypoint.sh"
KEY = "a-key-of-the-tests-0123456789"
HOUR_S = 3600.0

SERVER = """#!/usr/bin/env bash
env > "$ACE_TEST_SEEN"
printf '%s\\n' "arguments: $*" >> "$ACE_TEST_SEEN"
trap 'echo stopped >> "$ACE_TEST_SEEN"; exit 7' TERM
touch "$ACE_TEST_SEEN.up"
while true; do sleep 0.05; done
"""


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder that stands for the container: bin/ with a server, its temporary folder, its outputs."""
    (tmp_path / "bin").mkdir()
    server = tmp_path / "bin" / "acestep-api"
    server.write_text(SERVER, encoding="utf-8")
    server.chmod(0o755)
    return tmp_path


def heed_term() -> None:
    """Undo what Dagster leaves in a process that was started with SIGINT ignored: SIGTERM ignored too, and inherited."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def settings(machine: Path, **more: str) -> dict[str, str]:
    return {
        "PATH": f"{machine / 'bin'}:{os.environ['PATH']}",
        "ACESTEP_API_KEY": KEY,
        "ACESTEP_TMPDIR": str(machine / "tmp"),
        "ACESTEP_OUTPUT_DIR": str(machine / "outputs"),
        "ACE_TEST_SEEN": str(machine / "seen"),
    } | more


def run(machine: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT, *arguments],
        cwd=machine,
        env=settings(machine, **more),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        preexec_fn=heed_term,
    )


def audio(folder: Path, name: str, *, age_s: float, size: int = 100) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    with file.open("wb") as stream:
        stream.truncate(size)
    when = time.time() - age_s
    os.utime(file, (when, when))
    return file


# ---- Refusals ----


@pytest.mark.parametrize("key", ["", "short", "spaces in a long enough key", "tab\tin a long enough key"])
def test_it_refuses_to_start_without_a_usable_key_and_shows_none(machine: Path, key: str) -> None:
    result = run(machine, ACESTEP_API_KEY=key)
    assert result.returncode == 64
    assert "ACESTEP_API_KEY" in result.stderr
    assert "openssl rand -hex 32" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    if key:
        assert key not in result.stderr
    assert not (machine / "seen").exists()


@pytest.mark.parametrize("argument", ["--api-key", f"--api-key={KEY}"])
def test_it_refuses_a_key_in_the_argument_list(machine: Path, argument: str) -> None:
    result = run(machine, "acestep-api", argument, KEY)
    assert result.returncode == 64
    assert "argument list" in result.stderr
    assert KEY not in result.stderr


@pytest.mark.parametrize("name", ["ACESTEP_QUEUE_WORKERS", "ACESTEP_API_WORKERS"])
def test_it_refuses_more_than_one_worker(machine: Path, name: str) -> None:
    result = run(machine, **{name: "2"})
    assert result.returncode == 64
    assert f"{name}: '2', expected 1" in result.stderr


def test_it_refuses_an_option_for_workers(machine: Path) -> None:
    assert run(machine, "acestep-api", "--workers", "4").returncode == 64


@pytest.mark.parametrize("value", ["two", "-1", "1.5", "1; touch x", "a[$(touch x)]"])
def test_it_refuses_a_setting_that_is_not_a_whole_number_and_runs_nothing_in_it(machine: Path, value: str) -> None:
    result = run(machine, "prune-once", ACESTEP_PRUNE_AFTER_MIN=value)
    assert result.returncode == 64
    assert "ACESTEP_PRUNE_AFTER_MIN" in result.stderr
    assert not (machine / "x").exists()


def test_it_says_when_the_server_is_not_installed(machine: Path) -> None:
    (machine / "bin" / "acestep-api").unlink()
    result = run(machine)
    assert result.returncode == 64
    assert "acestep-api: not found" in result.stderr


def test_a_folder_that_cannot_be_made_is_named(machine: Path) -> None:
    (machine / "volume").write_text("a file where a folder should be", encoding="utf-8")
    result = run(machine, ACESTEP_CACHE_DIR=str(machine / "volume" / "cache"))
    assert result.returncode == 64
    assert f"{machine / 'volume' / 'cache'}: cannot be written" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("folder", ["/", "/tmp", "/home/../root", "{home}"])
def test_it_refuses_to_prune_a_folder_that_holds_more_than_the_servers_audio(machine: Path, folder: str) -> None:
    result = run(machine, "prune-once", HOME=str(machine), ACESTEP_OUTPUT_DIR=folder.format(home=machine))
    assert result.returncode == 64
    assert "expected a folder of its own" in result.stderr


# ---- The server ----


def started(machine: Path, *arguments: str, **more: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [SCRIPT, *arguments],
        cwd=machine,
        env=settings(machine, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heed_term,  # noqa: PLW1509 (one system call; no lock can be held)
    )
    deadline = time.monotonic() + 20
    while not (machine / "seen.up").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    return process


def command_line(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:  # the process ended meanwhile
        return b""


def stopped(process: subprocess.Popen[str]) -> str:
    try:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return errors


def test_the_server_gets_the_key_by_environment_one_worker_and_the_signal_to_stop(machine: Path) -> None:
    process = started(machine, WEB_CONCURRENCY="8", TRITON_CACHE_DIR=str(machine / "cache" / "triton"))
    arguments = b" ".join(command_line(file) for file in Path("/proc").glob("[0-9]*/cmdline"))
    errors = stopped(process)
    seen = (machine / "seen").read_text(encoding="utf-8")
    assert process.returncode == 7, "the server's own exit status"
    assert f"ACESTEP_API_KEY={KEY}" in seen
    assert "WEB_CONCURRENCY=1" in seen.splitlines()
    assert "ACESTEP_QUEUE_WORKERS=1" in seen.splitlines()
    assert "arguments: \n" in seen
    assert "stopped" in seen
    assert KEY not in errors
    assert b"acestep-api" in arguments
    assert KEY.encode() not in arguments
    assert (machine / "tmp" / "api_audio").is_dir()
    assert (machine / "cache" / "triton").is_dir()


def test_another_command_with_its_arguments_is_started_instead(machine: Path) -> None:
    other = machine / "bin" / "acestep"
    (machine / "bin" / "acestep-api").rename(other)
    process = started(machine, "acestep", "--enable-api", "--port", "7860")
    stopped(process)
    assert "arguments: --enable-api --port 7860" in (machine / "seen").read_text(encoding="utf-8")


def test_a_server_that_ends_by_itself_ends_the_container_with_its_status(machine: Path) -> None:
    server = machine / "bin" / "acestep-api"
    server.write_text("#!/usr/bin/env bash\nexit 3\n", encoding="utf-8")
    assert run(machine).returncode == 3


def test_old_audio_goes_while_the_server_runs(machine: Path) -> None:
    old = audio(machine / "tmp" / "api_audio", "old.flac", age_s=3 * HOUR_S)
    process = started(machine, ACESTEP_PRUNE_EVERY_S="1")
    deadline = time.monotonic() + 10
    while old.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    later = audio(machine / "tmp" / "api_audio", "later.flac", age_s=3 * HOUR_S)
    while later.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    stopped(process)
    assert not old.exists()
    assert not later.exists(), "every round prunes, not only the first"


# ---- Pruning ----


def test_only_old_audio_goes(machine: Path) -> None:
    place = machine / "tmp" / "api_audio"
    old = [audio(place, f"old.{suffix}", age_s=3 * HOUR_S) for suffix in ("flac", "wav", "mp3", "WAV")]
    old.append(audio(machine / "outputs" / "deep" / "er", "old two.flac", age_s=3 * HOUR_S))
    old.append(audio(machine / "gradio_outputs" / "api_1", "old.wav", age_s=3 * HOUR_S))
    kept = [
        audio(place, "young.flac", age_s=60),
        audio(place, "just before.flac", age_s=1.9 * HOUR_S),
        audio(place, "old.json", age_s=3 * HOUR_S),
        audio(machine / "tmp", "old.flac", age_s=3 * HOUR_S),
        audio(machine / "models", "old.flac", age_s=3 * HOUR_S),
    ]
    assert run(machine, "prune-once").returncode == 0
    assert [file for file in old if file.exists()] == []
    assert [file for file in kept if not file.exists()] == []


def test_pruning_needs_no_key(machine: Path) -> None:
    assert run(machine, "prune-once", ACESTEP_API_KEY="").returncode == 0


def test_it_follows_no_link_out_of_the_servers_folders(machine: Path) -> None:
    elsewhere = audio(machine / "elsewhere", "old.flac", age_s=3 * HOUR_S)
    (machine / "outputs").mkdir()
    (machine / "outputs" / "linked").symlink_to(machine / "elsewhere")
    (machine / "tmp").mkdir()
    (machine / "tmp" / "api_audio").symlink_to(machine / "elsewhere")
    assert run(machine, "prune-once").returncode == 0
    assert elsewhere.exists()


def test_zero_minutes_means_never(machine: Path) -> None:
    old = audio(machine / "outputs", "old.flac", age_s=100 * HOUR_S)
    assert run(machine, "prune-once", ACESTEP_PRUNE_AFTER_MIN="0").returncode == 0
    assert old.exists()


def test_nothing_young_goes_however_short_the_age_asked_for(machine: Path) -> None:
    young = audio(machine / "outputs", "young.flac", age_s=300)
    assert run(machine, "prune-once", ACESTEP_PRUNE_AFTER_MIN="1").returncode == 0
    assert young.exists()


def test_beyond_the_limit_the_oldest_goes_first_and_never_the_young(machine: Path) -> None:
    place = machine / "outputs"
    gigabyte = 1_000_000_000  # sparse files: nothing is written
    ages_min = {"a\n1.flac": 100, "a 2.flac": 90, "a 3.flac": 80, "a 4.flac": 70, "young.flac": 1}
    files = {name: audio(place, name, age_s=age * 60, size=gigabyte) for name, age in ages_min.items()}
    assert run(machine, "prune-once", ACESTEP_PRUNE_MAX_GB="3").returncode == 0
    assert [name for name, file in files.items() if file.exists()] == ["a 3.flac", "a 4.flac", "young.flac"]
    assert run(machine, "prune-once", ACESTEP_PRUNE_MAX_GB="1", ACESTEP_PRUNE_KEEP_MIN="75").returncode == 0
    assert [name for name, file in files.items() if file.exists()] == ["a 4.flac", "young.flac"]


def test_a_folder_inside_another_is_counted_once(machine: Path) -> None:
    """The community image keeps its temporary folder inside its outputs."""
    place = machine / "outputs" / "tmp" / "api_audio"
    files = [audio(place, f"{n}.flac", age_s=3600, size=1_000_000_000) for n in range(3)]
    inside = {"ACESTEP_TMPDIR": str(machine / "outputs" / "tmp"), "ACESTEP_PRUNE_MAX_GB": "3"}
    assert run(machine, "prune-once", **inside).returncode == 0
    assert all(file.exists() for file in files)
    assert run(machine, "prune-once", **inside | {"ACESTEP_PRUNE_MAX_GB": "1"}).returncode == 0
    assert sum(file.exists() for file in files) == 1


def test_folders_that_are_not_there_are_no_error(machine: Path) -> None:
    result = run(machine, "prune-once")
    assert (result.returncode, result.stderr) == (0, "")


def test_the_defaults_that_it_states_are_those_that_it_uses() -> None:
    script = SCRIPT.read_text(encoding="utf-8")
    stated = dict(re.findall(r"^#   (ACESTEP_PRUNE_\w+) .*\[(\d+)\]$", script, re.MULTILINE))
    used = dict(re.findall(r"whole_number (ACESTEP_PRUNE_\w+) (\d+)", script))
    assert stated == used
    assert len(used) == 4
