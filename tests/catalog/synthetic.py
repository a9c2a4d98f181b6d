"""Stores of any size without any music: a plan, manifests, a log and files of a few bytes, all from one seed.

The rows have every case that a question asks about: takes that failed, were pruned, rejected, duplicated, clamped; previews,
adapters, planners, GPUs with and without claims or prices; retired and superseded tracks; verdicts.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ace_assets import tables
from ace_assets.store import Store

ZONES = ("lobby", "retail", "spa")
GENRES = (
    "bossa-nova",
    "ambient",
    "deep-house",
    "neo-soul",
    "lo-fi",
    "piano",
    "jazz",
    "dream-pop",
    "disco",
    "dub",
    "folk",
    "nu-jazz",
)
DAYPARTS = ("morning", "midday", "afternoon", "evening")
MOODS = ("warm", "bright", "calm")
KEYS = np.array(["C major", "G major", "D major", "A minor", "E minor"])
TECHNICAL = np.array(["silence", "dropout", "clipping", "abrupt_ending", "noise_ending", "band_limited"])
FIT = np.array(["loudness_jump", "loudness_range", "wrong_tempo", "wrong_key"])
START = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
PLAN_ID = "plan-synthetic"
FLAC_BYTES, MP3_BYTES = 4, 3


@dataclass(frozen=True)
class Synthetic:
    """The whole frames that were written, for independent computations."""

    store: Store
    cells: pl.DataFrame
    prompts: pl.DataFrame
    planned_takes: pl.DataFrame
    takes: pl.DataFrame
    take_scores: pl.DataFrame
    masters: pl.DataFrame
    events: pl.DataFrame
    runs: pl.DataFrame


def all_cells(limit: int) -> list[str]:
    """Return cell keys, spread over zones and genres."""
    keys = [f"{z}.{g}.{d}.{m}" for m in MOODS for d in DAYPARTS for g in GENRES for z in ZONES]
    return keys[:limit]


def _ids(rng: np.random.Generator, count: int, prefix: str = "") -> list[str]:
    raw = rng.bytes(16 * count).hex()
    return [prefix + raw[i * 32 : i * 32 + 32] for i in range(count)]


def _crockford(rng: np.random.Generator, count: int) -> list[str]:
    letters = np.array(list("0123456789ABCDEFGHJKMNPQRSTVWXYZ"))
    picks = letters[rng.integers(0, 32, (count, 10))]
    return ["ACE-" + "".join(row) for row in picks]


def _frame(columns: dict[str, Any]) -> pl.DataFrame:
    """Return a frame; numpy's objects become texts with NULLs."""
    plain = {
        name: values.tolist() if isinstance(values, np.ndarray) and values.dtype == object else values
        for name, values in columns.items()
    }
    return pl.DataFrame(plain, strict=False)


def _waveforms(count: int) -> list[bytes]:
    """Return waveforms of 400 pairs, every one of its own, as music's are: from another seed than the rest."""
    raw = np.random.default_rng(count).bytes(800 * count)
    return [raw[place : place + 800] for place in range(0, len(raw), 800)]


def _lists(mask: np.ndarray, choice: np.ndarray, names: np.ndarray) -> list[list[str]]:
    return [[str(names[c])] if m else [] for m, c in zip(mask, choice, strict=True)]


