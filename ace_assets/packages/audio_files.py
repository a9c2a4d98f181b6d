"""The audio of a package: tagged renditions of masters, made once and linked into every package that needs them.

A rendition is known by what it was made from: master, format, bit rate, loudness offset and tags. It lies in the
store read-only, because a package on the same disk is a hard link to it; tags are therefore written before it is
stored and never in place.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ace_assets.audio import renditions
from ace_assets.audio.tags import TrackTags, write_tags
from ace_assets.errors import PackageError
from ace_assets.packages.labels import tags_of
from ace_assets.packages.names import audio_file_name
from ace_assets.packages.progress import Progress
from ace_assets.packages.rows import content_hash
from ace_assets.packages.venues import Venue
from ace_assets.store import Store

RENDITION_VERSION = 1
MASTER_MP3_KBPS = 320
READ_ONLY = 0o444


@dataclass(frozen=True)
class AudioFile:
    """One track's file in a package.

    Attributes:
        name: file name.
        sha256, size_bytes: of the file.
        integrated_loudness_lufs, true_peak_dbtp: of its decoded audio.
    """

    name: str
    sha256: str
    size_bytes: int
    integrated_loudness_lufs: float
    true_peak_dbtp: float


def rendition_id(row: Mapping[str, Any], venue: Venue) -> str:
    """Return the identity of a track's rendition for a venue."""
    tags = dataclasses.asdict(tags_of(row))
    tags.pop("cover")
    return content_hash(
        {
            "version": RENDITION_VERSION,
            "master_id": row["master_id"],
            "format": venue.format,
            "bit_rate_kbps": venue.bit_rate_kbps if venue.format == "mp3" else None,
            "loudness_offset_lu": venue.loudness_offset_lu,
            "loudness": [row["integrated_loudness_lufs"], row["true_peak_dbtp"], row["ceiling_dbtp"]],
            "tags": tags,
        }
    )[:40]


def gather(
    store: Store, venue: Venue, rows: list[dict[str, Any]], folder: Path, progress: Progress, workers: int | None = None
) -> dict[str, AudioFile]:
    """Put every track's file into `folder`, making the renditions that do not exist; return them by track id.

    Raises:
        PackageError: a master is missing or damaged.
        MasteringError: a rendition failed its verification.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, AudioFile] = {}
    with ThreadPoolExecutor(max_workers=workers or min(4, os.cpu_count() or 1)) as pool:
        jobs = [pool.submit(_place, store, venue, row, folder) for row in rows]
        try:
            for done, (row, job) in enumerate(zip(rows, jobs, strict=True), start=1):
                found[row["track_id"]] = job.result()
                progress(done, len(rows), "audio")
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return found


def _place(store: Store, venue: Venue, row: dict[str, Any], folder: Path) -> AudioFile:
    identity = rendition_id(row, venue)
    name = audio_file_name(row["track_id"], row["title"], venue.format)
    target = folder / name
    for _ in range(2):
        facts = store.rendition_facts(identity)
        if facts is None or not store.rendition_into(identity, venue.format, target):
            facts = _make(store, venue, row, identity)
            store.rendition_into(identity, venue.format, target)
        if target.stat().st_size == facts["size_bytes"] and file_sha256(target) == facts["sha256"]:
            return AudioFile(
                name,
                facts["sha256"],
                facts["size_bytes"],
                facts["integrated_loudness_lufs"],
                facts["true_peak_dbtp"],
            )
        # Somebody changed the stored file: make it again from its master.
        target.unlink()
        store.delete_rendition(identity, venue.format)
    raise PackageError(
        f"rendition of {row['track_id']}",
        value="changes while it is read",
        expected="a store that keeps what is written",
        remedy="check the disk and build again",
    )


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _make(store: Store, venue: Venue, row: dict[str, Any], identity: str) -> dict[str, Any]:
    tags = tags_of(row)
    with store.scratch() as scratch:
        path = scratch / f"{identity}.{venue.format}"
        plain_mp3 = venue.format == "mp3" and venue.bit_rate_kbps == MASTER_MP3_KBPS and bool(row["mp3_sha256"])
        if venue.loudness_offset_lu == 0.0 and (plain_mp3 or venue.format == "flac"):
            facts = _copy(store, venue.format, row, tags, path)
        else:
            facts = _render(store, venue, row, tags, path)
        path.chmod(READ_ONLY)
        store.publish_rendition(identity, venue.format, path, facts)
    return facts


def _check_source(path: Path, row: dict[str, Any], column: str) -> None:
    if file_sha256(path) != row[column]:
        raise PackageError(
            f"master {row['master_id']} of {row['track_id']}",
            value=f"other bytes than the catalog's {column}",
            expected="the file that was mastered",
            remedy=f"rerun masters of cell {row['cell']}, then the catalog",
        )


def _copy(store: Store, audio_format: str, row: dict[str, Any], tags: TrackTags, path: Path) -> dict[str, Any]:
    """Copy a master's file and write its tags."""
    with store.master_audio(row["master_id"], audio_format) as source:
        shutil.copyfile(source, path)
    _check_source(path, row, f"{audio_format}_sha256")
    lufs, dbtp = row["integrated_loudness_lufs"], row["true_peak_dbtp"]
    write_tags(path, tags.with_loudness(integrated_loudness_lufs=lufs, true_peak_dbtp=dbtp))
    return {
        "sha256": file_sha256(path),
        "size_bytes": path.stat().st_size,
        "integrated_loudness_lufs": lufs,
        "true_peak_dbtp": dbtp,
    }


def _render(store: Store, venue: Venue, row: dict[str, Any], tags: TrackTags, path: Path) -> dict[str, Any]:
    """Encode the master again, decode and verify it."""
    name = f"mp3-{venue.bit_rate_kbps}" if venue.format == "mp3" else venue.format
    with store.master_audio(row["master_id"], "flac") as source:
        _check_source(source, row, "flac_sha256")
        made = renditions.render(
            source,
            {name: path},
            gain_offset_db=venue.loudness_offset_lu,
            ceiling_dbtp=row["ceiling_dbtp"],
            tags=tags,
        )[name]
    return {
        "sha256": made.sha256,
        "size_bytes": made.bytes,
        "integrated_loudness_lufs": made.integrated_loudness_lufs,
        "true_peak_dbtp": made.true_peak_dbtp,
    }
