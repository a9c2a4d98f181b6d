"""Small pictures and tables for the Dagster UI. They live in the event log, so they stay at a few KB."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import dagster as dg
import numpy as np
import polars as pl

from ace_assets import tables

INK = "#4f46e5"
PALE = "#a5b4fc"


def _as_markdown(figure: Any, alt: str) -> dg.MarkdownMetadataValue:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=60, transparent=True)
    encoded = base64.b64encode(buffer.getvalue()).decode()
    return dg.MetadataValue.md(f"![{alt}](data:image/png;base64,{encoded})")


def waveforms(masters: pl.DataFrame, *, most: int = 3) -> dg.MarkdownMetadataValue:
    """Return the waveforms of the first few tracks as a picture."""
    from matplotlib.figure import Figure

    shown = masters.filter(pl.col("waveform").is_not_null()).head(most)
    figure = Figure(figsize=(6, 0.9 * max(1, shown.height)), layout="constrained")
    axes = figure.subplots(max(1, shown.height), 1, squeeze=False)[:, 0]
    for axis, (track_id, title, waveform) in zip(
        axes, shown.select("track_id", "title", "waveform").iter_rows(), strict=False
    ):
        extremes = np.frombuffer(waveform, np.int8).reshape(-1, 2) / 127
        axis.fill_between(np.arange(len(extremes)), extremes[:, 0], extremes[:, 1], color=INK, linewidth=0)
        axis.set_ylim(-1, 1)
        axis.set_title(f"{track_id}  {title}"[:70], fontsize=7, loc="left", color="gray")
    for axis in axes:
        axis.axis("off")
    return _as_markdown(figure, "waveforms")


def loudness(masters: pl.DataFrame) -> dg.MarkdownMetadataValue:
    """Return the tracks' loudness against their target as a picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 1.6), layout="constrained")
    axis = figure.subplots()
    if masters.height:
        values = masters["integrated_loudness_lufs"].to_numpy()
        axis.plot(np.arange(len(values)), values, "o", color=INK, markersize=3)
        axis.axhline(float(masters["target_lufs"][0]), color=PALE, linewidth=1)
    axis.set_ylabel("LUFS", fontsize=7, color="gray")
    axis.set_xticks([])
    axis.tick_params(labelsize=7, colors="gray")
    return _as_markdown(figure, "integrated loudness per track, with the target")


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