def frames(tracks: int, *, takes_per_prompt: int = 4, cells: int = 432, seed: int = 1) -> dict[str, pl.DataFrame]:
    """Return the tables of a store with about `tracks` tracks, one prompt each, and `takes_per_prompt` takes a prompt."""
    rng = np.random.default_rng(seed)
    keys = all_cells(min(cells, tracks))
    per_cell = -(-tracks // len(keys))
    prompts_n = per_cell * len(keys)
    parts = pl.DataFrame({"cell": keys}).with_columns(
        pl.col("cell").str.split(".").list.to_struct(fields=["zone", "genre", "daypart", "mood"]).alias("p")
    )
    cells_frame = parts.unnest("p").with_columns(
        energy=pl.Series(rng.integers(1, 6, len(keys))).cast(pl.Int64),
        style_tier=pl.lit("common"),
        matrix_row=pl.int_range(2, len(keys) + 2).cast(pl.Int64),
        target_tracks=pl.lit(per_cell + 2, pl.Int64),
        planned_prompts=pl.lit(per_cell, pl.Int64),
        planned_tracks=pl.lit(per_cell, pl.Int64),
        tracks_per_prompt=pl.lit(1, pl.Int64),
        takes_per_prompt=pl.lit(takes_per_prompt, pl.Int64),
        takes_limit=pl.lit(2 * takes_per_prompt, pl.Int64),
        target_lufs=pl.lit(-16.0),
        ceiling_dbtp=pl.lit(-1.0),
        brand_include=pl.lit([], pl.List(pl.String)),
        brand_exclude=pl.lit([], pl.List(pl.String)),
        matrix_prompt_ids=pl.lit([], pl.List(pl.String)),
    )
    cell_of = np.repeat(np.arange(len(keys)), per_cell)
    prompts = pl.DataFrame(
        {
            "prompt_id": _ids(rng, prompts_n),
            "cell": np.array(keys)[cell_of],
            "prompt_index": np.tile(np.arange(per_cell), len(keys)),
            "requested_bpm": rng.integers(60, 130, prompts_n),
            "requested_key": KEYS[rng.integers(0, 5, prompts_n)],
            "requested_duration_s": rng.integers(120, 241, prompts_n).astype(float),
        }
    ).join(cells_frame.select("cell", "zone", "genre", "daypart", "mood", "energy"), on="cell", maintain_order="left")
    prompts = prompts.with_columns(
        title=pl.concat_str(pl.col("mood"), pl.lit(" "), pl.col("prompt_index").cast(pl.String)),
        caption=pl.concat_str(pl.col("genre"), pl.lit(", soft piano and upright bass, analogue tape, close room")),
        lyrics=pl.lit("[Instrumental]"),
        vocal_language=pl.lit("unknown"),
        instrumental=pl.lit(True),
        time_signature=pl.lit("4"),
        instruments=pl.lit(["piano", "upright bass"], pl.List(pl.String)),
        texture=pl.lit("analogue tape"),
        profile=pl.lit("production"),
        takes_planned=pl.lit(takes_per_prompt, pl.Int64),
        takes_limit=pl.lit(2 * takes_per_prompt, pl.Int64),
        tracks_per_prompt=pl.lit(1, pl.Int64),
        lint_warnings=pl.lit([], pl.List(pl.String)),
    )
    takes, scores = _takes(prompts, takes_per_prompt, rng)
    masters, events = _masters(prompts, takes, scores, rng)
    planned = takes.select(
        "take_id",
        "prompt_id",
        "cell",
        "take_index",
        "engine",
        pl.col("requested_model").alias("model"),
        pl.col("requested_seed").alias("seed"),
        pl.lit("{}").alias("request_json"),
    )
    runs = (
        takes.group_by("cell", maintain_order=True)
        .agg(
            takes_planned=pl.len().cast(pl.Int64),
            takes_stored=(pl.col("status") != "failed").sum().cast(pl.Int64),
            takes_failed=(pl.col("status") == "failed").sum().cast(pl.Int64),
            submissions=pl.col("attempts").sum(),
            server_s=pl.col("server_s").sum(),
            cost_usd=pl.col("cost_usd").sum(),
        )
        .with_row_index("n")
        .with_columns(
            run_id=pl.concat_str(pl.lit("run-"), pl.col("n").cast(pl.String)),
            plan_id=pl.lit(PLAN_ID),
            campaign=pl.lit("full_catalog"),
            started_at=pl.lit(START).cast(tables.UTC_TIME) + pl.duration(minutes=pl.col("n").cast(pl.Int64) * 7),
            takes_reused=pl.lit(0, pl.Int64),
        )
        .with_columns(ended_at=pl.col("started_at") + pl.duration(minutes=6))
    )
    made = {
        "cells": (tables.Cells, cells_frame),
        "prompts": (tables.Prompts, prompts),
        "planned_takes": (tables.PlannedTakes, planned),
        "takes": (tables.Takes, takes),
        "take_scores": (tables.TakeScores, scores),
        "masters": (tables.Masters, masters),
        "events": (tables.Events, events),
        "runs": (tables.Runs, runs),
    }
    return {
        name: frame.select(pl.col(column).cast(dtype) for column, dtype in tables.polars_schema(table).items())
        for name, (table, frame) in made.items()
    }


def _takes(prompts: pl.DataFrame, per_prompt: int, rng: np.random.Generator) -> tuple[pl.DataFrame, pl.DataFrame]:
    n = prompts.height * per_prompt
    of = np.repeat(np.arange(prompts.height), per_prompt)
    index = np.tile(np.arange(per_prompt), prompts.height)
    zone = prompts["zone"].to_numpy()[of]
    failed = (rng.random(n) < 0.01) & (index > 0)
    rejected = (rng.random(n) < 0.2) & (index > 0) & ~failed
    misfit = (rng.random(n) < 0.1) & (index > 0) & ~failed
    preview = zone == "spa"
    clamped = (rng.random(n) < 0.02) & ~failed
    requested_duration_s = prompts["requested_duration_s"].to_numpy()[of]
    gpu = np.where(preview, None, np.where(rng.random(n) < 0.5, "NVIDIA GeForce RTX 4090", "NVIDIA A100-SXM4-80GB"))
    server_s = np.round(rng.uniform(1.5, 6.0, n), 3)
    base = _frame(
        {
            "take_id": _ids(rng, n),
            "prompt_id": prompts["prompt_id"].gather(of),
            "cell": prompts["cell"].gather(of),
            "take_index": index,
            "plan_id": [PLAN_ID] * n,
            "status": np.where(failed, "failed", np.where(rejected, "pruned", "stored")),
            "failure_class": np.where(failed, "server_error", None),
            "failure_message": np.where(failed, "the server said no; rerun the cell", None),
            "attempts": 1 + rng.integers(0, 2, n),
            "engine": np.where(preview, "preview", "ace-step"),
            "preview": preview,
            "requested_model": np.where(
                preview, "preview", np.where(rng.random(n) < 0.7, "acestep-v15-turbo", "acestep-v15-sft")
            ),
            "lm_model": np.where(rng.random(n) < 0.5, "acestep-5Hz-lm-0.6B", None),
            "adapter": np.where((zone == "lobby") & (rng.random(n) < 0.1), "lobby-lora", None),
            "requested_seed": rng.integers(0, 2**31, n),
            "requested_duration_s": requested_duration_s,
            "duration_s": np.where(
                failed, np.nan, np.where(clamped, requested_duration_s / 2, requested_duration_s - 0.25)
            ),
            "duration_clamped": clamped,
            "sample_rate_hz": np.full(n, 48000),
            "channels": np.full(n, 2),
            "audio_bytes": rng.integers(10_000_000, 30_000_000, n),
            "server": np.where(
                failed, None, np.where(preview, "embedded", np.where(gpu == "NVIDIA A100-SXM4-80GB", "gpu-a", "gpu-b"))
            ),
            "gpu": gpu,
            "server_s": np.where(failed, np.nan, server_s),
            "queue_s": np.round(rng.uniform(0, 4, n), 3),
            "cost_usd": np.where(failed | preview, np.nan, np.round(server_s * 1.5 / 3600, 8)),
            "second": np.arange(n),
        }
    ).with_columns(pl.col("duration_s", "server_s", "cost_usd").fill_nan(None))
    takes = base.with_columns(
        reported_model=pl.when(pl.col("status") == "failed").then(None).otherwise(pl.col("requested_model")),
        reported_seed=pl.col("requested_seed").cast(pl.String),
        seed_trusted=pl.lit(True),
        audio_sha256=pl.col("take_id"),
        generated_at=pl.when(pl.col("status") == "failed")
        .then(None)
        .otherwise(pl.lit(START).cast(tables.UTC_TIME) + pl.duration(seconds=pl.col("second"))),
    )
    scored = ~failed
    duplicate = (rng.random(n) < 0.01) & (index > 1) & scored & ~rejected & ~misfit
    scores = _frame(
        {
            "take_id": base["take_id"],
            "prompt_id": base["prompt_id"],
            "cell": base["cell"],
            "take_index": index,
            "duration_s": base["duration_s"],
            "integrated_loudness_lufs": np.round(rng.normal(-14, 2, n), 2),
            "loudness_range_lu": np.round(rng.uniform(2, 9, n), 2),
            "momentary_max_lufs": np.round(rng.normal(-10, 1, n), 2),
            "short_term_max_lufs": np.round(rng.normal(-11, 1, n), 2),
            "true_peak_dbtp": np.round(rng.normal(-0.5, 0.3, n), 2),
            "requested_bpm": prompts["requested_bpm"].gather(of),
            "measured_bpm": np.round(prompts["requested_bpm"].to_numpy()[of] * rng.normal(1, 0.02, n), 2),
            "tempo_match": np.round(np.clip(rng.normal(0.85, 0.15, n), 0, 1), 3),
            "requested_key": prompts["requested_key"].gather(of),
            "measured_key": KEYS[rng.integers(0, 5, n)],
            "key_match": np.array(["exact", "relative", "fifth", "parallel", "none"])[rng.integers(0, 5, n)],
            "requested_duration_s": requested_duration_s,
            "stereo_correlation": np.round(rng.uniform(0, 1, n), 3),
            "mono_loss_db": np.round(rng.uniform(0, 2, n), 3),
            "bandwidth_hz": rng.uniform(14000, 20000, n).round(),
            "repetition": np.round(rng.uniform(0, 1, n), 3),
            "gate_failures": _lists(rejected, rng.integers(0, len(TECHNICAL), n), TECHNICAL),
            "fit_failures": _lists(misfit, rng.integers(0, len(FIT), n), FIT),
            "signal_score": np.round(rng.uniform(30, 95, n), 1),
            "duplicate_of": np.where(duplicate, base["take_id"].gather(np.maximum(np.arange(n) - index, 0)), None),
            "second": np.arange(n),
        }
    ).with_columns(
        signal_score=pl.when(pl.col("gate_failures").list.len() > 0).then(None).otherwise(pl.col("signal_score")),
        score_basis=pl.lit("signal_only"),
        score_version=pl.lit("s1"),
        audiobox_cu=pl.lit(None, pl.Float64),
        audiobox_pq=pl.lit(None, pl.Float64),
        text_alignment=pl.lit(None, pl.Float64),
        fingerprint=pl.lit(None, pl.Binary),
        scored_at=pl.lit(START).cast(tables.UTC_TIME) + pl.duration(seconds=pl.col("second")),
    )
    scores = scores.filter(pl.Series(scored))
    good = (
        (pl.col("gate_failures").list.len() == 0)
        & (pl.col("fit_failures").list.len() == 0)
        & pl.col("duplicate_of").is_null()
    )
    best = (
        scores.filter(good)
        .sort("signal_score", "take_id", descending=True)
        .unique("prompt_id", keep="first", maintain_order=True)
    )
    scores = scores.with_columns(
        fate=pl.when(pl.col("take_id").is_in(best["take_id"].implode()))
        .then(pl.lit("kept"))
        .when(pl.col("duplicate_of").is_not_null())
        .then(pl.lit("duplicate"))
        .when(good)
        .then(pl.lit("runner_up"))
        .otherwise(pl.lit("rejected")),
        why=pl.lit("the best of its prompt, or not"),
    )
    return takes, scores


def _masters(
    prompts: pl.DataFrame, takes: pl.DataFrame, scores: pl.DataFrame, rng: np.random.Generator
) -> tuple[pl.DataFrame, pl.DataFrame]:
    kept = scores.filter(pl.col("fate") == "kept").join(
        prompts.select("prompt_id", "title"), on="prompt_id", maintain_order="left"
    )
    n = kept.height
    outlier = rng.random(n) < 0.005
    state = rng.choice(["active", "superseded", "retired"], n, p=[0.96, 0.02, 0.02])
    loudness = np.round(np.where(outlier, -18.0, -16.0) + rng.normal(0, 0.05, n), 3)
    masters = kept.select(
        "take_id",
        "prompt_id",
        "cell",
        "title",
        "duration_s",
        "loudness_range_lu",
        track_id=pl.Series(_crockford(rng, n)),
        master_id=pl.Series(_ids(rng, n)),
        status=pl.Series(state),
        target_lufs=pl.lit(-16.0),
        ceiling_dbtp=pl.lit(-1.0),
        integrated_loudness_lufs=pl.Series(loudness),
        true_peak_dbtp=pl.Series(np.round(rng.uniform(-3, -1.0, n), 3)),
        second_meter_lufs=pl.Series(loudness),
        gain_db=pl.Series(np.round(rng.normal(-2, 1, n), 2)),
        limiter_max_reduction_db=pl.Series(np.round(rng.uniform(0, 3, n), 2)),
        loudness_shortfall_lu=pl.lit(0.0),
        cue_in_s=pl.lit(0.1),
        intro_end_s=pl.lit(8.0),
        outro_start_s=pl.col("duration_s") - 10,
        cue_out_s=pl.col("duration_s") - 2,
        flac_sha256=pl.Series(_ids(rng, n)),
        flac_bytes=pl.lit(FLAC_BYTES, pl.Int64),
        mp3_sha256=pl.Series(_ids(rng, n)),
        mp3_bytes=pl.lit(MP3_BYTES, pl.Int64),
        waveform=pl.Series(_waveforms(n)),
        mastering_version=pl.lit("m1"),
        mastered_at=pl.col("scored_at") + pl.duration(hours=1),
    )
    first = masters.select(
        happened_at=pl.col("mastered_at"),
        kind=pl.lit("kept"),
        track_id="track_id",
        take_id="take_id",
        prompt_id="prompt_id",
        cell="cell",
        reason=pl.lit("the best of its prompt"),
        actor=pl.lit("masters"),
    )
    later = masters.filter(pl.col("status") != "active").select(
        happened_at=pl.col("mastered_at") + pl.duration(days=3),
        kind=pl.col("status"),
        track_id="track_id",
        take_id="take_id",
        prompt_id="prompt_id",
        cell="cell",
        reason=pl.lit("somebody did not like it"),
        actor=pl.lit("retire"),
    )
    said = masters.filter(pl.Series(rng.random(n) < 0.02)).with_columns(
        verdict=pl.col("track_id").str.slice(-1).is_in(["0", "1", "2", "3"])
    )
    verdicts = said.select(
        happened_at=pl.col("mastered_at") + pl.duration(days=1),
        kind=pl.lit("verdict"),
        track_id="track_id",
        take_id="take_id",
        prompt_id="prompt_id",
        cell="cell",
        reason=pl.lit("as heard"),
        actor=pl.lit("review import"),
        details_json=pl.when(pl.col("verdict"))
        .then(pl.lit(json.dumps({"verdict": "reject", "listener": "ana"})))
        .otherwise(pl.lit(json.dumps({"verdict": "keep", "listener": "ben"}))),
    )
    events = pl.concat([first, later, verdicts], how="diagonal").sort("happened_at", "track_id").with_row_index("n")
    return masters, events.with_columns(
        event_id=pl.concat_str(
            pl.col("happened_at").dt.strftime("%Y%m%dT%H%M%S%6f"), pl.lit("-"), pl.col("n").cast(pl.String).str.zfill(8)
        )
    )


def _parquet(table: type[tables.Table], frame: pl.DataFrame, path: Path, facts: dict[str, Any]) -> None:
    header = json.dumps({"table": table.TABLE, "version": table.VERSION, "facts": facts}, sort_keys=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(path, compression="zstd", metadata={tables.METADATA_KEY: header})


def write_store(root: Path, made: dict[str, pl.DataFrame], *, plan_id: str = PLAN_ID, audio: bool = True) -> Synthetic:
    """Write a store from frames, past the validation that makes `tables.to_parquet` slow for thousands of files."""
    store = Store.open(str(root))
    facts = {"plan_id": plan_id, "campaign": "full_catalog", "engine": "ace-step", "profile": "production"}
    folder = root / "plans" / plan_id
    for name, table in (("cells", tables.Cells), ("prompts", tables.Prompts), ("planned_takes", tables.PlannedTakes)):
        _parquet(table, made[name], folder / f"{name}.parquet", {"plan_id": plan_id})
    (folder / "plan.json").write_text(json.dumps(facts), encoding="utf-8")
    (root / "plans" / "current.json").write_text(json.dumps({"plan_id": plan_id}), encoding="utf-8")
    for name, table in (("takes", tables.Takes), ("take_scores", tables.TakeScores), ("masters", tables.Masters)):
        for (cell,), rows in made[name].partition_by("cell", as_dict=True, maintain_order=True).items():
            _parquet(table, rows, root / "cells" / str(cell) / f"{name}.parquet", {"cell": cell, "plan_id": plan_id})
    for (cell,), rows in made["events"].partition_by("cell", as_dict=True, maintain_order=True).items():
        _parquet(tables.Events, rows, root / "events" / str(cell) / "00000000T000000000000-0.parquet", {"cell": cell})
    for (cell, run_id), rows in made["runs"].partition_by("cell", "run_id", as_dict=True, maintain_order=True).items():
        _parquet(tables.Runs, rows, root / "runs" / str(cell) / f"{run_id}.parquet", {"cell": cell})
    if audio:
        for master_id in made["masters"].filter(pl.col("status") != "retired")["master_id"]:
            path = root / "masters" / master_id[:2]
            path.mkdir(parents=True, exist_ok=True)
            (path / f"{master_id}.flac").write_bytes(b"f" * FLAC_BYTES)
            (path / f"{master_id}.mp3").write_bytes(b"m" * MP3_BYTES)
    return Synthetic(store, **made)


def make_store(root: Path, tracks: int, *, takes_per_prompt: int = 4, cells: int = 432, seed: int = 1) -> Synthetic:
    """Write a store with about `tracks` tracks (exactly, where they divide among the cells)."""
    return write_store(root, frames(tracks, takes_per_prompt=takes_per_prompt, cells=cells, seed=seed))
