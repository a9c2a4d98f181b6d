"""The rows of a catalog release that a package is made of, and which of them a venue may play.

The rows come from `sql/package_tracks.sql`, read from a release by whoever calls; nothing here opens a database.
"""

from __future__ import annotations

import datetime as dt
import fnmatch
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import dataframely as dy
import polars as pl

from ace_assets import tables
from ace_assets.errors import PackageError, SchemaError
from ace_assets.packages.venues import Venue
from ace_assets.tables import _count, _flag, _real, _text, _texts


class PackageTrack(tables.Table):
    """One track of a release with everything that a package says about it."""

    TABLE = "package_tracks"
    VERSION = 1
    track_id = _text("stable id of the track", key=True)
    master_id = _text("hash of take, mastering settings and mastering version")
    take_id = _text("the kept take")
    prompt_id = _text("its prompt")
    cell = _text("its cell")
    zone = _text("kind of place")
    genre = _text("genre slug")
    daypart = _text("part of the day")
    mood = _text("mood slug")
    energy = _count("1 (calm) to 5 (driving)", nullable=True)
    title = _text("title")
    caption = _text("what the model was asked to play", nullable=True)
    instrumental = _flag("no sung words wanted", nullable=True)
    vocal_language = _text("ISO code, or unknown for instrumental music", nullable=True)
    requested_bpm = _count("tempo asked for", nullable=True)
    measured_bpm = _real("tempo estimated")
    requested_key = _text("key asked for", nullable=True)
    measured_key = _text("key estimated", nullable=True)
    requested_duration_s = _real("length asked for, seconds")
    duration_s = _real("length of the master, seconds", nullable=False)
    integrated_loudness_lufs = _real("integrated loudness of the decoded master, LUFS", nullable=False)
    loudness_range_lu = _real("loudness range of the master, LU")
    true_peak_dbtp = _real("highest true peak over all decoded renditions, dBTP", nullable=False)
    ceiling_dbtp = _real("highest true peak allowed, dBTP", nullable=False)
    cue_in_s = _real("where the sound starts, seconds")
    intro_end_s = _real("where the intro ends, seconds")
    outro_start_s = _real("where the outro starts, seconds")
    cue_out_s = _real("where a mix may leave, seconds")
    waveform = dy.Binary(nullable=True, metadata={"doc": "peaks for pictures: 2 x 400 signed bytes"})
    signal_score = _real("0 to 100 from measured signal properties")
    gate_failures = _texts("technical defects found", nullable=True)
    fit_failures = _texts("breaches of the zone's policy", nullable=True)
    lint_warnings = _texts("warnings of the matrix lint", nullable=True)
    duplicate_of = _text("take that it is a near-duplicate of", nullable=True)
    brand_include = _texts("brands that alone may play it; empty: any", nullable=True)
    brand_exclude = _texts("brands that may never play it", nullable=True)
    status = _text("active, superseded or retired")
    exportable = _flag("may be exported at all")
    preview = _flag("made by the embedded preview engine: never deliverable")
    quarantined = _flag("its cell is withheld: incomplete, or failing its checks")
    engine = _text("ace-step, or preview", nullable=True)
    model = _text("DiT model that made it", nullable=True)
    model_weights_licence = _text("licence of the model's weights; NULL where unknown", nullable=True)
    rights_status = _text("known, unknown, or preview (not for delivery)")
    lm_model = _text("language model that the server says it used", nullable=True)
    adapter = _text("LoRA adapter", nullable=True)
    requested_seed = _count("seed asked for", nullable=True)
    reported_seed = _text("seed that the server reports", nullable=True)
    seed_trusted = _flag("whether the server was seen to honour seeds", nullable=True)
    profile = _text("name of the profile", nullable=True)
    flac_sha256 = _text("hash of the FLAC master")
    mp3_sha256 = _text("hash of the MP3 320 rendition", nullable=True)
    mastering_version = _text("version of the mastering code")
    generated_at = tables._time("when the take was stored", nullable=True)
    mastered_at = tables._time("when it was mastered")


