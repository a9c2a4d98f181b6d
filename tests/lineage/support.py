"""A small matrix and campaign of short music, and the command line as a person runs it, in a process of its own."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import httpx

from ace_assets import shipped

HEADER, *ROWS = list(csv.reader((shipped.path("config") / "genre_matrix.csv").read_text(encoding="utf-8").splitlines()))


def column(name: str) -> int:
    return HEADER.index(name)


def row_of(of_zone: str, number: int = 0, /, **changes: object) -> list[str]:
    """Return the n-th row of a zone from the shipped matrix, with some columns changed."""
    row = list([row for row in ROWS if row[column("zone")] == of_zone][number])
    for name, value in changes.items():
        row[column(name)] = str(value)
    return row


def write_matrix(folder: Path, rows: list[list[str]]) -> Path:
    path = folder / "genre_matrix.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([HEADER, *rows])
    return path


SHORT = {"duration_min_s": 30, "duration_max_s": 32, "target_tracks": 2, "takes_per_prompt": 3}


def small_config(folder: Path, *, rows: list[list[str]] | None = None, tracks: int = 6, cells: int = 3) -> Path:
    """Write a config folder: one cell a zone, short music, a first_test of a few tracks."""
    folder.mkdir(parents=True, exist_ok=True)
    write_matrix(folder, rows if rows is not None else [row_of(zone, **SHORT) for zone in ("lobby", "retail", "spa")])
    text = (shipped.path("config") / "campaigns.toml").read_text(encoding="utf-8")
    before, after = "tracks = 20\ncells = 10", f"tracks = {tracks}\ncells = {cells}"
    assert before in text
    (folder / "campaigns.toml").write_text(text.replace(before, after), encoding="utf-8")
    return folder


def environment(data: Path, config: Path | None = None, **more: str) -> dict[str, str]:
    """Return the environment of a command: its own store, its own Dagster home, nothing of this machine's."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("ACE", "DAGSTER", "AWS"))}
    inherited.pop("PYTHONDONTWRITEBYTECODE", None)
    chosen = {"ACE_DATA_DIR": str(data), "DAGSTER_HOME": str(data.parent / "dagster_home")}
    if config is not None:
        chosen["ACE_CONFIG_DIR"] = str(config)
    return {**inherited, **chosen, **more}


def command(
    *arguments: str, env: dict[str, str], timeout: float = 240, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `ace-assets` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "ace_assets.cli", *arguments],
        env=env, capture_output=True, text=True, timeout=timeout, cwd=cwd, check=False,
    )  # fmt: skip


def started(*arguments: str, env: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start `ace-assets` in the background."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "ace_assets.cli", *arguments], env=env, stdout=output, stderr=output
        )


def stats(url: str) -> dict[str, object]:
    found: dict[str, object] = httpx.get(f"{url}/_preview/stats").json()
    return found


def rows_of(answer: subprocess.CompletedProcess[str]) -> list[dict[str, object]]:
    """Return the JSON lines that a command printed."""
    return [json.loads(line) for line in answer.stdout.splitlines() if line.startswith("{")]
