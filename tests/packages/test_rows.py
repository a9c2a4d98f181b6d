"""The rows of a release as packages read them, and which of them a venue may play."""

from __future__ import annotations

import duckdb
import pytest

from ace_assets import shipped, tables
from ace_assets.packages.rows import PackageTrack, brand_allowed, cell_allowed, duplicate_groups, select
from tests.packages.support import frame, release, row, venue


def test_the_shipped_query_gives_the_columns_that_packages_need_in_their_order() -> None:
    ddl = (shipped.path("sql") / "tables" / "10_all_tracks.sql").read_text()
    create = ddl[ddl.index("CREATE TABLE") : ddl.index(");") + 2]
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(create)
        connection.execute("CREATE VIEW tracks AS SELECT * FROM all_tracks")
        found = connection.sql((shipped.path("sql") / "package_tracks.sql").read_text()).pl()
    wanted = tables.polars_schema(PackageTrack)
    assert found.columns == list(wanted)
    for name, kind in wanted.items():
        assert found.schema[name] == kind, name


def test_near_duplicates_of_near_duplicates_are_one_group() -> None:
    rows = [
        row(1),
        row(2, duplicate_of="take-000001"),
        row(3, duplicate_of="take-000002"),
        row(4),
        row(5, duplicate_of="take-999999"),
        row(6, duplicate_of="take-999999"),
    ]
    groups = duplicate_groups(frame(rows))
    assert groups[0] == groups[1] == groups[2]
    assert groups[4] == groups[5]
    assert len(set(groups)) == 3


@pytest.mark.parametrize(
    ("brand", "include", "exclude", "allowed"),
    [
        ("", [], [], True),
        ("a", [], ["a"], False),
        ("a", ["a", "b"], [], True),
        ("c", ["a", "b"], [], False),
        ("", ["a"], [], False),
        ("a", ["a"], ["a"], False),
    ],
)
def test_brand_lists(brand: str, include: list[str], exclude: list[str], allowed: bool) -> None:
    assert brand_allowed(venue(brand=brand), include, exclude) is allowed


def test_a_venues_own_cell_lists_take_globs() -> None:
    place = venue(cells_include=["lobby.jazz.*", "lobby.*.night.*"], cells_exclude=["*.sad"])
    assert cell_allowed(place, "lobby.jazz.day.warm")
    assert cell_allowed(place, "lobby.bossa.night.warm")
    assert not cell_allowed(place, "lobby.bossa.day.warm")
    assert not cell_allowed(place, "lobby.jazz.day.sad")


def test_unknown_brand_lists_of_cells_outside_the_plan_forbid_nothing() -> None:
    chosen = select(release([row(1, brand_include=None, brand_exclude=None, energy=None)]), venue())
    assert chosen.frame.height == 1
