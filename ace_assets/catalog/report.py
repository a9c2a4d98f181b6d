"""The report of a release: one self-contained page."""

from __future__ import annotations

import html

import duckdb


def render(connection: duckdb.DuckDBPyConnection) -> str:
    """Return the page of the release that the connection has in use."""
    rows = connection.execute(
        "SELECT zone, sum(exportable_tracks)::BIGINT FROM coverage GROUP BY zone ORDER BY zone"
    ).fetchall()
    items = "".join(f"<li>{html.escape(str(zone))}: {tracks} exportable tracks</li>" for zone, tracks in rows)
    return f"<!doctype html><meta charset='utf-8'><title>Catalog</title><ul>{items}</ul>"
