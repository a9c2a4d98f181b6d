"""Small pictures and tables for the Dagster UI. They live in the event log, so they stay at a KB or so.

Pictures are PNGs of four colours, drawn here: a plotting library would cost each worker 30 MB and half a second.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import dagster as dg
import numpy as np
import polars as pl

from ace_assets import tables

NOTHING, INK, PALE, RED = range(4)
PALETTE = bytes.fromhex("ffffff4f46e5a5b4fcdc2626")
TRANSPARENT = bytes([0, 255, 255, 255])
WAVEFORM_WIDTH_PX, WAVEFORM_HEIGHT_PX = 200, 31
LOUDNESS_HEIGHT_PX, LOUDNESS_WIDTH_PX = 61, 240
LOUDNESS_SPAN_LU = 4.0  # the picture shows the target plus and minus half of it


def _as_markdown(pixels: Any, alt: str) -> str:
    return f"![{alt}](data:image/png;base64,{base64.b64encode(_png(pixels)).decode()})"


def _png(pixels: Any) -> bytes:
    """Encode colour numbers 0 to 3, `(height, width)`, as a PNG with a palette (PNG specification, 11.2)."""
    height, width = pixels.shape
    quads = np.pad(pixels, ((0, 0), (0, -width % 4))).reshape(height, -1, 4).astype(np.uint8)
    packed = (quads << np.array([6, 4, 2, 0], np.uint8)).sum(axis=2, dtype=np.uint8)
    lines = np.pad(packed, ((0, 0), (1, 0))).tobytes()  # filter type 0 before each line
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 2, 3, 0, 0, 0)),
        (b"PLTE", PALETTE),
        (b"tRNS", TRANSPARENT),
    ]
    parts += [(b"IDAT", zlib.compress(lines, 9)), (b"IEND", b"")]
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def waveforms(masters: pl.DataFrame, *, most: int = 2) -> dg.MarkdownMetadataValue:
    """Return the waveforms of the first few tracks as pictures, each below its name."""
    shown = masters.filter(pl.col("waveform").is_not_null()).head(most)
    parts = []
    for track_id, title, waveform in shown.select("track_id", "title", "waveform").iter_rows():
        extremes = np.frombuffer(waveform, np.int8).reshape(-1, 2).astype(np.float64) / 127
        rows = np.linspace(1, -1, WAVEFORM_HEIGHT_PX)[:, None]
        parts_of_it = np.array_split(extremes, min(WAVEFORM_WIDTH_PX, len(extremes)))
        low, high = np.array([(part.min(), part.max()) for part in parts_of_it]).T
        pixels = np.where((rows >= low) & (rows <= high), INK, NOTHING)
        pixels[WAVEFORM_HEIGHT_PX // 2] = INK
        parts.append(f"{track_id}  {title}\n\n{_as_markdown(pixels, 'waveform')}")
    return dg.MetadataValue.md("\n\n".join(parts) or "no track yet")


def loudness(masters: pl.DataFrame) -> dg.MarkdownMetadataValue:
    """Return the tracks' loudness against their target as a picture: a dot per track, red where it is out of sight."""
    if not masters.height:
        return dg.MetadataValue.md("no track yet")
    target_lufs = float(masters["target_lufs"][0])
    values = masters["integrated_loudness_lufs"].to_numpy()
    pixels = np.full((LOUDNESS_HEIGHT_PX, LOUDNESS_WIDTH_PX), NOTHING)
    middle = LOUDNESS_HEIGHT_PX // 2
    pixels[middle] = PALE
    columns = np.linspace(3, LOUDNESS_WIDTH_PX - 4, len(values)).round().astype(int)
    for column, off_lu in zip(columns, values - target_lufs, strict=True):
        row = middle - round(off_lu / LOUDNESS_SPAN_LU * (LOUDNESS_HEIGHT_PX - 1))
        inside = min(max(row, 1), LOUDNESS_HEIGHT_PX - 2)
        pixels[inside - 1 : inside + 2, column - 1 : column + 2] = INK if row == inside else RED
    caption = (
        f"{values.min():.2f} to {values.max():.2f} LUFS; the line is the target, {target_lufs:.1f} LUFS, "
        f"the height {LOUDNESS_SPAN_LU:g} LU"
    )
    return dg.MetadataValue.md(f"{_as_markdown(pixels, 'integrated loudness per track')}\n\n{caption}")


def markdown_table(frame: pl.DataFrame, columns: Sequence[str], *, most: int = 25) -> dg.MarkdownMetadataValue:
    """Return some columns of a frame as a markdown table."""

    def cell(value: object) -> str:
        text = f"{value:.2f}" if isinstance(value, float) else "" if value is None else str(value)
        return text.replace("|", "\\|").replace("\n", " ")[:160]

    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    shown = frame.select(columns).head(most)
    lines += ["| " + " | ".join(cell(value) for value in row) + " |" for row in shown.iter_rows()]
    if frame.height > most:
        lines.append(f"\n... and {frame.height - most} more")
    return dg.MetadataValue.md("\n".join(lines))


def column_schema(table: type[tables.Table]) -> dg.TableSchema:
    """Return a table's columns with their meanings, as Dagster shows them."""
    docs = tables.column_docs(table)
    return dg.TableSchema(
        columns=[
            dg.TableColumn(name, type=str(dtype), description=docs[name])
            for name, dtype in tables.polars_schema(table).items()
        ]
    )
