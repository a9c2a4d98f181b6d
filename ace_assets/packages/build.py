"""Builds a venue's package: programme, audio, documents, manifests; the same inputs give the same bytes on any day.

    README.txt  index.html  package.json     what an installer opens first
    data/audio/                              the music
    data/playlists/                          whole programme and each daypart, M3U8 and JSON
    data/schedule.{json,csv}  data/rotation.{json,txt}  data/tracks.{csv,parquet}  data/changes.{json,txt}
    data/rights/                             statement, one line per track, licence texts
    bagit.txt  bag-info.txt  manifest-sha256.txt  tagmanifest-sha256.txt

Every date comes from the release. An interrupted build leaves nothing behind but renditions, which the next build
takes up.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from ace_assets import tables
from ace_assets.errors import PackageError
from ace_assets.packages import bag, contents, rights, schedule
from ace_assets.packages.audio_files import file_sha256, gather
from ace_assets.packages.labels import ARTIST
from ace_assets.packages.names import safe_title
from ace_assets.packages.player import player_page
from ace_assets.packages.programme import Programme, make_programme
from ace_assets.packages.progress import Progress, silent
from ace_assets.packages.rows import ReleaseRows, Selection, cell_allowed, content_hash, rows_hash, select
from ace_assets.packages.venues import Venue
from ace_assets.store import Store

BUILD_VERSION = 1  # grows whenever the same inputs give other bytes
MARK = "NOT-FOR-DELIVERY"


@dataclass(frozen=True)
class Shortfall:
    """Tracks that a daypart lacks, and of which cells they are wanted."""

    daypart: str
    missing: int
    by_cell: dict[str, int]


@dataclass(frozen=True)
class PackageResult:
    """What a build made.

    Attributes:
        venue: the venue's id.
        package_id: identity; begins with NOT-FOR-DELIVERY where it may not be delivered.
        path: the folder, or the address on S3.
        tracks: number of tracks.
        marked_preview: preview tracks or quarantined cells; `deliver` refuses it.
        shortfall: what the catalog lacks for this venue.
        promise_kept: the programme keeps every hard rule.
        changed: False where the package was there already.
    """

    venue: str
    package_id: str
    path: str
    tracks: int
    marked_preview: bool
    shortfall: tuple[Shortfall, ...]
    promise_kept: bool
    changed: bool


def content_id(release: ReleaseRows, venue: Venue, chosen: Selection) -> str:
    """Return a hash of what this venue's package shows of a release, without the release's own name and date."""
    cells = _zone_cells(release, venue)
    return content_hash(
        {
            "version": BUILD_VERSION,
            "format": contents.PACKAGE_FORMAT,
            "venue": venue.facts(),
            "rows": rows_hash(chosen.frame.drop("waveform")),
            "left_out": chosen.left_out,
            "cells": cells,
        }
    )[:16]


def package_needed(store: Store, venue: Venue, release: ReleaseRows) -> bool:
    """Say whether the venue's latest package differs from what this release would give.

    A new release alone is no reason; another track, another tag, another wish of the venue is.
    """
    current = current_manifest(store, venue.venue_id)
    chosen = select(release, venue)
    return current is None or current.get("content_id") != content_id(release, venue, chosen)


def current_manifest(store: Store, venue_id: str) -> dict[str, Any] | None:
    """Return package.json of the venue's latest package, or None."""
    package_id = store.current_package_id(venue_id)
    data = store.package_file(venue_id, package_id, "package.json") if package_id else None
    if data is None:
        return None
    try:
        found: dict[str, Any] = json.loads(data)
    except ValueError:
        return None
    return found


