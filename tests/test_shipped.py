"""Where the files that ship with the package are found."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest

from ace_assets import shipped
from ace_assets.errors import ConfigError


@pytest.mark.parametrize("name", sorted(shipped.INSIDE_PACKAGE | shipped.BESIDE_PACKAGE))
def test_every_shipped_name_is_there_in_a_checkout(name: str) -> None:
    assert shipped.path(name).exists()


def test_a_wheels_own_copy_wins_over_what_lies_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "_data" / "sql").mkdir(parents=True)
    (tmp_path / "beside" / "sql").mkdir(parents=True)
    monkeypatch.setattr(shipped, "WHEEL_DATA_DIR", tmp_path / "_data")
    monkeypatch.setattr(shipped, "CHECKOUT_DIR", tmp_path / "beside")
    assert shipped.path("sql") == tmp_path / "_data" / "sql"


def test_an_unknown_name_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ConfigError, match=r"shipped file: tiers, expected one of .*gpu.*sql"):
        shipped.path("tiers")


def test_an_incomplete_installation_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "WHEEL_DATA_DIR", tmp_path)
    monkeypatch.setattr(shipped, "CHECKOUT_DIR", tmp_path)
    with pytest.raises(ConfigError, match="install ace-assets again"):
        shipped.path("gpu")


def test_the_wheel_takes_every_tracked_file_of_gpu_and_dagster_home_and_no_whole_folder_of_them() -> None:
    """A folder would bring along what git ignores in it: the key in gpu/.env, the databases of dagster_home/."""
    pyproject = tomllib.loads((shipped.CHECKOUT_DIR / "pyproject.toml").read_text(encoding="utf-8"))
    taken = pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    listed = {name for name in taken if name.startswith(("gpu", "dagster_home"))}
    tracked = subprocess.run(
        ["git", "ls-files", "gpu", "dagster_home"],
        cwd=shipped.CHECKOUT_DIR,
        capture_output=True,
        text=True,
        check=False,
    )
    if tracked.returncode != 0:
        pytest.skip("not a git checkout")
    pictures = "dagster_home/pictures/"  # of the README: a wheel's user sees them there
    assert listed == {
        name for name in tracked.stdout.split() if not name.endswith(".keep") and not name.startswith(pictures)
    }
    assert all(target == f"ace_assets/_data/{name}" for name, target in taken.items())
