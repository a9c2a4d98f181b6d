"""The tables of a package: one row per track, as Parquet and CSV, and what changed since the last delivered package."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from ace_assets import tables
from ace_assets.packages.audio_files import AudioFile
from ace_assets.packages.names import safe_title
from ace_assets.packages.rows import PackageTrack
from ace_assets.packages.schedule import to_csv

AUDIO_FOLDER = "data/audio"
PACKAGE_FORMAT = 1  # of the folder as a whole; grows when a reader has to know


def track_rows(rows: Sequence[Mapping[str, Any]], files: Mapping[str, AudioFile]) -> list[dict[str, Any]]:
    """Return the package's own table: what the catalog says, with each file's name, hash, size and measured loudness.

    `integrated_loudness_lufs` and `true_peak_dbtp` are those of the delivered file; `fade_s` is the time from the
    outro's start to the place where a mix may leave.
    """
    found = []
    for row in rows:
        file = files[row["track_id"]]
        outro, out = row["outro_start_s"], row["cue_out_s"]
        found.append(
            {
                **{name: value for name, value in row.items() if name != "waveform"},
                "file": f"{AUDIO_FOLDER}/{file.name}",
                "file_sha256": file.sha256,
                "file_bytes": file.size_bytes,
                "integrated_loudness_lufs": file.integrated_loudness_lufs,
                "true_peak_dbtp": file.true_peak_dbtp,
                "fade_s": round(max(0.0, out - outro), 3) if outro is not None and out is not None else None,
            }
        )
    return found


def tracks_frame(tracks: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Return the package's table as a frame."""
    schema: dict[str, Any] = {
        name: dtype for name, dtype in tables.polars_schema(PackageTrack).items() if name != "waveform"
    }
    schema |= {"file": pl.String, "file_sha256": pl.String, "file_bytes": pl.Int64, "fade_s": pl.Float64}
    return pl.DataFrame(list(tracks), schema=schema, orient="row")


def tracks_parquet(tracks: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the package's table as Parquet."""
    buffer = io.BytesIO()
    tracks_frame(tracks).write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


CSV_COLUMNS = (
    "track_id", "file", "title", "zone", "genre", "daypart", "mood", "energy", "duration_s", "measured_bpm",
    "requested_bpm", "measured_key", "requested_key", "integrated_loudness_lufs", "true_peak_dbtp", "cue_in_s",
    "intro_end_s", "outro_start_s", "cue_out_s", "fade_s", "cell", "prompt_id", "take_id", "master_id", "model",
    "preview", "file_sha256", "file_bytes",
)  # fmt: skip


def tracks_csv(tracks: Sequence[Mapping[str, Any]]) -> str:
    """Return the package's table as CSV for people and players."""
    return to_csv(CSV_COLUMNS, ({**row, "title": safe_title(row["title"])} for row in tracks))


def changes_since(base: Mapping[str, Any] | None, tracks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what changed since the last delivered package, as JSON values.

    Args:
        base: what was recorded of that delivery (`package_id`, `tracks`: hash by track id); None for the first.
        tracks: the package's table.
    """
    before: Mapping[str, str] = dict(base["tracks"]) if base else {}
    now = {row["track_id"]: row["file_sha256"] for row in tracks}
    return {
        "base_package_id": base["package_id"] if base else None,
        "added": sorted(set(now) - set(before)),
        "removed": sorted(set(before) - set(now)),
        "changed": sorted(track for track in set(now) & set(before) if now[track] != before[track]),
        "unchanged": sum(1 for track in now if before.get(track) == now[track]),
    }


def changes_text(changes: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    """Return the changes for people."""
    base = changes["base_package_id"]
    lines = [
        f"Changes since the delivered package {base}" if base else "First delivery: every track is new.",
        f"{len(changes['added'])} added, {len(changes['removed'])} removed, {len(changes['changed'])} changed, "
        f"{changes['unchanged']} unchanged",
    ]
    for kind in ("added", "changed", "removed"):
        if changes[kind]:
            lines += ["", kind.capitalize()]
            lines += [f"  {track}  {titles.get(track, '')}".rstrip() for track in changes[kind]]
    return "\n".join(lines) + "\n"
