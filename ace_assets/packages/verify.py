"""`ace-assets package verify`: is this package what it was when it was built, and does it keep what it promises?

Everything is computed anew from the files: checksums against the bag's manifests, tags against the package's own
table, loudness and true peak of the decoded audio, playlists against the files and the schedule, the rotation
promise from the schedule alone (`recheck`). Each problem is named once, in one line.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from ace_assets.audio import codecs
from ace_assets.audio.loudness import measure_blocks
from ace_assets.audio.tags import TrackTags, read_tags
from ace_assets.errors import AceAssetsError, PackageError
from ace_assets.packages import bag, contents
from ace_assets.packages.labels import tags_of
from ace_assets.packages.progress import Progress, silent
from ace_assets.packages.reading import PackageFiles, is_litter, open_package, read_small, sha256_of
from ace_assets.packages.recheck import recheck_rotation
from ace_assets.packages.rows import PackageTrack

LOUDNESS_TOLERANCE_LU = 0.15  # 0.1 between master and rendition, and rounding
TRUE_PEAK_TOLERANCE_DB = 0.05
DURATION_TOLERANCE_S = 0.1
LOCK_FILES = frozenset({"bagit.txt", bag.MANIFEST, bag.TAG_MANIFEST})
TAG_FIELDS = tuple(f.name for f in dataclasses.fields(TrackTags) if f.name not in {"cover", "extra", "cues_s"})


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    `kind` is changed_file, missing_file, extra_file, renamed_file, wrong_tag, wrong_audio, playlist, table,
    schedule or rotation; `thing` is the file or the place in it.
    """

    kind: str
    thing: str
    message: str

    def __str__(self) -> str:
        return f"{self.thing}: {self.message}"


@dataclass(frozen=True)
class VerifyReport:
    """What a verification found.

    Attributes:
        path: what was verified.
        package_id: as package.json says; empty where that cannot be read.
        not_for_delivery: as package.json says.
        files: files looked at.
        tracks: tracks whose audio was decoded.
        problems: everything that is wrong, in order of place.
    """

    path: str
    package_id: str
    not_for_delivery: bool
    files: int
    tracks: int
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


@dataclass
class _Findings:
    problems: list[Problem] = field(default_factory=list)

    def add(self, kind: str, thing: str, message: str) -> None:
        self.problems.append(Problem(kind, thing, message))


def verify(
    path: Path | str, progress: Progress = silent, *, audio: bool = True, workers: int | None = None
) -> VerifyReport:
    """Verify a package's folder or zip.

    Args:
        path: what somebody gives.
        progress: told after every file (`checksums`) and every track (`audio`).
        audio: also decode every track.
        workers: threads; by default one per core.

    Raises:
        PackageError: there is no package at the path.
    """
    findings = _Findings()
    with open_package(Path(path)) as files:
        names = [name for name in files.names() if not is_litter(name)]
        try:
            locks = {name: read_small(files, name) for name in LOCK_FILES if name in names}
        except OSError as error:
            raise PackageError(
                files.where, value=error, expected="a package that can be read", remedy="copy it again"
            ) from error
        listing = bag.read_manifests(locks, files.where)
        with ThreadPoolExecutor(max_workers=workers or os.cpu_count() or 1) as pool:
            _check_bag(files, names, listing.expected, findings, pool.map, progress)
            manifest = _json(files, names, "package.json", findings)
            tracks = _tracks(files, names, findings)
            if tracks is not None:
                _check_tables(files, names, manifest, tracks, findings)
            plays = _plays(files, names, findings)
            _check_playlists(files, names, plays, findings)
            if manifest and tracks is not None and plays is not None:
                for kind, thing, message in recheck_rotation(manifest, tracks, plays):
                    findings.add(kind, thing, message)
            heard = [row for row in tracks or [] if row["file"] in names] if audio else []
            jobs = [pool.submit(_check_track, files, row) for row in heard]
            for done, job in enumerate(jobs, start=1):
                findings.problems += job.result()
                progress(done, len(jobs), "audio")
    return VerifyReport(
        path=str(path),
        package_id=str((manifest or {}).get("package_id", "")),
        not_for_delivery=bool((manifest or {}).get("not_for_delivery", False)),
        files=len(names),
        tracks=len(heard),
        problems=tuple(findings.problems),
    )


