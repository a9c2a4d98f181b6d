"""Small real catalogs for the tests of packages: real masters in a real store, rows as a release gives them."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ace_assets import tables
from ace_assets.audio import renditions
from ace_assets.audio.codecs import write_flac
from ace_assets.blobs import LocalBlobs
from ace_assets.packages.rows import PackageTrack, ReleaseRows
from ace_assets.packages.venues import Venue, parse_venues
from ace_assets.store import Store

RATE_HZ = 48_000
RELEASED_AT = dt.datetime(2026, 11, 25, 3, 0, tzinfo=dt.UTC)
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def track_id(number: int) -> str:
    """Return a valid track id."""
    digits = []
    for _ in range(10):
        digits.append(ALPHABET[number % 32])
        number //= 32
    return "ACE-" + "".join(reversed(digits))


def row(number: int, **changes: Any) -> dict[str, Any]:
    """Return one track's row with plausible values."""
    daypart = changes.get("daypart", "day")
    genre = changes.get("genre", "jazz")
    zone = changes.get("zone", "lobby")
    mood = changes.get("mood", "warm")
    base: dict[str, Any] = {
        "track_id": track_id(number),
        "master_id": f"{number:08x}master",
        "take_id": f"take-{number:06d}",
        "prompt_id": f"prompt-{number:06d}",
        "cell": f"{zone}.{genre}.{daypart}.{mood}",
        "zone": zone,
        "genre": genre,
        "daypart": daypart,
        "mood": mood,
        "energy": 1 + number % 5,
        "title": f"Evening Walk {number}",
        "caption": "a calm jazz trio",
        "instrumental": True,
        "requested_bpm": 100,
        "measured_bpm": 80.0 + number % 40,
        "requested_key": "A minor",
        "measured_key": "C major",
        "requested_duration_s": 180.0,
        "duration_s": 180.0,
        "integrated_loudness_lufs": -16.0,
        "loudness_range_lu": 4.0,
        "true_peak_dbtp": -1.2,
        "ceiling_dbtp": -1.0,
        "cue_in_s": 0.0,
        "intro_end_s": 0.5,
        "outro_start_s": 1.5,
        "cue_out_s": 2.0,
        "waveform": bytes(range(200)) * 4,
        "signal_score": 50.0 + number % 50,
        "gate_failures": [],
        "fit_failures": [],
        "lint_warnings": [],
        "brand_include": [],
        "brand_exclude": [],
        "status": "active",
        "exportable": True,
        "preview": False,
        "quarantined": False,
        "engine": "ace-step",
        "model": "acestep-v15-turbo",
        "model_weights_licence": "MIT",
        "rights_status": "known",
        "requested_seed": 7 + number,
        "profile": "production",
        "flac_sha256": "0" * 64,
        "mp3_sha256": "0" * 64,
        "mastering_version": "1",
        "generated_at": dt.datetime(2026, 11, 20, tzinfo=dt.UTC),
        "mastered_at": dt.datetime(2026, 11, 21, tzinfo=dt.UTC),
    }
    return {**base, **changes}


def frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Return rows as a validated frame."""
    return tables.from_rows(PackageTrack, rows)


def release(rows: list[dict[str, Any]], release_id: str = "r1", when: dt.datetime = RELEASED_AT) -> ReleaseRows:
    """Return rows as a release."""
    return ReleaseRows.checked(frame(rows), release_id, when)


def venue(**changes: Any) -> Venue:
    """Return a venue open for 16 hours a day, with one daypart."""
    settings: dict[str, Any] = {
        "name": "Test Hotel",
        "zone": "lobby",
        "time_zone": "Asia/Bangkok",
        "opening_hours": {"daily": "06:00-22:00"},
        "dayparts": {"day": "06:00-22:00"},
    }
    settings |= changes
    return parse_venues({"venues": {"test-hotel": settings}})["test-hotel"]


def short_venue(**changes: Any) -> Venue:
    """Return a venue open for a minute a day on two days, for tracks of a few seconds."""
    settings: dict[str, Any] = {
        "opening_hours": {"daily": "09:00-09:01"},
        "dayparts": {"day": "08:00-20:00"},
        "days": 2,
        "no_repeat_hours": 0.008,
    }
    return venue(**{**settings, **changes})


_MASTERS: dict[tuple[int, float], Mapping[str, bytes]] = {}
_MEASURED: dict[tuple[int, float], tuple[float, float]] = {}


def _master(folder: Path, kind: int, duration_s: float) -> tuple[Mapping[str, bytes], tuple[float, float]]:
    """Return a master's files and their loudness and peak; the same few pieces of music serve all tests."""
    key = (kind, duration_s)
    if key not in _MASTERS:
        time_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
        tone = 0.25 * np.sin(2 * np.pi * (220 + 55 * kind) * time_s) * np.minimum(1, 20 * (duration_s - time_s))
        pcm = np.round(np.column_stack([tone, 0.9 * tone]) * 32767).astype(np.int16)
        source = folder / f"source-{kind}.flac"
        write_flac(source, pcm, RATE_HZ)
        files = {name: folder / f"m{kind}.{name}" for name in ("flac", "mp3")}
        made = renditions.render(source, files)
        _MASTERS[key] = {name: path.read_bytes() for name, path in files.items()}
        _MEASURED[key] = (
            made["flac"].integrated_loudness_lufs,
            max(made["flac"].true_peak_dbtp, made["mp3"].true_peak_dbtp),
        )
    return _MASTERS[key], _MEASURED[key]


def stored_catalog(
    tmp_path: Path,
    count: int,
    *,
    duration_s: float = 3.0,
    changes: Mapping[int, dict[str, Any]] | None = None,
    **common: Any,
) -> tuple[Store, list[dict[str, Any]]]:
    """Return a store with `count` real masters and their rows."""
    store = Store(LocalBlobs(tmp_path / "data"))
    rows = []
    scratch = tmp_path / "masters"
    scratch.mkdir()
    for number in range(count):
        files, (lufs, dbtp) = _master(scratch, number % 3, duration_s)
        facts = {
            "duration_s": duration_s,
            "integrated_loudness_lufs": lufs,
            "true_peak_dbtp": dbtp,
            "flac_sha256": hashlib.sha256(files["flac"]).hexdigest(),
            "mp3_sha256": hashlib.sha256(files["mp3"]).hexdigest(),
        }
        made = row(number, **{**facts, **common, **(changes or {}).get(number, {})})
        paths = {}
        for name, data in files.items():
            paths[name] = scratch / f"{number}.{name}"
            paths[name].write_bytes(data)
        store.publish_master(made["master_id"], paths, {})
        rows.append(made)
    return store, rows
