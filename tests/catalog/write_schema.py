"""Write sql/SCHEMA.md from the SQL files: run it after changing them."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ace_assets import shipped
from ace_assets.catalog.build import build_release
from ace_assets.catalog.query import open_release
from ace_assets.catalog.schema_text import describe
from ace_assets.store import Store


def schema_of_an_empty_store() -> str:
    """Return the schema of a release that was built from nothing."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(folder)
        build_release(store, reason="schema")
        with open_release(store) as (connection, _):
            return describe(connection)


if __name__ == "__main__":
    target: Path = shipped.path("sql") / "SCHEMA.md"
    target.write_text(schema_of_an_empty_store(), encoding="utf-8")
