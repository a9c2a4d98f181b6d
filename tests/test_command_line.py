"""The commands that the README names exist, answer --help at once, and say in one line what is wrong with a call."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ace_assets import shipped
from ace_assets.cli import app
from tests.lineage.support import command, environment
from tests.signals import music

README = (shipped.CHECKOUT_DIR / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    ("run",), ("status",), ("plan",), ("rerun-failed",), ("recover",), ("matrix", "check"), ("init",), ("estimate",),
    ("servers", "probe"), ("analyze",), ("master",), ("duplicates",), ("sql",), ("ask",), ("catalog", "pull"),
    ("retire",), ("restore",), ("review", "import"), ("package", "verify"), ("package", "deliver"), ("preview", "serve"),
]  # fmt: skip


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(words: tuple[str, ...]) -> None:
    found = CliRunner().invoke(app, [*words, "--help"])
    assert found.exit_code == 0, found.output
    assert "Usage" in found.output


def test_the_readme_names_every_command() -> None:
    table = README.split("## Commands")[1].split("## ")[0]
    for words in COMMANDS:
        assert words[-1] in table, words


def test_the_readme_opens_only_files_that_exist() -> None:
    table = README.split("## To change X, open Y")[1].split("## ")[0]
    places = [place for place in re.findall(r"`([\w./]+)`", table) if "/" in place]
    assert places
    for place in places:
        inside = shipped.PACKAGE_DIR / place if place.startswith("config/") else shipped.CHECKOUT_DIR / place
        assert inside.exists(), place


def test_an_unknown_campaign_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    found = command("plan", "--campaign", "frist_test", env=environment(tmp_path / "data"))
    assert found.returncode == 1
    assert found.stderr.startswith("error: campaign: frist_test, expected one of first_test")
    assert "Traceback" not in found.stderr


def test_a_query_without_a_catalog_says_what_to_run(tmp_path: Path) -> None:
    found = command("sql", "select 1", env=environment(tmp_path / "data"))
    assert found.returncode == 1
    assert found.stderr.startswith("error: no catalog")
    assert "ace-assets run" in found.stderr


def test_analyze_gives_every_file_its_result_or_its_error(tmp_path: Path) -> None:
    import soundfile as sf

    sf.write(tmp_path / "good.wav", music(20.0), 48_000)
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.mp3").write_text("not music")
    names = ["empty.wav", "good.wav", "text.mp3", "missing.flac"]
    found = command("analyze", "--json", *(str(tmp_path / name) for name in names), env=environment(tmp_path / "data"))
    assert found.returncode == 1
    rows = [json.loads(line) for line in found.stdout.splitlines()]
    assert [Path(row["path"]).name for row in rows] == ["good.wav"]
    assert {"integrated_loudness_lufs", "true_peak_dbtp", "tempo_match", "gate_failures", "fit_failures"} <= set(
        rows[0]
    )
    errors = [line for line in found.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 3
    assert "Traceback" not in found.stderr


def test_the_price_of_every_campaign_is_told(tmp_path: Path) -> None:
    found = command("estimate", "--json", env=environment(tmp_path / "data"))
    assert found.returncode == 0, found.stderr
    names = set(re.findall(r"first_test|quality_eval|small_batch|full_catalog", found.stdout))
    assert len(names) == 4
