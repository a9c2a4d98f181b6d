"""The schema of every table that passes between stages, its version, its upgrades, and how it is read and written.

What belongs here: column names, types, one-line meanings (they become the catalog's comments), versions. What does not:
how a value is computed (its stage), where a table lies (`ace_assets.store`).

Every stored table is one Parquet file that carries its schema's name and version. Older versions are read through the
functions in `UPGRADES`; newer ones are refused by name.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import polars as pl

from ace_assets.errors import SchemaError
from ace_assets.lean_import import without

with without("sqlalchemy"):
    import dataframely as dy

UTC_TIME = pl.Datetime("us", "UTC")
METADATA_KEY = "ace_assets"


class Table(dy.Schema):
    """A stored table. `TABLE` is its name on disk and in SQL, `VERSION` grows with every change of its columns."""

    TABLE: ClassVar[str] = ""
    VERSION: ClassVar[int] = 1


def _doc(meaning: str) -> dict[str, Any]:
    return {"doc": meaning}


def _text(meaning: str, *, key: bool = False, nullable: bool = False) -> dy.String:
    return dy.String(primary_key=key, nullable=nullable, metadata=_doc(meaning))


def _real(meaning: str, *, nullable: bool = True) -> dy.Float64:
    return dy.Float64(nullable=nullable, metadata=_doc(meaning))


def _count(meaning: str, *, key: bool = False, nullable: bool = False) -> dy.Int64:
    return dy.Int64(primary_key=key, nullable=nullable, metadata=_doc(meaning))


def _flag(meaning: str, *, nullable: bool = False) -> dy.Bool:
    return dy.Bool(nullable=nullable, metadata=_doc(meaning))


def _time(meaning: str, *, nullable: bool = False) -> dy.Datetime:
    return dy.Datetime(nullable=nullable, time_zone="UTC", time_unit="us", metadata=_doc(meaning))


def _texts(meaning: str, *, nullable: bool = False) -> dy.List:
    return dy.List(dy.String(nullable=False), nullable=nullable, metadata=_doc(meaning))


class Cells(Table):
    """The cells of a plan: one row of the genre matrix each. Partition keys come from here."""

    TABLE = "cells"
    cell = _text("partition key: zone.genre.daypart.mood", key=True)
    zone = _text("kind of place: lobby, retail, spa")
    genre = _text("genre slug")
    daypart = _text("part of the day: morning, midday, afternoon, evening, night ...")
    mood = _text("mood slug")
    energy = _count("1 (calm) to 5 (driving)")
    style_tier = _text("common or niche: how well the model knows the style")
    matrix_row = _count("row of genre_matrix.csv, the header being row 1")
    target_tracks = _count("tracks that the full catalog wants of this cell")
    planned_prompts = _count("prompts planned by the campaign")
    planned_tracks = _count("tracks that the campaign wants: planned prompts x tracks per prompt")
    tracks_per_prompt = _count("tracks kept per prompt")
    takes_per_prompt = _count("takes first planned per prompt")
    takes_limit = _count("most takes ever made for one prompt")
    target_lufs = _real("integrated loudness wanted of the masters, LUFS", nullable=False)
    ceiling_dbtp = _real("highest true peak allowed in the masters, dBTP", nullable=False)
    brand_include = _texts("brands that alone may play it; empty: any")
    brand_exclude = _texts("brands that may never play it")
    matrix_prompt_ids = _texts(
        "every prompt that the matrix makes of it, also those beyond this campaign: what is not here is superseded",
        nullable=True,
    )


class Prompts(Table):
    """The plan: one concrete request of a cell each."""

    TABLE = "prompts"
    prompt_id = _text("hash of everything that the prompt asks for", key=True)
    cell = _text("the cell it belongs to")
    prompt_index = _count("0-based number within its cell; the same in every campaign")
    zone = _text("kind of place")
    genre = _text("genre slug")
    daypart = _text("part of the day")
    mood = _text("mood slug")
    energy = _count("1 (calm) to 5 (driving)")
    title = _text("title of the tracks made from it, before the take's suffix")
    caption = _text("what the model is asked to play")
    lyrics = _text("lyrics tag, [Instrumental] or sections")
    vocal_language = _text("ISO code, or unknown for instrumental music")
    instrumental = _flag("no sung words wanted")
    requested_bpm = _count("tempo asked for, beats per minute")
    requested_key = _text("key asked for, e.g. A minor")
    time_signature = _text("2, 3, 4 or 6, as the server wants it")
    requested_duration_s = _real("length asked for, seconds", nullable=False)
    instruments = _texts("instruments named in the caption")
    texture = _text("texture word of the caption")
    profile = _text("name of the profile")
    takes_planned = _count("takes planned so far, top-ups included")
    takes_limit = _count("most takes ever made for this prompt")
    tracks_per_prompt = _count("tracks kept of it")
    lint_warnings = _texts("warnings of the matrix lint that ride along, RULE: text")


class PlannedTakes(Table):
    """What is to exist: one row per take, with the request that makes it."""

    TABLE = "planned_takes"
    take_id = _text(
        "hash of prompt, engine, model, variation and every request field that can change the sound", key=True
    )
    prompt_id = _text("its prompt")
    cell = _text("its cell")
    take_index = _count("0-based variation index within its prompt")
    engine = _text("ace-step, or preview")
    model = _text("DiT model that the profile declares")
    seed = _count("seed asked for, derived from the take id")
    request_json = _text("canonical JSON of the fields sent to /release_task")


class Takes(Table):
    """What was generated: the cell's manifest, one row per planned take."""

    TABLE = "takes"
    take_id = _text("its take", key=True)
    prompt_id = _text("its prompt")
    cell = _text("its cell")
    take_index = _count("0-based variation index within its prompt")
    plan_id = _text("the plan that the cell's run pinned")
    status = _text("stored, pruned (failed a gate, audio deleted), or failed")
    failure_class = _text("kind of failure where status is failed", nullable=True)
    failure_message = _text("what happened and what to do, one line", nullable=True)
    attempts = _count("submissions made for it in all")
    engine = _text("ace-step, or preview")
    preview = _flag("made by the embedded preview engine: never deliverable")
    requested_model = _text("DiT model asked for")
    reported_model = _text("DiT model that the server says it used", nullable=True)
    lm_model = _text("language model that the server says it used", nullable=True)
    adapter = _text("LoRA adapter asked for", nullable=True)
    requested_seed = _count("seed asked for")
    reported_seed = _text("seed that the server reports", nullable=True)
    seed_trusted = _flag("whether the server was seen to honour seeds; NULL where that was not tested", nullable=True)
    requested_duration_s = _real("length asked for, seconds", nullable=False)
    duration_s = _real("length of the file, seconds")
    duration_clamped = _flag("the server delivered less than was asked", nullable=True)
    sample_rate_hz = _count("sample rate of the file", nullable=True)
    channels = _count("channels of the file", nullable=True)
    audio_sha256 = _text("hash of the stored FLAC", nullable=True)
    audio_bytes = _count("size of the stored FLAC", nullable=True)
    server = _text("name of the server that made it", nullable=True)
    gpu = _text("GPU of that server, where known", nullable=True)
    server_s = _real("seconds on the server, from start to finish as seen by polling")
    queue_s = _real("seconds between submission and start as seen by polling")
    cost_usd = _real("what its GPU seconds cost at the server's declared price; NULL where no price is known")
    generated_at = _time("when it was stored", nullable=True)


