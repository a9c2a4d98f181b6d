"""Whether anything changed that a release is made of, found by hashing what goes in instead of building what comes out.

What belongs here: the hash of everything that can change a release's content. What does not: comparing what came out
(`build`), which also sees that changed files say the same. Contents are hashed, never times or sizes alone: a file that
was restored within the same tick of the clock counts as changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import polars as pl

import ace_assets
from ace_assets import shipped, tables
from ace_assets.catalog.query import sha256_of
from ace_assets.catalog.snapshot import Snapshot
from ace_assets.store import Store


def manifests_id(store: Store, pinned: Snapshot, plan_files: Iterable[Path]) -> str:
    """Return a hash of the pinned tables, the plans and the code that reads them."""
    digest = hashlib.sha256(_code_id().encode())
    for path in plan_files:
        digest.update(f"\n{path.name} {sha256_of(path)}".encode())
    for plan_id, version in store.plan_versions():  # older ones tell of prompts that the present one has dropped
        digest.update(f"\nplan {plan_id} {version}".encode())
    for path, file in sorted(pinned.sources.items(), key=lambda item: (item[1].table, item[1].key)):
        digest.update(f"\n{file.table} {file.key} {sha256_of(path)}".encode())
    return digest.hexdigest()


def masters_id(master_files: pl.DataFrame) -> str:
    """Return a hash of which files of masters there are and how long they are, in whatever order they were found."""
    ordered = master_files.sort("master_id", "format")
    return hashlib.sha256(ordered.write_csv().encode()).hexdigest()


def _code_id() -> str:
    """Return a hash of the SQL, the code and the libraries between the store and a release."""
    digest = hashlib.sha256()
    package = Path(ace_assets.__file__).parent
    sources = [*(package / "catalog").glob("*.py"), package / "tables.py", shipped.path("gpu") / "prices.toml"]
    for path in sorted([*sources, *shipped.path("sql").rglob("*.sql")]):
        digest.update(f"\n{path.name} {sha256_of(path)}".encode())
    for library in ("duckdb", "polars", "pyarrow"):
        digest.update(f"\n{library} {metadata.version(library)}".encode())
    versions = sorted((table.TABLE, table.VERSION) for table in tables.Table.__subclasses__())
    digest.update(f"\n{versions} {sorted(tables.UPGRADES)}".encode())
    return digest.hexdigest()
