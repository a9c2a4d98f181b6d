from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from ace_assets.errors import ServerError
from ace_assets.preview.process import running_preview
from tests.preview.client import Client


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until_gone(pid: int, within_s: float = 10.0) -> bool:
    deadline = time.monotonic() + within_s
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not is_alive(pid)


def test_a_server_runs_on_a_free_loopback_port_and_ends_with_its_context(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "preview.log"
    with running_preview(faults="synthetic", log_path=log) as server, Client(server.url) as client:
        assert server.url.startswith("http://127.0.0.1:")
        assert client.http.get("/health").status_code == 200
        file = client.take()[1][0]["file"]
        assert log.exists()
    assert wait_until_gone(server.pid)
    assert not Path(httpx.URL(f"http://x{file}").params["path"]).exists()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.url}/health", trust_env=False)


def test_a_server_ends_when_the_body_of_its_context_fails() -> None:
    with pytest.raises(RuntimeError, match="boom"), running_preview(faults="synthetic") as server:
        raise RuntimeError("boom")
    assert wait_until_gone(server.pid)


def test_a_server_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    program = (
        "import time\nfrom ace_assets.preview.process import running_preview\n"
        "with running_preview(faults='synthetic') as server:\n    print(server.pid, flush=True)\n    time.sleep(60)\n"
    )
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment)
    assert parent.stdout
    with parent.stdout as output:
        pid = int(output.readline())
    parent.send_signal(signal.SIGKILL)
    parent.wait(10)
    assert wait_until_gone(pid)
    assert not list(tmp_path.glob("*/data"))


def test_a_folder_that_is_kept_survives_a_kill_with_its_finished_jobs(tmp_path: Path) -> None:
    with running_preview(faults="synthetic", folder=tmp_path) as server, Client(server.url) as client:
        done = client.release()
        client.wait(done)
        client.faults("synthetic,service_s=30")
        running = client.release(seed=2)
        time.sleep(0.3)
        waiting = client.release(seed=3)
        server.process.kill()
        server.process.wait()
    with running_preview(faults="synthetic", folder=tmp_path) as server, Client(server.url) as client:
        entries = client.query(done, running, waiting)
        assert [entry["status"] for entry in entries] == [1, 0, 0]
        assert entries[1]["result"] != "[]"
        assert entries[2]["result"] == "[]"
        _, items = client.wait(done)
        assert client.http.get(items[0]["file"]).status_code == 200


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="one of http429") as error, running_preview(faults="nonsense=1"):
        pass
    assert "Traceback" not in str(error.value)
    log = tmp_path / "log"
    with (
        running_preview(faults="synthetic") as first,
        pytest.raises(ServerError, match="free port"),
        running_preview(faults="synthetic", port=int(first.url.rsplit(":", 1)[1]), log_path=log),
    ):
        pass
    assert "Traceback" not in log.read_text()


def test_die_after_ends_the_process_for_good() -> None:
    with running_preview(faults="synthetic,die_after=2") as server, Client(server.url) as client:
        client.take()
        client.release(seed=6)
        assert server.process.wait(10) == 70


def test_the_key_is_in_no_argument_list() -> None:
    with running_preview(faults="synthetic", api_key="sk-very-secret") as server, Client(server.url) as client:
        assert b"sk-very-secret" not in Path(f"/proc/{server.pid}/cmdline").read_bytes()
        assert client.http.get("/v1/stats").status_code == 401
        assert "sk-very-secret" not in server.log_path.read_text()


def test_old_audio_is_deleted_beyond_the_limit(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [
            sys.executable, "-m", "ace_assets.preview", "--port", "0", "--faults", "synthetic", "--folder",
            str(tmp_path), "--most-audio-bytes", "3000000",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert process.stdout
    with process.stdout as output:
        url = output.readline().strip()
    with Client(url) as client:
        first = client.take(seed=0, audio_format="wav")[1][0]["file"]
        last = client.take(seed=1, audio_format="wav")[1][0]["file"]
        assert client.http.get(first).status_code == 404
        assert client.http.get(last).status_code == 200
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert tmp_path.exists()
