"""What a user can get wrong: one clear line with the thing, the value, what was expected, what to do."""

from __future__ import annotations

import http.server
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lineage.support import HEADER, column, command, environment, row_of, small_config, write_matrix


def refused(tmp_path: Path, *arguments: str, config: Path, **env: str) -> str:
    """Run a command that must fail, and return its one line of error."""
    found = command(*arguments, env=environment(tmp_path / "data", config, **env))
    assert found.returncode == 1, found.stdout + found.stderr
    everything = found.stdout + found.stderr
    assert "Traceback" not in everything
    lines = [line for line in found.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, found.stderr
    assert not list((tmp_path / "data").glob("takes/*/*"))
    return lines[0]


def drop_column(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    cut = column("energy")
    path.write_text("\n".join(",".join(f for i, f in enumerate(line.split(",")) if i != cut) for line in lines))


def with_row(**changes: object) -> Callable[[Path], None]:
    return lambda path: write_matrix(path.parent, [row_of("lobby", **changes), row_of("spa")]) and None


MATRICES = {
    "a missing column": (drop_column, ["energy"]),
    "a wrong type": (with_row(energy="high"), ["row 2", "energy", "high"]),
    "a duplicate cell": (
        lambda path: write_matrix(path.parent, [row_of("lobby"), row_of("lobby")]) and None, ["row 3", "lobby"],
    ),
    "an unknown zone": (with_row(zone="lift"), ["row 2", "zone", "lift"]),
    "text that is not UTF-8": (
        lambda path: path.write_bytes(path.read_bytes().replace(b"warm", "wärm".encode("latin-1"))) and None, ["UTF-8"],
    ),
    "an empty file": (lambda path: path.write_bytes(b"") and None, ["genre_matrix.csv", "empty"]),
    "a spreadsheet": (
        lambda path: path.write_bytes(b"PK\x03\x04[Content_Types].xml xl/workbook.xml") and None, ["Excel", "CSV"],
    ),
    "bpm 300": (with_row(bpm_max=300), ["row 2", "bpm_max", "300"]),
    "an unknown key": (with_row(keys="H minor"), ["row 2", "keys", "H minor"]),
    "an artist's name": (with_row(texture="like Norah Jones"), ["row 2", "texture", "Norah Jones"]),
}  # fmt: skip


@pytest.mark.parametrize("name", MATRICES)
def test_a_bad_matrix_is_refused_with_place_value_and_remedy(tmp_path: Path, name: str) -> None:
    config = small_config(tmp_path / "config")
    spoil, words = MATRICES[name]
    spoil(config / "genre_matrix.csv")
    found = command("matrix", "check", env=environment(tmp_path / "data", config))
    assert found.returncode == 1, found.stdout + found.stderr
    assert "Traceback" not in found.stdout + found.stderr
    line = next(line for line in found.stdout.splitlines() if line.startswith("error"))
    for word in words:
        assert word in line, line
    assert ";" in line  # what to do


def test_a_run_with_a_bad_matrix_stops_before_anything_is_spent(tmp_path: Path) -> None:
    config = small_config(tmp_path / "config")
    drop_column(config / "genre_matrix.csv")
    line = refused(tmp_path, "run", config=config)
    assert "energy" in line
    assert "genre_matrix.csv" in line


def test_no_server_at_the_url_is_said_at_once(tmp_path: Path) -> None:
    line = refused(tmp_path, "run", "--servers", "http://127.0.0.1:9", config=small_config(tmp_path / "config"))
    assert "127.0.0.1:9" in line


@pytest.fixture
def web_page() -> Iterator[str]:
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<html><body>It works!</body></html>"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_server_that_answers_something_else_is_named(tmp_path: Path, web_page: str) -> None:
    line = refused(tmp_path, "run", "--servers", web_page, config=small_config(tmp_path / "config"))
    assert "It works!" in line
    assert web_page.rsplit(":", 1)[1] in line


def test_a_data_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file, not a folder")
    config = small_config(tmp_path / "config")
    found = command("run", env=environment(tmp_path / "data", config, DAGSTER_HOME=str(tmp_path / "home")))
    assert found.returncode == 1
    assert "Traceback" not in found.stdout + found.stderr
    assert found.stderr.startswith("error: ")
    assert str(tmp_path / "data") in found.stderr


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MB of its own; skipped where mounting is not allowed, which is a failure where nothing may be skipped."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)], capture_output=True, check=False
    ).returncode == 0  # fmt: skip
    if not mounted:
        assert os.environ.get("ACE_REQUIRE_ALL") != "1", "a small disk could not be mounted"
        pytest.skip("a small disk needs the right to mount one")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=False)


@pytest.mark.timeout(300)
def test_a_full_disk_loses_nothing_and_the_next_run_goes_on(tmp_path: Path, small_disk: Path) -> None:
    config = small_config(tmp_path / "config", tracks=2, cells=1)
    env = environment(small_disk / "data", config, DAGSTER_HOME=str(tmp_path / "home"))
    found = command("run", env=env)
    assert found.returncode == 1, found.stdout
    assert "Traceback" not in found.stdout + found.stderr
    assert "space" in found.stderr, found.stderr
    kept = {path: path.stat().st_mtime_ns for path in (small_disk / "data").glob("takes/*/*.flac")}
    subprocess.run(["mount", "-o", "remount,size=900m", str(small_disk)], check=True)
    again = command("run", env=env)
    assert again.returncode == 0, again.stdout + again.stderr
    assert all(path.stat().st_mtime_ns == moment for path, moment in kept.items() if path.exists())


def test_the_header_of_the_shipped_matrix_is_what_these_tests_think() -> None:
    assert {"energy", "zone", "bpm_max", "keys", "texture"} <= set(HEADER)