@dataclass(frozen=True)
class ReleaseRows:
    """A release as packages see it.

    Attributes:
        frame: the rows, one per track (`PackageTrack`).
        release_id: the release that they come from.
        released_at: when it was published; every date inside a package comes from here.
        cells: the plan's cells (`cell`, `zone`, `genre`, `daypart`), so that a shortage can name cells without a track.
    """

    frame: pl.DataFrame
    release_id: str
    released_at: dt.datetime
    cells: pl.DataFrame | None = field(default=None)

    @classmethod
    def checked(
        cls, frame: pl.DataFrame, release_id: str, released_at: dt.datetime, cells: pl.DataFrame | None = None
    ) -> ReleaseRows:
        """Return the rows in canonical order, validated.

        Raises:
            PackageError: a column is missing or holds what it may not, or `released_at` has no time zone.
        """
        if released_at.tzinfo is None:
            raise PackageError(
                f"release {release_id} released_at",
                value=released_at,
                expected="a time with its zone",
                remedy="use UTC",
            )
        wanted = list(tables.polars_schema(PackageTrack))
        missing = [name for name in wanted if name not in frame.columns]
        if missing:
            raise PackageError(
                f"release {release_id}",
                value="no column " + ", ".join(missing),
                expected="the columns of sql/package_tracks.sql",
                remedy="rebuild the catalog with this version",
            )
        try:
            valid = tables.validated(PackageTrack, frame.select(wanted))
        except SchemaError as error:
            raise PackageError(
                f"release {release_id}", value=error.value, expected="valid track rows", remedy="rebuild the catalog"
            ) from error
        return cls(valid.sort("track_id"), release_id, released_at.astimezone(dt.UTC), cells)


@dataclass(frozen=True)
class Selection:
    """What a venue may play of a release.

    Attributes:
        frame: the rows, in order of track id.
        marked_preview: they may not be delivered: preview tracks or quarantined cells, for lack of anything else.
        left_out: how many rows of the zone were left out, by reason.
    """

    frame: pl.DataFrame
    marked_preview: bool
    left_out: dict[str, int]


def cell_allowed(venue: Venue, cell: str) -> bool:
    """Say whether the venue's own lists let a cell in."""
    included = not venue.cells_include or any(fnmatch.fnmatchcase(cell, glob) for glob in venue.cells_include)
    return included and not any(fnmatch.fnmatchcase(cell, glob) for glob in venue.cells_exclude)


def brand_allowed(venue: Venue, brand_include: list[str], brand_exclude: list[str]) -> bool:
    """Say whether a track's brand lists let the venue play it."""
    if venue.brand and venue.brand in brand_exclude:
        return False
    return not brand_include or venue.brand in brand_include


def select(release: ReleaseRows, venue: Venue) -> Selection:
    """Return the rows that a venue may play.

    Tracks that may be delivered come alone; only where the zone has none of them, preview tracks and quarantined
    cells stand in and the whole package is marked.
    """
    zone = release.frame.filter(pl.col("zone") == venue.zone)
    closed = {genre for genre, share in venue.genre_shares if share == 0.0}
    reasons: list[str] = []
    for row in zone.select("cell", "genre", "exportable", "brand_include", "brand_exclude", "duration_s").iter_rows(
        named=True
    ):
        if not row["exportable"]:
            reasons.append("not exportable")
        elif not cell_allowed(venue, row["cell"]):
            reasons.append("cell not wanted by the venue")
        elif row["genre"] in closed:
            reasons.append("genre share is 0")
        elif not brand_allowed(venue, row["brand_include"] or [], row["brand_exclude"] or []):
            reasons.append("brand rule")
        elif row["duration_s"] <= 0:
            reasons.append("no length")
        else:
            reasons.append("")
    zone = zone.with_columns(pl.Series("why_not", reasons, dtype=pl.String))
    open_rows = zone.filter(pl.col("why_not") == "").drop("why_not")
    left_out = dict(sorted(zone.filter(pl.col("why_not") != "").group_by("why_not").len().iter_rows()))
    held_back = pl.col("preview") | pl.col("quarantined")
    deliverable = open_rows.filter(~held_back)
    if deliverable.height:
        for column, reason in (("preview", "preview engine"), ("quarantined", "quarantined cell")):
            count = open_rows.filter(pl.col(column)).height
            if count:
                left_out[reason] = count
        return Selection(deliverable, marked_preview=False, left_out=left_out)
    return Selection(open_rows, marked_preview=open_rows.height > 0, left_out=left_out)


def duplicate_groups(frame: pl.DataFrame) -> list[str]:
    """Return for each row the name of its group of near-duplicates (its smallest take id), following chains."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    pairs = frame.select("take_id", "duplicate_of").rows()
    for take_id, other in pairs:
        a, b = sorted((root(take_id), root(other or take_id)))
        parent[b] = a
    return [root(take_id) for take_id, _ in pairs]


def content_hash(document: Any) -> str:
    """Return the SHA-256 of a JSON value in canonical form."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: object) -> str:
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    if isinstance(value, dt.datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def rows_hash(frame: pl.DataFrame) -> str:
    """Return a hash of rows that depends on their values and order alone."""
    digest = hashlib.sha256()
    for row in frame.iter_rows():
        digest.update(json.dumps(row, separators=(",", ":"), ensure_ascii=True, default=_plain).encode() + b"\n")
    return digest.hexdigest()