class TakeScores(Table):
    """What was measured of every stored take, and what became of it."""

    TABLE = "take_scores"
    VERSION = 1
    take_id = _text("its take", key=True)
    prompt_id = _text("its prompt")
    cell = _text("its cell")
    take_index = _count("0-based variation index within its prompt")
    duration_s = _real("length of the audio, seconds")
    integrated_loudness_lufs = _real("integrated loudness (ITU-R BS.1770), LUFS")
    loudness_range_lu = _real("loudness range (EBU Tech 3342), LU")
    momentary_max_lufs = _real("highest momentary loudness, LUFS")
    short_term_max_lufs = _real("highest short-term loudness, LUFS")
    true_peak_dbtp = _real("true peak, dBTP")
    requested_bpm = _count("tempo asked for", nullable=True)
    measured_bpm = _real("tempo estimated, beats per minute")
    tempo_match = _real("0 to 1: how strongly the requested tempo is the pulse, octaves allowed")
    requested_key = _text("key asked for", nullable=True)
    measured_key = _text("key estimated", nullable=True)
    key_match = _text("exact, relative, fifth, parallel or none", nullable=True)
    requested_duration_s = _real("length asked for, seconds")
    stereo_correlation = _real("-1 to 1: correlation of left and right")
    mono_loss_db = _real("level lost when summed to mono, dB")
    bandwidth_hz = _real("frequency below which nearly all energy lies, Hz")
    repetition = _real("0 to 1: how much of the music comes back")
    fingerprint = dy.Binary(nullable=True, metadata=_doc("spectral fingerprint for near-duplicates"))
    gate_failures = _texts("technical defects; any rejects the take anywhere")
    fit_failures = _texts("breaches of the zone's policy; any rejects the take for this zone")
    signal_score = _real("0 to 100 from measured signal properties; NULL where a gate failed before measuring")
    score_basis = _text("what the score is built from: signal_only")
    score_version = _text("version of the score's weights and references")
    audiobox_cu = _real("Audiobox content usefulness; NULL until a scorer is configured")
    audiobox_pq = _real("Audiobox production quality; NULL until a scorer is configured")
    text_alignment = _real("CLAP similarity of audio and caption; NULL until a scorer is configured")
    duplicate_of = _text("take that this one is a near-duplicate of", nullable=True)
    fate = _text("kept, runner_up, rejected, duplicate, retired or superseded")
    why = _text("why, in words")
    scored_at = _time("when it was measured")