def build_package(
    store: Store, venue: Venue, release: ReleaseRows, *, progress: Progress = silent, force: bool = False
) -> PackageResult:
    """Build the venue's package from a release and make it the venue's latest.

    Args:
        store: where masters, renditions and packages lie.
        venue: the wishes.
        release: the rows of the catalog's release.
        progress: told after every track.
        force: build also where the latest package shows the same content.

    Raises:
        PackageError: the venue may play nothing of the release, or a master is damaged.
    """
    chosen = select(release, venue)
    content = content_id(release, venue, chosen)
    current = current_manifest(store, venue.venue_id)
    if current is not None and current.get("content_id") == content and not force:
        return _result_of(store, venue, current, changed=False)
    if not chosen.frame.height:
        why = ", ".join(f"{count} {reason}" for reason, count in chosen.left_out.items())
        raise PackageError(
            f"venue {venue.venue_id}",
            value=f"no track of zone {venue.zone} may be exported" + (f" ({why})" if why else ""),
            expected="at least one exportable track",
            remedy="generate and master the zone's cells, then rebuild the catalog",
        )
    deliveries = store.deliveries(venue.venue_id)
    base = deliveries[-1] if deliveries else None
    package_id = _package_id(release, content, base, marked=chosen.marked_preview)
    programme = make_programme(
        chosen.frame,
        venue,
        release.released_at.astimezone(venue.tz).date(),
        already_there=frozenset(base["tracks"]) if base else frozenset(),
    )
    if not programme.entries:
        raise PackageError(
            f"venue {venue.venue_id}",
            value=f"closed on all {venue.days} days from {programme.first_day}",
            expected="opening hours within the programme's days",
            remedy="raise days in venues.toml, 7 for a whole week",
        )
    with store.scratch() as scratch:
        folder = scratch / package_id
        manifest = _fill(store, folder, programme, chosen, release, base, package_id, content, progress)
        path = store.publish_package(venue.venue_id, package_id, folder)
    return _result_of(store, venue, manifest, changed=True, path=path)


def _package_id(release: ReleaseRows, content: str, base: Mapping[str, Any] | None, *, marked: bool) -> str:
    identity = content_hash(
        [content, release.release_id, release.released_at.isoformat(), base["package_id"] if base else None]
    )[:12]
    name = f"{release.released_at:%Y%m%d}-{identity}"
    return f"{MARK}-{name}" if marked else name


def _result_of(
    store: Store, venue: Venue, manifest: Mapping[str, Any], *, changed: bool, path: str | None = None
) -> PackageResult:
    return PackageResult(
        venue=venue.venue_id,
        package_id=manifest["package_id"],
        path=path or store.package_location(venue.venue_id, manifest["package_id"]),
        tracks=manifest["track_count"],
        marked_preview=manifest["not_for_delivery"],
        shortfall=tuple(
            Shortfall(part["daypart"], part["tracks_missing"], part["missing_by_cell"])
            for part in manifest["shortfall"]
        ),
        promise_kept=manifest["promise_kept"],
        changed=changed,
    )


def _zone_cells(release: ReleaseRows, venue: Venue) -> list[tuple[str, str, str, int]]:
    """Return (cell, genre, daypart, exportable tracks) of the venue's zone, cells without a track included."""
    closed = {genre for genre, share in venue.genre_shares if share == 0.0}
    zone = release.frame.filter((pl.col("zone") == venue.zone) & pl.col("exportable"))
    found = {
        cell: (cell, genre, daypart, count)
        for cell, genre, daypart, count in zone.group_by("cell", "genre", "daypart").len().iter_rows()
    }
    if release.cells is not None:
        planned = release.cells.filter(pl.col("zone") == venue.zone).select("cell", "genre", "daypart")
        for cell, genre, daypart in planned.iter_rows():
            found.setdefault(cell, (cell, genre, daypart, 0))
    return sorted(entry for entry in found.values() if cell_allowed(venue, entry[0]) and entry[1] not in closed)


def _waveforms(store: Store, frame: pl.DataFrame) -> dict[str, bytes]:
    """Return the peaks of tracks by id: from the rows, else from the cells' manifests."""
    found: dict[str, bytes] = {}
    wanted: dict[str, dict[str, str]] = {}
    for track_id, master_id, cell, waveform in frame.select("track_id", "master_id", "cell", "waveform").iter_rows():
        if waveform is not None:
            found[track_id] = waveform
        else:
            wanted.setdefault(cell, {})[master_id] = track_id
    for cell, tracks in sorted(wanted.items()):
        masters = store.manifest(cell, tables.Masters)
        if masters is None:
            continue
        for master_id, waveform in masters.select("master_id", "waveform").iter_rows():
            if master_id in tracks and waveform is not None:
                found[tracks[master_id]] = waveform
    return found


