"""The floors of the house: imports point down, no stage knows Dagster, the definitions fit a screen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ace_assets import definitions, shipped


def test_imports_point_down_and_no_stage_knows_dagster() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    found = subprocess.run([program], cwd=shipped.CHECKOUT_DIR, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


def test_the_definitions_fit_a_screen_and_load() -> None:
    text = Path(definitions.__file__).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 45
    names = {key.to_user_string() for key in definitions.defs.resolve_all_asset_keys()}
    assert {"genre_matrix", "prompt_table", "generated_audio", "take_scores", "masters", "catalog"} < names
