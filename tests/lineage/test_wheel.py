"""The wheel, alone in an empty environment, makes music; and nothing that it leaves behind holds the key or our paths."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from ace_assets import shipped
from ace_assets.packages.verify import verify
from ace_assets.preview.process import running_preview
from tests.lineage.support import environment, row_of, small_config

KEY = "sk-never-to-be-seen-4711"
TINY = {"duration_min_s": 15, "duration_max_s": 15, "target_tracks": 1, "takes_per_prompt": 2}


@dataclass(frozen=True)
class Installed:
    folder: Path
    program: Path
    wheel: Path
    init: subprocess.CompletedProcess[str]
    run: subprocess.CompletedProcess[str]

    @property
    def data(self) -> Path:
        return self.folder / "data"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(shipped.CHECKOUT_DIR)],
        check=True, capture_output=True,
    )  # fmt: skip
    wheel = next(folder.glob("*.whl"))
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    python = folder / "venv" / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--no-deps", str(wheel)], check=True, capture_output=True
    )
    # The dependencies are lent by this environment; a path in a .pth does not bring its own .pth files, so not the checkout.
    own = next((folder / "venv" / "lib").glob("python3*")) / "site-packages"
    (own / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    program = folder / "venv" / "bin" / "ace-assets"
    config = small_config(folder / "config", rows=[row_of("spa", **TINY)], tracks=1, cells=1)
    empty = folder / "empty"
    empty.mkdir()
    with running_preview(api_key=KEY) as preview:
        env = environment(folder / "data", config, HOME=str(empty), ACE_SERVERS=preview.url, ACESTEP_API_KEY=KEY)
        env.pop("PYTHONPATH", None)
        env["COLUMNS"] = "200"
        init = subprocess.run(
            [program, "init", str(folder / "edited")], env=env, cwd=empty, capture_output=True, text=True, check=False
        )
        run = subprocess.run(
            [program, "run"], env=env, cwd=empty, capture_output=True, text=True, timeout=240, check=False
        )
    return Installed(folder, program, wheel, init, run)


@pytest.mark.xdist_group("wheel")
@pytest.mark.timeout(420)
class TestWheel:
    def test_it_writes_the_files_that_people_edit(self, installed: Installed) -> None:
        assert installed.init.returncode == 0, installed.init.stderr
        names = {path.name for path in (installed.folder / "edited").iterdir()}
        assert {"genre_matrix.csv", "campaigns.toml", "venues.toml", "lexicon.toml"} <= names

    def test_it_makes_music_without_the_checkout(self, installed: Installed) -> None:
        assert installed.run.returncode == 0, installed.run.stdout + installed.run.stderr
        assert "1 of 1 tracks mastered" in installed.run.stdout
        assert verify(installed.data / "packages" / "spa-lotus").problems == ()

    def test_the_key_is_nowhere(self, installed: Installed) -> None:
        assert KEY not in installed.run.stdout + installed.run.stderr
        found = [path for path in files_of(installed.data, installed.folder / "dagster_home") if holds(path, KEY)]
        assert found == []

    def test_no_path_of_the_building_machine_is_in_tables_packages_or_the_wheel(self, installed: Installed) -> None:
        ours = str(shipped.CHECKOUT_DIR)
        folders = [installed.data / name for name in ("cells", "plans", "packages", "releases", "events", "runs")]
        assert [path for path in files_of(*folders) if holds(path, ours) or holds(path, str(installed.data))] == []
        with zipfile.ZipFile(installed.wheel) as archive:
            assert [name for name in archive.namelist() if ours.encode() in archive.read(name)] == []

    def test_nobody_sees_a_traceback(self, installed: Installed) -> None:
        assert "Traceback" not in installed.run.stdout + installed.run.stderr


def files_of(*folders: Path) -> list[Path]:
    return [Path(top, name) for folder in folders for top, _, names in os.walk(folder) for name in names]


def holds(path: Path, text: str) -> bool:
    return text.encode() in path.read_bytes()