# ---- checksums
# -----------------------------------------------------------------------------------------------------------


def _check_bag(
    files: PackageFiles,
    names: Sequence[str],
    expected: Mapping[str, str],
    findings: _Findings,
    over: Callable[..., Any],
    progress: Progress,
) -> None:
    def digest(name: str) -> str:
        try:
            return sha256_of(files, name)
        except OSError as error:
            return f"unreadable: {error}"

    present: dict[str, str] = {}
    for done, (name, found) in enumerate(zip(names, over(digest, names), strict=True), start=1):
        present[name] = found
        progress(done, len(names), "checksums")
    missing = sorted(set(expected) - set(present))
    extra = sorted(set(present) - set(expected) - {bag.TAG_MANIFEST})
    by_digest: dict[str, list[str]] = {}
    for name in extra:
        by_digest.setdefault(present[name], []).append(name)
    for name in missing:
        twins = by_digest.get(expected[name])
        if twins:
            other = twins.pop(0)
            extra.remove(other)
            findings.add("renamed_file", name, f"is there under another name, {other}; rename it back")
        else:
            findings.add("missing_file", name, "is missing; copy the package again")
    for name in extra:
        findings.add("extra_file", name, "does not belong to the package; remove it")
    for name in sorted(set(expected) & set(present)):
        found = present[name]
        if found.startswith("unreadable"):
            findings.add("changed_file", name, f"cannot be read ({found.removeprefix('unreadable: ')}); copy it again")
        elif found != expected[name]:
            findings.add("changed_file", name, "is not the file that was delivered (checksum); copy it again")


# ---- tables
# --------------------------------------------------------------------------------------------------------------


def _json(files: PackageFiles, names: Sequence[str], name: str, findings: _Findings) -> dict[str, Any] | None:
    if name not in names:
        return None  # the checksums have named it
    try:
        found = json.loads(read_small(files, name))
    except (ValueError, OSError) as error:
        findings.add("table", name, f"is not JSON ({error}); deliver the package again")
        return None
    if not isinstance(found, dict):
        findings.add("table", name, "is not what a package holds; deliver the package again")
        return None
    version = found.get("package_format", contents.PACKAGE_FORMAT)
    if isinstance(version, int) and version > contents.PACKAGE_FORMAT:
        raise PackageError(
            f"{files.where} package_format",
            value=version,
            expected=f"{contents.PACKAGE_FORMAT} or older",
            remedy="update ace-assets on this machine",
        )
    return found


def _tracks(files: PackageFiles, names: Sequence[str], findings: _Findings) -> list[dict[str, Any]] | None:
    name = "data/tracks.parquet"
    if name not in names:
        return None
    try:
        frame = pl.read_parquet(io.BytesIO(read_small(files, name)))
        meant = contents.tracks_frame([])
        found = frame.select(meant.columns)
        required = [name for name, column in PackageTrack.columns().items() if not column.nullable]
        if found.schema != meant.schema or found.select(required).null_count().row(0) != (0,) * len(required):
            findings.add("table", name, "has other columns or gaps than a package's; deliver the package again")
            return None
        return found.rows(named=True)
    except (pl.exceptions.PolarsError, OSError) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        findings.add("table", name, f"cannot be read ({text}); deliver the package again")
        return None


def _csv(files: PackageFiles, name: str) -> list[dict[str, str]]:
    try:
        return list(csv.DictReader(io.StringIO(_text(files, name), newline="")))
    except csv.Error:
        return []


def _text(files: PackageFiles, name: str) -> str:
    """Return a document's text; empty where it cannot be read, which the checksums have named."""
    try:
        return read_small(files, name).decode("utf-8", "replace")
    except OSError:
        return ""