def _fill(
    store: Store,
    folder: Path,
    programme: Programme,
    chosen: Selection,
    release: ReleaseRows,
    base: Mapping[str, Any] | None,
    package_id: str,
    content: str,
    progress: Progress,
) -> dict[str, Any]:
    """Write the whole package into a folder and return its manifest."""
    venue = programme.venue
    rows = chosen.frame.drop("waveform").rows(named=True)
    used = sorted({entry.track for entry in programme.entries})
    played = [rows[number] for number in used]
    files = gather(store, venue, played, folder / contents.AUDIO_FOLDER, progress)
    tracks = contents.track_rows(played, files)
    plays = schedule.schedule_rows(programme, rows, {row["track_id"]: row["file"] for row in tracks})
    report = schedule.rotation_report(programme, plays, _zone_cells(release, venue))
    report["left_out"] = chosen.left_out
    changes = contents.changes_since(base, tracks)
    date = release.released_at.strftime("%Y-%m-%d")
    documents = _documents(programme, tracks, plays, report, changes, date=date, marked=chosen.marked_preview)
    payload = {row["file"]: row["file_sha256"] for row in tracks}
    for name, data in documents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        payload[name] = file_sha256(path)
    manifest = _manifest(programme, release, base, package_id, content, report, tracks, marked=chosen.marked_preview)
    bag.write_text(folder / "package.json", schedule.to_json(manifest))
    waveforms = _waveforms(store, chosen.frame[used])
    page = player_page(
        programme, tracks, rows, waveforms, package_id=package_id, release_id=release.release_id,
        marked=chosen.marked_preview,
    )  # fmt: skip
    bag.write_text(folder / "index.html", page)
    bag.write_text(folder / "README.txt", readme(venue, manifest, report))
    if chosen.marked_preview:
        bag.write_text(folder / f"{MARK}.txt", NOT_FOR_DELIVERY_TEXT)
    bag.write_manifests(
        folder,
        payload,
        {
            "Bagging-Date": date,
            "External-Identifier": package_id,
            "External-Description": "Background music: "
            + safe_title(venue.name)
            + (" (NOT FOR DELIVERY)" if chosen.marked_preview else ""),
            "Internal-Sender-Identifier": venue.venue_id,
        },
    )
    return manifest


NOT_FOR_DELIVERY_TEXT = (
    "NOT FOR DELIVERY\n\nThis package holds preview music or withheld cells. It exists to try players and schedules.\n"
    "Do not play it at the venue.\n"
)


def _documents(
    programme: Programme,
    tracks: list[dict[str, Any]],
    plays: Sequence[Mapping[str, Any]],
    report: Mapping[str, Any],
    changes: Mapping[str, Any],
    *,
    date: str,
    marked: bool,
) -> dict[str, bytes]:
    """Return every payload document by its path."""
    venue = programme.venue
    texts: dict[str, str] = {
        "data/schedule.json": schedule.to_json(
            {
                "venue": venue.venue_id,
                "time_zone": venue.time_zone,
                "first_day": programme.first_day.isoformat(),
                "days": venue.days,
                "may_repeat_weekly": programme.repeats_safely,
                "plays": plays,
            }
        ),
        "data/schedule.csv": schedule.to_csv(schedule.SCHEDULE_COLUMNS, plays),
        "data/rotation.json": schedule.to_json(report),
        "data/rotation.txt": schedule.rotation_text(venue, report),
        "data/tracks.csv": contents.tracks_csv(tracks),
        "data/changes.json": schedule.to_json(changes),
        "data/changes.txt": contents.changes_text(
            changes, {row["track_id"]: safe_title(row["title"]) for row in tracks}
        ),
        "data/rights/rights.csv": schedule.to_csv(rights.RIGHTS_COLUMNS, rights.rights_rows(tracks)),
        "data/rights/rights.txt": rights.rights_statement(venue.name, tracks, date=date, marked=marked),
    }
    for name, text in rights.licence_texts(tracks).items():
        texts[f"data/rights/licences/{name}"] = text
    lists = {"programme": (venue.name, list(plays))}
    for part in venue.dayparts:
        own = [play for play in plays if play["daypart"] == part.name]
        if own:
            lists[f"daypart-{part.name}"] = (f"{venue.name}: {part.name}", own)
    for name, (title, chosen) in lists.items():
        texts[f"data/playlists/{name}.m3u8"] = schedule.m3u8(title, chosen, artist=ARTIST)
        texts[f"data/playlists/{name}.json"] = schedule.playlist_json(title, chosen)
    documents = {name: text.encode() for name, text in texts.items()}
    documents["data/tracks.parquet"] = contents.tracks_parquet(tracks)
    return documents


