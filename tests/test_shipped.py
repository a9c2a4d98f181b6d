"""Where the files that ship with the package are found."""

from __future__ import annotations

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