def _check_tables(
    files: PackageFiles,
    names: Sequence[str],
    manifest: Mapping[str, Any] | None,
    tracks: Sequence[Mapping[str, Any]],
    findings: _Findings,
) -> None:
    """Compare what the package's documents say of the same tracks."""
    table = {row["track_id"]: (row["file"], row["file_sha256"]) for row in tracks}
    others: dict[str, dict[str, tuple[str, str]]] = {}
    if manifest is not None:
        entries = [entry for entry in manifest.get("tracks", []) if isinstance(entry, dict)]
        others["package.json"] = {e.get("track_id", ""): (e.get("file", ""), e.get("sha256", "")) for e in entries}
        previews = [row["track_id"] for row in tracks if row["preview"] or row["quarantined"]]
        if previews and manifest.get("deliverable", True):
            text = f"calls a package deliverable that holds {previews[0]}; do not play it"
            findings.add("table", "package.json", text)
    if "data/tracks.csv" in names:
        rows = _csv(files, "data/tracks.csv")
        others["data/tracks.csv"] = {
            row.get("track_id", ""): (row.get("file", ""), row.get("file_sha256", "")) for row in rows
        }
    if "data/rights/rights.csv" in names:
        rows = _csv(files, "data/rights/rights.csv")
        others["data/rights/rights.csv"] = {
            row.get("track_id", ""): (row.get("file", ""), table.get(row.get("track_id", ""), ("", ""))[1])
            for row in rows
        }
    for name, found in others.items():
        for track_id in sorted(set(table) | set(found)):
            if found.get(track_id) != table.get(track_id):
                if track_id not in found:
                    text = f"lacks {track_id}"
                elif track_id not in table:
                    text = f"has {track_id}, which tracks.parquet lacks"
                else:
                    text = f"says of {track_id} something else than tracks.parquet"
                findings.add("table", name, f"{text}; deliver the package again")


# ---- schedule and playlists
# ----------------------------------------------------------------------------------------------


def _plays(files: PackageFiles, names: Sequence[str], findings: _Findings) -> list[dict[str, Any]] | None:
    document = _json(files, names, "data/schedule.json", findings)
    if document is None:
        return None
    plays = document.get("plays")
    if not isinstance(plays, list) or not all(_is_play(play) for play in plays):
        findings.add("schedule", "data/schedule.json", "has no list of plays; deliver the package again")
        return None
    if "data/schedule.csv" in names:
        rows = _csv(files, "data/schedule.csv")
        if len(rows) != len(plays):
            findings.add("schedule", "data/schedule.csv", f"has {len(rows)} plays, schedule.json has {len(plays)}")
        for row, play in zip(rows, plays, strict=False):
            if (row.get("track_id"), row.get("start_utc")) != (play["track_id"], play["start_utc"]):
                findings.add("schedule", f"data/schedule.csv play {play['number']}", "differs from schedule.json")
    present = set(names)
    for play in plays:
        if play["file"] not in present:
            findings.add("schedule", f"data/schedule.json play {play['number']}", f"{play['file']} is not there")
    return plays


def _is_play(play: object) -> bool:
    """Say whether a value has what a play of the schedule has."""
    texts = ("start_utc", "start_local", "track_id", "file", "daypart")
    return (
        isinstance(play, dict)
        and all(isinstance(play.get(name), str) for name in texts)
        and all(isinstance(play.get(name), int) for name in ("number", "opening"))
        and isinstance(play.get("play_s"), int | float)
    )


def _check_playlists(
    files: PackageFiles, names: Sequence[str], plays: Sequence[Mapping[str, Any]] | None, findings: _Findings
) -> None:
    present = set(names)
    for name in names:
        if not name.startswith("data/playlists/"):
            continue
        stem = name.rsplit("/", 1)[-1].rsplit(".", 1)[0]
        entries = _playlist_entries(files, name, findings)
        meant: list[str] | None = None
        if plays is not None and stem == "programme":
            meant = [play["file"] for play in plays]
        elif plays is not None and stem.startswith("daypart-"):
            meant = [play["file"] for play in plays if play["daypart"] == stem.removeprefix("daypart-")]
        for number, entry in enumerate(entries, start=1):
            file = _resolved(name, entry)
            if file not in present:
                findings.add("playlist", f"{name} entry {number}", f"names {entry}, which is not there")
            elif meant is not None and number <= len(meant) and file != meant[number - 1]:
                findings.add("playlist", f"{name} entry {number}", f"names {entry}, the schedule {meant[number - 1]}")
        if meant is not None and len(entries) != len(meant):
            findings.add("playlist", name, f"has {len(entries)} entries, the schedule {len(meant)}")


