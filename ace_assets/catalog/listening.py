"""The listening page: one offline page on which a person hears every kept track and says keep, reject or unsure.

What belongs here: the page and what it is given. What does not: recording the verdicts (`verdicts`). The audio is linked,
not copied: the page lies beside `masters/`. Verdicts stay in the browser until they are downloaded as CSV.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from typing import Any

import duckdb
import numpy as np
import polars as pl

from ace_assets import shipped, tables
from ace_assets.catalog import page_text
from ace_assets.catalog.query import open_release
from ace_assets.catalog.snapshot import Snapshot, read_files, take, verify_deeply
from ace_assets.store import Store

WAVEFORM_BARS = 100
MOST_TRACKS = 20_000  # beyond this a browser gets slow; the page says what it leaves out


def write_listening_page(store: Store, snapshot: Snapshot | None = None, *, most_tracks: int = MOST_TRACKS) -> str:
    """Write the page of the current release beside the masters and return where it is.

    On S3 the page links to objects that a browser may not be allowed to read: open it from a local mirror.

    Args:
        store: whose current release.
        snapshot: the manifests that the release was built from, where they are at hand.
        most_tracks: further tracks are left out, and counted on the page.

    Raises:
        CatalogError: there is no catalog yet.
    """
    sql = (shipped.path("sql") / "listening.sql").read_text(encoding="utf-8")
    with open_release(store) as (connection, release_id):
        tracks = pl.DataFrame(connection.sql(sql).pl())
    if snapshot is not None:
        waves = _waveforms(snapshot)
    else:
        with store.scratch() as folder:
            pinned = take(store, folder)
            try:
                waves = _waveforms(pinned)
            except duckdb.Error:
                verify_deeply(pinned)
                waves = _waveforms(pinned)
    rows = page_rows(store, tracks.head(most_tracks), waves)
    left_out = max(0, tracks.height - most_tracks)
    text = page(rows, release_id=release_id, store_name=store.uri, left_out=left_out)
    return store.publish_listening_page(text.encode())


def _waveforms(snapshot: Snapshot) -> dict[str, bytes | None]:
    with duckdb.connect() as connection:
        files = read_files(snapshot.files[tables.Masters.TABLE])
        return dict(connection.execute(f"SELECT track_id, waveform FROM {files}").fetchall())  # noqa: S608


def page_rows(store: Store, tracks: pl.DataFrame, waves: dict[str, bytes | None]) -> list[dict[str, Any]]:
    """Return what the page is given of every track; the waveform as base64 of 100 heights of 0 to 255."""
    rows = []
    for row in tracks.iter_rows(named=True):
        audio = store.master_link(row.pop("master_id"), "mp3" if row.pop("has_mp3") else "flac")
        wave = waves.get(row["track_id"])
        rows.append({**row, "audio": audio, "wave": waveform_heights(wave) if wave else ""})
    return rows


def waveform_heights(wave: bytes) -> str:
    """Return a stored waveform (signed bytes, minimum and maximum in turn) as base64 of 100 heights.

    >>> base64.b64decode(waveform_heights(bytes([129, 127] * 400)))[0]
    255
    """
    extremes = np.abs(np.frombuffer(wave, np.int8).astype(np.int16)).reshape(-1, 2).max(axis=1)
    edges = np.arange(WAVEFORM_BARS) * len(extremes) // WAVEFORM_BARS
    heights = np.maximum.reduceat(extremes, edges)
    return base64.b64encode(np.minimum(heights * 255 // 127, 255).astype(np.uint8).tobytes()).decode()


def page(rows: list[dict[str, Any]], *, release_id: str, store_name: str, left_out: int = 0) -> str:
    """Return the page.

    Args:
        rows: the tracks, cell by cell (`page_rows`).
        release_id: the release that they come from.
        store_name: tells the browser which verdicts belong together.
        left_out: tracks that are not on the page.
    """
    previews = sum(bool(row["preview"]) for row in rows)
    banners = []
    if previews:
        banners.append(
            f"{previews:,} of {len(rows):,} tracks were made by the preview engine, not by ACE-Step: never for a venue."
        )
    if left_out:
        banners.append(f"{left_out:,} further tracks are not on this page.")
    data = {
        "release_id": release_id,
        "key": "ace-assets-verdicts-" + hashlib.sha256(store_name.encode()).hexdigest()[:12],
        "tracks": rows,
    }
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=str).replace("<", "\\u003c")
    return page_text.LISTENING.format(
        release=html.escape(release_id),
        banner="".join(f"<p class=banner>{html.escape(line)}</p>" for line in banners),
        style=page_text.LISTENING_STYLE,
        data=text,
        script=page_text.LISTENING_SCRIPT,
    )
