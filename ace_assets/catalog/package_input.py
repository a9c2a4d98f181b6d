"""What packages are made from: the rows of the release that readers see, as `sql/package_tracks.sql` selects them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import polars as pl

from ace_assets import shipped
from ace_assets.catalog import query
from ace_assets.errors import CatalogError
from ace_assets.store import Store


@dataclass(frozen=True)
class PackageInput:
    """The tracks, the cells, and which release they come from."""

    frame: pl.DataFrame
    cells: pl.DataFrame
    release_id: str
    released_at: dt.datetime


def release_rows(store: Store) -> PackageInput:
    """Return the tracks of the current release.

    Raises:
        CatalogError: there is no release yet.
    """
    query_text = (shipped.path("sql") / "package_tracks.sql").read_text(encoding="utf-8")
    with query.open_release(store) as (connection, release_id):
        frame = connection.sql(query_text).pl()
        cells = connection.sql("SELECT cell, zone, genre, daypart FROM cells ORDER BY cell").pl()
        built = connection.execute("SELECT built_at FROM releases WHERE release_id = ?", [release_id]).fetchall()
    if not built:
        raise CatalogError(
            f"release {release_id}", value="no date", expected="its row in releases", remedy="build it again"
        )
    return PackageInput(frame, cells, release_id, built[0][0].astimezone(dt.UTC))