class Masters(Table):
    """The kept takes, mastered: one row per track."""

    TABLE = "masters"
    track_id = _text("stable id of the track: ACE- and ten Crockford base-32 characters of its take id", key=True)
    master_id = _text("hash of take, mastering settings and mastering version")
    take_id = _text("the kept take")
    prompt_id = _text("its prompt")
    cell = _text("its cell")
    status = _text("active, superseded (exportable until replaced), replaced or retired")
    title = _text("title")
    target_lufs = _real("integrated loudness wanted, LUFS", nullable=False)
    ceiling_dbtp = _real("highest true peak allowed, dBTP", nullable=False)
    integrated_loudness_lufs = _real("integrated loudness of the decoded master, LUFS", nullable=False)
    loudness_range_lu = _real("loudness range of the master, LU")
    true_peak_dbtp = _real("highest true peak over all decoded renditions, dBTP", nullable=False)
    second_meter_lufs = _real("integrated loudness by the independent meter, LUFS")
    gain_db = _real("gain applied, dB", nullable=False)
    limiter_max_reduction_db = _real("most that the limiter took off, dB", nullable=False)
    loudness_shortfall_lu = _real("how far below target it stays because peaks bind, LU", nullable=False)
    duration_s = _real("length of the master, seconds", nullable=False)
    cue_in_s = _real("where the sound starts, seconds")
    intro_end_s = _real("where the intro ends, seconds")
    outro_start_s = _real("where the outro starts, seconds")
    cue_out_s = _real("where a mix may leave, seconds")
    flac_sha256 = _text("hash of the FLAC master")
    flac_bytes = _count("size of the FLAC master")
    mp3_sha256 = _text("hash of the MP3 320 rendition", nullable=True)
    mp3_bytes = _count("size of the MP3 rendition", nullable=True)
    waveform = dy.Binary(
        nullable=True, metadata=_doc("peaks for pictures: 2 x 400 signed bytes, minimum and maximum in turn")
    )
    mastering_version = _text("version of the mastering code")
    mastered_at = _time("when it was mastered")


class Events(Table):
    """The append-only log of what happened to tracks; history can always be rebuilt from it."""

    TABLE = "events"
    event_id = _text("unique id, in order of time", key=True)
    happened_at = _time("when")
    kind = _text("kept, superseded, replaced, retired, restored, remastered or verdict")
    track_id = _text("the track")
    take_id = _text("its take")
    prompt_id = _text("its prompt")
    cell = _text("its cell")
    reason = _text("why, in words", nullable=True)
    actor = _text("command, asset or person that did it")
    details_json = _text("further facts as JSON", nullable=True)


class Runs(Table):
    """One row per run of a cell: what it did and what it cost."""

    TABLE = "runs"
    run_id = _text("Dagster's run id, or the command's own", key=True)
    cell = _text("the cell", key=True)
    plan_id = _text("the plan that was pinned")
    campaign = _text("the plan's campaign")
    started_at = _time("when generation started")
    ended_at = _time("when generation ended")
    takes_planned = _count("takes that the plan wants of the cell")
    takes_stored = _count("takes stored by this run")
    takes_reused = _count("takes that were already there")
    takes_failed = _count("takes that could not be made")
    submissions = _count("jobs submitted")
    server_s = _real("GPU seconds used, as seen by polling")
    cost_usd = _real("their cost at the servers' declared prices; NULL where no price is known")


ALL_TABLES: tuple[type[Table], ...] = (Cells, Prompts, PlannedTakes, Takes, TakeScores, Masters, Events, Runs)

