"""The listening page: one offline page on which a person hears every kept track and says keep, reject or unsure.

What belongs here: the page and what it is given. What does not: recording the verdicts (`verdicts`). The audio is linked,
not copied: the page lies beside `masters/`. Verdicts stay in the browser until they are downloaded as CSV.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import duckdb
import numpy as np
import polars as pl

from ace_assets import shipped, tables
from ace_assets.catalog import page_text
from ace_assets.catalog.query import open_release
from ace_assets.catalog.snapshot import Snapshot, read_files, take, verify_deeply
from ace_assets.errors import CatalogError
from ace_assets.store import Store

WAVEFORM_BARS = 100
MOST_TRACKS = 20_000  # beyond this a browser gets slow
FEWER_TRACKS = 5_000  # of a catalog beyond that a page of everything shows the best, and says how to hear the others
EVERY_CELL = "*"


def write_listening_page(store: Store, *, cells: str = EVERY_CELL, most_tracks: int | None = None) -> str:
    """Write the page of the current release beside the masters and return where it is.

    On S3 the page links to objects that a browser may not be allowed to read: open it from a local mirror.

    Args:
        store: whose current release.
        cells: the cells to show, e.g. `lobby.*`; the page of some cells lies beside the page of all.
        most_tracks: further tracks are left out, and counted on the page (see `listening_page`).

    Raises:
        CatalogError: there is no catalog yet, or no kept track in these cells.
    """
    given: dict[str, Any] = {"cells": cells, "most_tracks": most_tracks}
    with open_release(store) as (connection, release_id), store.scratch() as folder:
        pinned = take(store, folder)
        if cells != EVERY_CELL and not _count_kept(connection, cells):
            raise CatalogError(
                "cells of the listening page",
                value=cells,
                expected="cells with kept tracks, e.g. 'lobby.*'",
                remedy="`ace-assets sql 'select cell, kept_tracks from coverage'` lists them",
            )
        try:
            text = listening_page(store, connection, pinned, release_id=release_id, **given)
        except duckdb.Error:
            verify_deeply(pinned)
            text = listening_page(store, connection, pinned, release_id=release_id, **given)
    some = "" if cells == EVERY_CELL else re.sub(r"[^a-z0-9.-]+", "_", cells.lower())
    return store.publish_listening_page(text.encode(), of=some)


def listening_page(
    store: Store,
    connection: duckdb.DuckDBPyConnection,
    snapshot: Snapshot,
    *,
    release_id: str,
    cells: str = EVERY_CELL,
    most_tracks: int | None = None,
) -> str:
    """Return the page of the release that a connection is in.

    Args:
        store: where the masters are.
        connection: open on the release.
        snapshot: the manifests, for the waveforms.
        release_id: the release's id.
        cells: the cells to show, e.g. `lobby.*`.
        most_tracks: the page keeps the best of every cell and counts what it leaves out; when not given, `MOST_TRACKS`,
            and `FEWER_TRACKS` where a page of every cell would leave some out.

    Raises:
        duckdb.Error: a manifest is damaged where the waveforms are.
    """
    sql = (shipped.path("sql") / "listening.sql").read_text(encoding="utf-8")
    kept = _count_kept(connection, cells)
    if most_tracks is None:
        most_tracks = FEWER_TRACKS if cells == EVERY_CELL and kept > MOST_TRACKS else MOST_TRACKS
    tracks = connection.sql(sql, params={"cells": cells, "most_tracks": most_tracks}).pl()
    rows = page_rows(store, tracks, _waveforms(snapshot, tracks))
    return page(rows, release_id=release_id, store_name=store.uri, left_out=kept - tracks.height)


def _count_kept(connection: duckdb.DuckDBPyConnection, cells: str) -> int:
    return int(connection.execute("SELECT count(*) FROM tracks WHERE cell GLOB ?", [cells]).fetchall()[0][0])


def _waveforms(snapshot: Snapshot, shown: pl.DataFrame) -> dict[str, bytes | None]:
    """Return the waveforms of the tracks shown: those of a big store would not fit in memory."""
    with duckdb.connect() as connection:
        connection.register("shown", shown.select("track_id").to_arrow())
        files = read_files(snapshot.files[tables.Masters.TABLE])
        sql = f"SELECT track_id, waveform FROM {files} SEMI JOIN shown USING (track_id)"  # noqa: S608
        return dict(connection.execute(sql).fetchall())


def page_rows(store: Store, tracks: pl.DataFrame, waves: dict[str, bytes | None]) -> list[dict[str, Any]]:
    """Return what the page is given of every track; the waveform as base64 of 100 heights of 0 to 255."""
    shown = [waves.get(track_id) for track_id in tracks["track_id"]]
    rows = []
    for row, wave in zip(tracks.iter_rows(named=True), waveform_heights(shown), strict=True):
        audio = store.master_link(row.pop("master_id"), "mp3" if row.pop("has_mp3") else "flac")
        rows.append({**row, "audio": audio, "wave": wave})
    return rows


def waveform_heights(waves: Sequence[bytes | None]) -> list[str]:
    """Return stored waveforms (signed bytes, minimum and maximum in turn) as base64 of 100 heights each; "" for none.

    >>> base64.b64decode(waveform_heights([bytes([129, 127] * 400)])[0])[0]
    255
    """
    texts = [""] * len(waves)
    places: dict[int, list[int]] = defaultdict(list)
    for place, wave in enumerate(waves):
        if wave:
            places[len(wave)].append(place)
    for same_length in places.values():  # those of one length at once: one by one, numpy's calls are most of the page
        stored = np.frombuffer(b"".join(waves[place] or b"" for place in same_length), np.int8)
        sizes = np.abs(stored.reshape(len(same_length), -1).astype(np.int16))
        extremes = np.maximum(sizes[:, 0::2], sizes[:, 1::2])
        edges = np.arange(WAVEFORM_BARS) * extremes.shape[1] // WAVEFORM_BARS
        heights = np.minimum(np.maximum.reduceat(extremes, edges, axis=1) * 255 // 127, 255).astype(np.uint8)
        for place, bars in zip(same_length, heights, strict=True):
            texts[place] = base64.b64encode(bars.tobytes()).decode()
    return texts


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
        banners.append(
            f"{left_out:,} further tracks are not on this page: it has the best of every cell. "
            "All of some cells: ace-assets review page --cells 'lobby.*.morning.*'"
        )
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
