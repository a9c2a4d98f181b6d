"""The packages that a release knows of: what their manifests say, as rows.

Packages belong to `packages`; only their published `package.json` is read here.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import polars as pl

from ace_assets import tables
from ace_assets.store import Store

PACKAGES = {
    "venue": pl.String(),
    "package_id": pl.String(),
    "built_at": tables.UTC_TIME,
    "release_id": pl.String(),
    "tracks": pl.Int64(),
    "deliverable": pl.Boolean(),
    "is_current": pl.Boolean(),
}
PACKAGE_TRACKS = {"venue": pl.String(), "package_id": pl.String(), "track_id": pl.String()}
MANIFEST = "package.json"


def _time(text: object) -> dt.datetime | None:
    try:
        moment = dt.datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment.astimezone(dt.UTC) if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def package_frames(store: Store) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the packages and the tracks in them; a package whose manifest cannot be read is left out."""
    packages: list[dict[str, Any]] = []
    contents: list[dict[str, Any]] = []
    for venue, package_id in store.package_versions():
        data = store.package_file(venue, package_id, MANIFEST)
        try:
            manifest = json.loads(data or b"")
            track_ids = sorted({str(track["track_id"]) for track in manifest["tracks"]})
        except (ValueError, KeyError, TypeError):
            continue
        deliverable = manifest.get("deliverable")
        packages.append(
            {
                "venue": venue,
                "package_id": package_id,
                "built_at": _time(manifest.get("built_at") or manifest.get("released_at")),
                "release_id": manifest.get("release_id"),
                "tracks": len(track_ids),
                "deliverable": deliverable if isinstance(deliverable, bool) else None,
                "is_current": package_id == store.current_package_id(venue),
            }
        )
        contents.extend({"venue": venue, "package_id": package_id, "track_id": track_id} for track_id in track_ids)
    return pl.DataFrame(packages, PACKAGES), pl.DataFrame(contents, PACKAGE_TRACKS)
