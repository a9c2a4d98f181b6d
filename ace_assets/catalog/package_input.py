"""What packages are made from: the rows of the release that readers see, as `sql/package_tracks.sql` selects them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import duckdb
import polars as pl

from ace_assets import shipped
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
    release_id = store.current_release_id()
    if release_id is None:
        raise CatalogError("catalog", value="no release yet", expected="one", remedy="materialize catalog first")
    query = (shipped.path("sql") / "package_tracks.sql").read_text(encoding="utf-8")
    with store.release_database(release_id) as path, duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        frame = connection.sql(query).pl()
        cells = connection.sql("SELECT cell, zone, genre, daypart FROM cells ORDER BY cell").pl()
        moment = connection.execute("SELECT built_at FROM releases WHERE release_id = ?", [release_id]).fetchone()
    if moment is None or moment[0] is None:
        raise CatalogError(
            f"release {release_id}", value="no date", expected="its row in the table releases", remedy="build it again"
        )
    return PackageInput(frame, cells, release_id, moment[0].astimezone(dt.UTC))