def _manifest(
    programme: Programme,
    release: ReleaseRows,
    base: Mapping[str, Any] | None,
    package_id: str,
    content: str,
    report: Mapping[str, Any],
    tracks: Sequence[Mapping[str, Any]],
    *,
    marked: bool,
) -> dict[str, Any]:
    venue = programme.venue
    return {
        "package_format": contents.PACKAGE_FORMAT,
        "build_version": BUILD_VERSION,
        "package_id": package_id,
        "content_id": content,
        "venue": venue.venue_id,
        "venue_name": safe_title(venue.name),
        "venue_settings": json.loads(json.dumps(dataclasses.asdict(venue))),
        "zone": venue.zone,
        "release_id": release.release_id,
        "released_at": release.released_at.isoformat(),
        "built_at": release.released_at.isoformat(),
        "base_package_id": base["package_id"] if base else None,
        "deliverable": not marked,
        "not_for_delivery": marked,
        "promise_kept": report["promise_kept"],
        "best_possible": report["best_possible"],
        "may_repeat_weekly": report["may_repeat_weekly"],
        "shortfall": [
            {key: part[key] for key in ("daypart", "tracks_missing", "missing_by_cell")}
            for part in report["dayparts"]
            if part["tracks_missing"]
        ],
        "track_count": len(tracks),
        "play_count": len(programme.entries),
        "audio_bytes": sum(row["file_bytes"] for row in tracks),
        "audio": {
            "format": venue.format,
            "bit_rate_kbps": venue.bit_rate_kbps if venue.format == "mp3" else None,
            "loudness_offset_lu": venue.loudness_offset_lu,
        },
        "tracks": [{"track_id": row["track_id"], "file": row["file"], "sha256": row["file_sha256"]} for row in tracks],
    }


def readme(venue: Venue, manifest: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    """Return README.txt: what the installer of a player needs, in the order in which it is needed."""
    lines = [f"Background music for {safe_title(venue.name)}", f"Package {manifest['package_id']}", ""]
    if manifest["not_for_delivery"]:
        lines += ["*** NOT FOR DELIVERY: preview music or withheld cells. Do not play it at the venue. ***", ""]
    if not manifest["promise_kept"]:
        lines += ["*** BEST POSSIBLE PROGRAMME: the catalog is too small, see data/rotation.txt ***", ""]
    audio = f"{venue.format.upper()}" + (f" {venue.bit_rate_kbps} kb/s" if venue.format == "mp3" else "")
    lines += [
        "To try it here: open index.html in a browser. It needs no network.",
        "",
        "To install it:",
        "  1. Copy this whole folder to the player; playlists find the music by relative paths.",
        "  2. A player that follows a schedule reads data/schedule.csv or data/schedule.json.",
        "     A player that follows playlists takes data/playlists/programme.m3u8, or one daypart-*.m3u8 per daypart.",
        "  3. Turn the player's own volume levelling off, or let it use the ReplayGain tags: all files are equally",
        "     loud.",
        f"  4. Set the player's clock to {venue.time_zone}.",
        "",
        "To check that nothing was lost on the way: `ace-assets package verify FOLDER`, or any BagIt tool.",
        "",
        f"Tracks        {manifest['track_count']} ({audio}, {manifest['audio_bytes'] / 1e6:.0f} MB) in data/audio",
        f"Programme     {venue.days} days from {report['first_day']}, {report['hours']:.1f} hours",
        "Next weeks    "
        + ("start again from the first day" if report["may_repeat_weekly"] else "ask for a new package in time"),
        f"No repeat     within {venue.no_repeat_h:g} hours: "
        + ("kept" if report["promise_kept"] else "NOT kept in full"),
        "",
        "Opening hours",
        *("  " + line for line in schedule.opening_text(venue)),
        "",
        "Rights        data/rights/rights.txt to read, rights.csv per track. The music is AI-generated.",
        "Changes       data/changes.txt, against the last delivered package.",
        f"From          catalog release {manifest['release_id']} of {manifest['released_at'][:10]}",
    ]
    return "\n".join(lines) + "\n"
