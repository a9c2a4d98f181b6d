"""Stored tables of every version that ever was: kept for good, and readable for good.

A change of a table's columns bumps its VERSION, adds an upgrade function to `tables.UPGRADES`, and adds a file here.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ace_assets import tables

KEPT = sorted((Path(__file__).parent / "kept_manifests").glob("*.parquet"))
BY_NAME = {table.TABLE: table for table in tables.ALL_TABLES}


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_a_table_of_any_version_can_be_read(path: Path) -> None:
    name, _, version = path.stem.rpartition("-v")
    data = path.read_bytes()
    assert tables.header_of(data, name=path.name)["version"] == int(version)
    frame, _ = tables.from_parquet(BY_NAME[name], data, name=path.name)
    assert frame.height > 0
    assert dict(frame.schema) == tables.polars_schema(BY_NAME[name])


def test_the_present_version_of_every_table_is_kept() -> None:
    wanted = {f"{table.TABLE}-v{table.VERSION}" for table in tables.ALL_TABLES}
    assert wanted <= {path.stem for path in KEPT}, "keep a file of the new version before it is used"