def _playlist_entries(files: PackageFiles, name: str, findings: _Findings) -> list[str]:
    text = _text(files, name)
    if name.endswith(".json"):
        try:
            return [str(entry["file"]) for entry in json.loads(text)["entries"]]
        except (ValueError, KeyError, TypeError) as error:
            findings.add("playlist", name, f"is not a playlist ({error}); deliver the package again")
            return []
    if not text.startswith("#EXTM3U"):
        findings.add("playlist", name, "does not begin with #EXTM3U; deliver the package again")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def _resolved(playlist: str, entry: str) -> str:
    parts = playlist.split("/")[:-1]
    for part in entry.split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part not in {"", "."}:
            parts.append(part)
    return "/".join(parts)


# ---- audio
# ---------------------------------------------------------------------------------------------------------------


def _check_track(files: PackageFiles, row: Mapping[str, Any]) -> list[Problem]:
    """Compare one file's tags and decoded audio with the package's table."""
    name = row["file"]
    problems: list[Problem] = []
    try:
        with files.local(name) as path:
            problems += [Problem("wrong_tag", name, text) for text in _wrong_tags(path, row)]
            info = codecs.probe(path)
            found = measure_blocks(codecs.decode_blocks(path), info.sample_rate_hz, info.channels)
    except AceAssetsError as error:
        return [*problems, Problem("wrong_audio", name, f"cannot be decoded ({error.value}); copy it again")]
    except OSError as error:
        return [*problems, Problem("wrong_audio", name, f"cannot be read ({error}); copy it again")]
    if abs(info.duration_s - row["duration_s"]) > DURATION_TOLERANCE_S:
        problems.append(
            Problem("wrong_audio", name, f"lasts {info.duration_s:.2f} s, the table says {row['duration_s']:.2f} s")
        )
    lufs, wanted = found.integrated_loudness_lufs, row["integrated_loudness_lufs"]
    if lufs is None or abs(lufs - wanted) > LOUDNESS_TOLERANCE_LU:
        said = "silence" if lufs is None else f"{lufs:.2f} LUFS"
        problems.append(Problem("wrong_audio", name, f"measures {said}, the table says {wanted:.2f} LUFS"))
    allowed = max(row["true_peak_dbtp"], row["ceiling_dbtp"]) + TRUE_PEAK_TOLERANCE_DB
    if found.true_peak_dbtp is not None and found.true_peak_dbtp > allowed:
        problems.append(
            Problem("wrong_audio", name, f"true peak {found.true_peak_dbtp:.2f} dBTP is above {allowed:.2f} dBTP")
        )
    return problems


def _wrong_tags(path: Path, row: Mapping[str, Any]) -> list[str]:
    meant = tags_of(row).with_loudness(
        integrated_loudness_lufs=row["integrated_loudness_lufs"], true_peak_dbtp=row["true_peak_dbtp"]
    )
    found = read_tags(path)
    pairs = [(name, getattr(found, name), getattr(meant, name)) for name in TAG_FIELDS]
    for group in ("extra", "cues_s"):
        one, other = getattr(found, group), getattr(meant, group)
        pairs += [(key, one.get(key), other.get(key)) for key in sorted({*one, *other})]
    return [
        f"tag {name} is {_shown(value)}, the table says {_shown(wanted)}"
        for name, value, wanted in pairs
        if not _same(value, wanted)
    ]


def _same(found: Any, meant: Any) -> bool:
    if isinstance(found, float) and isinstance(meant, int | float):
        return abs(found - meant) < 1e-6
    return bool(found == meant)


def _shown(value: Any) -> str:
    return "missing" if value in (None, "") else repr(value)
