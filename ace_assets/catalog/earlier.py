"""What a new release takes over from the one before it: the list of releases and what changed with each."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ace_assets.errors import AceAssetsError
from ace_assets.store import Store

CARRIED = ("releases", "release_changes", "tracks")


@dataclass(frozen=True)
class Earlier:
    """The newest earlier release that can be read; its id is None before the first."""

    release_id: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)


def earlier_release(store: Store, folder: Path) -> Earlier:
    """Return the newest earlier release whose files are whole, copied to `folder`."""
    for release_id in reversed(store.release_ids()):
        try:
            facts = store.release_json(release_id, "release.json")
            files = {}
            for name in CARRIED:
                target = folder / f"earlier-{name}.parquet"
                target.unlink(missing_ok=True)
                with store.release_file(release_id, f"{name}.parquet") as path:
                    target.write_bytes(path.read_bytes())
                pq.read_metadata(target)
                files[name] = target
        except (AceAssetsError, pa.ArrowException, OSError):
            continue
        if facts is not None:
            return Earlier(release_id, facts, files)
    return Earlier()