# (table, version to upgrade from) -> a function that returns the frame in the next version
UPGRADES: dict[tuple[str, int], Callable[[pl.DataFrame], pl.DataFrame]] = {}


def polars_schema(table: type[Table]) -> dict[str, pl.DataType]:
    """Return the column types of a table, in order.

    >>> polars_schema(Events)["kind"]
    String
    """
    return {name: column.dtype for name, column in table.columns().items()}


def column_docs(table: type[Table]) -> dict[str, str]:
    """Return the one-line meaning of every column of a table, in order."""
    return {name: str((column.metadata or {}).get("doc", "")) for name, column in table.columns().items()}


def empty(table: type[Table]) -> pl.DataFrame:
    """Return a table without rows."""
    return pl.DataFrame(schema=polars_schema(table))


def from_rows(table: type[Table], rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Return rows as a validated table; a column that a row lacks is NULL.

    Raises:
        SchemaError: a row does not fit the schema.
    """
    schema = polars_schema(table)
    unknown = sorted({name for row in rows for name in row} - set(schema))
    if unknown:
        raise SchemaError(
            f"table {table.TABLE}", value=", ".join(unknown), expected="known columns", remedy="report this"
        )
    return validated(table, pl.DataFrame(rows, schema=schema, orient="row"))


def validated(table: type[Table], frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with its columns in order, checked against the schema.

    Raises:
        SchemaError: names the table and what does not hold.
    """
    try:
        return pl.DataFrame(table.validate(frame, cast=True))
    except (dy.exc.ValidationError, dy.exc.SchemaError, pl.exceptions.PolarsError) as error:
        raise SchemaError(
            f"table {table.TABLE}",
            value=error,
            expected=f"schema version {table.VERSION}",
            remedy="rerun what makes it",
        ) from error


def to_parquet(table: type[Table], frame: pl.DataFrame, *, facts: Mapping[str, Any] | None = None) -> bytes:
    """Return a validated table as Parquet bytes that carry the schema's name, its version and `facts` (JSON values)."""
    header = {"table": table.TABLE, "version": table.VERSION, "facts": dict(facts or {})}
    buffer = io.BytesIO()
    validated(table, frame).write_parquet(
        buffer, compression="zstd", metadata={METADATA_KEY: json.dumps(header, sort_keys=True)}
    )
    return buffer.getvalue()


def header_of(data: bytes, *, name: str) -> dict[str, Any]:
    """Return what a stored table says of itself: `{table, version, facts}`.

    Args:
        data: the Parquet bytes.
        name: what to call the table in an error, e.g. its key.

    Raises:
        SchemaError: not a Parquet file of ours.
    """
    import pyarrow.parquet as pq  # 30 MB that only a reader of stored tables needs

    try:
        metadata = pq.read_metadata(io.BytesIO(data)).metadata or {}
        header: dict[str, Any] = json.loads(metadata[METADATA_KEY.encode()])
    except (KeyError, ValueError, OSError) as error:
        raise SchemaError(
            name, value="unreadable", expected="a Parquet table of ace_assets", remedy="rerun its cell"
        ) from error
    return header


def from_parquet(table: type[Table], data: bytes, *, name: str) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Return a stored table in the present version, with its facts.

    Args:
        table: the schema expected.
        data: the Parquet bytes.
        name: what to call the table in an error, e.g. its key.

    Raises:
        SchemaError: corrupt, another table, newer than this code, or not valid after upgrading.
    """
    header = header_of(data, name=name)
    if header.get("table") != table.TABLE:
        raise SchemaError(name, value=header.get("table"), expected=f"table {table.TABLE}", remedy="rerun its cell")
    version = int(header.get("version", 0))
    if version > table.VERSION:
        raise SchemaError(
            name,
            value=f"schema version {version} of {table.TABLE}",
            expected=f"version {table.VERSION} or older",
            remedy="update ace_assets on this machine",
        )
    try:
        frame = pl.read_parquet(io.BytesIO(data))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise SchemaError(name, value="corrupt", expected=f"table {table.TABLE}", remedy="rerun its cell") from error
    while version < table.VERSION:
        upgrade = UPGRADES.get((table.TABLE, version))
        if upgrade is None:
            raise SchemaError(
                name, value=f"version {version}", expected=f"an upgrade to {table.VERSION}", remedy="rerun its cell"
            )
        frame = upgrade(frame)
        version += 1
    return validated(table, frame), dict(header.get("facts", {}))
