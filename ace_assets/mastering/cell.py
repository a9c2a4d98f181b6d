"""Master the kept takes of one cell: the store in, the store out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from ace_assets import tables
from ace_assets.audio.codecs import decode
from ace_assets.audio.tags import TrackTags, disclosed
from ace_assets.errors import StoreError
from ace_assets.identity import master_id as id_of_master
from ace_assets.identity import track_id as id_of_track
from ace_assets.leases import Lease
from ace_assets.mastering.master import MASTERING_VERSION, master
from ace_assets.mastering.settings import MasteringSettings
from ace_assets.store import Store, new_event_id

ARTIST = "ACE-Step v1.5"
PREVIEW_ARTIST = "Preview engine (not ACE-Step)"
PREVIEW_ALBUM = "PREVIEW - not for delivery"
NO_WORDS = "zxx"  # ISO 639-2: no linguistic content


@dataclass(frozen=True)
class CellMasters:
    """A cell's tracks: the whole manifest, how many were mastered now, how many prompts lack a track."""

    frame: pl.DataFrame
    plan_id: str
    made: int
    lacking: int


def settings_of(cell_row: Mapping[str, Any]) -> MasteringSettings:
    """Return how the tracks of a cell are mastered: its own target and ceiling."""
    return MasteringSettings(target_lufs=cell_row["target_lufs"], ceiling_dbtp=cell_row["ceiling_dbtp"])


def master_cell(
    store: Store,
    cell: str,
    *,
    lease: Lease,
    actor: str,
    progress: Callable[[str], None] = lambda track_id: None,
    **facts: Any,
) -> CellMasters:
    """Master every kept take that has no master yet, store the manifest, write the history.

    Args:
        store: where the takes are and the masters go.
        cell: its partition key.
        lease: the cell's lease.
        actor: who does it, for the history.
        progress: called with each track id that was mastered.
        facts: further facts to carry in the manifest.

    Raises:
        StoreError: the cell was never scored.
        MasteringError: a master failed its verification; those already made are kept.
    """
    scores = store.manifest(cell, tables.TakeScores)
    score_facts = store.manifest_facts(cell, tables.TakeScores)
    takes = store.manifest(cell, tables.Takes)
    if scores is None or takes is None or score_facts is None:
        raise StoreError(f"cell {cell}", value="no scores", expected="a scored cell", remedy="run take_scores first")
    plan_id = str(score_facts["plan_id"])
    prompts = {row["prompt_id"]: row for row in store.plan_table(plan_id, tables.Prompts, cell=cell).to_dicts()}
    cells = store.plan_table(plan_id, tables.Cells, cell=cell).to_dicts()
    previous = store.manifest(cell, tables.Masters)
    planned = set(prompts)
    wanted = sum(prompt["tracks_per_prompt"] for prompt in prompts.values())
    before = {} if previous is None else {row["take_id"]: row for row in previous.to_dicts()}
    take_rows = {row["take_id"]: row for row in takes.to_dicts()}
    rows: dict[str, dict[str, Any]] = {}
    made = 0
    for take_id in scores.filter(pl.col("fate") == "kept")["take_id"] if cells else []:
        row = take_rows[take_id]
        if row["prompt_id"] not in prompts:  # kept of a larger campaign: the plan that made it knows the prompt
            older = store.plan_table(row["plan_id"], tables.Prompts, cell=cell).to_dicts()
            prompts |= {found["prompt_id"]: found for found in older if found["prompt_id"] not in prompts}
        prompt = prompts[row["prompt_id"]]
        settings = settings_of(cells[0])
        mastered, new = _mastered(store, row, prompt, settings, before.get(take_id))
        rows[take_id] = mastered
        if new:
            made += 1
        progress(mastered["track_id"])
    lacking = max(0, wanted - sum(row["prompt_id"] in planned for row in rows.values()))
    for take_id, fate in scores.select("take_id", "fate").iter_rows():
        if take_id in before and take_id not in rows:
            rows[take_id] = before[take_id] | {
                "status": _left_status(before[take_id]["status"], fate, complete=lacking == 0)
            }
    frame = tables.from_rows(tables.Masters, sorted(rows.values(), key=lambda row: str(row["track_id"])))
    events = _events(before, rows, scores, cell=cell, actor=actor)
    store.publish_manifest(cell, tables.Masters, frame, lease=lease, plan_id=plan_id, **facts, tracks_lacking=lacking)
    store.append_events(cell, events)
    return CellMasters(frame, plan_id, made, lacking)


def _left_status(before: str, fate: str, *, complete: bool) -> str:
    """Return the status of a track that is no longer kept."""
    if fate == "superseded":
        return "replaced" if complete or before == "replaced" else "superseded"
    return "retired"


def _mastered(
    store: Store,
    take: Mapping[str, Any],
    prompt: Mapping[str, Any],
    settings: MasteringSettings,
    before: Mapping[str, Any] | None,
) -> tuple[dict[str, Any], bool]:
    """Return the track's row, and whether it was mastered now."""
    master_id = id_of_master(take["take_id"], settings.canonical(), str(MASTERING_VERSION))
    if before is not None and before["master_id"] == master_id and store.has_master(master_id):
        return {**before, "status": "active"}, False
    finished = store.master_facts(master_id)
    if finished is not None and store.has_master(master_id):
        row = {**finished, "mastered_at": dt.datetime.fromisoformat(finished["mastered_at"])}
        row["waveform"] = bytes.fromhex(finished["waveform"])
        return row, False
    track_id = id_of_track(take["take_id"])
    with store.scratch() as folder, store.take_audio(take["take_id"]) as source:
        outputs = {"flac": folder / f"{master_id}.flac", "mp3": folder / f"{master_id}.mp3"}
        # Nobody else holds the take: it is overwritten by its master, and let go.
        report = master(decode(source), outputs, settings, tags=_tags(track_id, take, prompt), overwrite=True)
        flac, mp3 = report.renditions["flac"], report.renditions["mp3"]
        row = {
            "track_id": track_id,
            "master_id": master_id,
            "take_id": take["take_id"],
            "prompt_id": take["prompt_id"],
            "cell": take["cell"],
            "status": "active",
            "title": prompt["title"],
            "target_lufs": settings.target_lufs,
            "ceiling_dbtp": settings.ceiling_dbtp,
            "integrated_loudness_lufs": flac.integrated_loudness_lufs,
            "loudness_range_lu": report.loudness_range_lu,
            "true_peak_dbtp": max(item.true_peak_dbtp for item in report.renditions.values()),
            "second_meter_lufs": report.second_meter_lufs,
            "gain_db": report.gain_db,
            "limiter_max_reduction_db": report.limiter_max_reduction_db,
            "loudness_shortfall_lu": report.loudness_shortfall_lu,
            "duration_s": report.duration_s,
            **{f"{name}_s": value for name, value in report.cues.by_name().items()},
            "flac_sha256": flac.sha256,
            "flac_bytes": flac.bytes,
            "mp3_sha256": mp3.sha256,
            "mp3_bytes": mp3.bytes,
            "waveform": _waveform(report.waveform),
            "mastering_version": str(MASTERING_VERSION),
            "mastered_at": dt.datetime.now(dt.UTC),
        }
        kept = {**row, "mastered_at": row["mastered_at"].isoformat(), "waveform": row["waveform"].hex()}
        store.publish_master(master_id, outputs, kept)
    return row, True


def _waveform(outline: np.ndarray[Any, np.dtype[np.float32]]) -> bytes:
    """Return the peaks as signed bytes, minimum and maximum in turn."""
    extremes = np.clip(np.rint(outline * 127), -127, 127).astype(np.int8)
    return bytes(extremes.tobytes())


def _tags(track_id: str, take: Mapping[str, Any], prompt: Mapping[str, Any]) -> TrackTags:
    preview = take["preview"]
    made_at: dt.datetime | None = take["generated_at"]
    tags = TrackTags(
        title=prompt["title"],
        artist=PREVIEW_ARTIST if preview else ARTIST,
        album=PREVIEW_ALBUM if preview else f"{prompt['zone']} / {prompt['genre']}",
        genre=prompt["genre"].replace("-", " ").title(),
        date=str(made_at.year) if made_at else "",
        language=NO_WORDS if prompt["instrumental"] else "",
        bpm=prompt["requested_bpm"],
        key=prompt["requested_key"],
        track_id=track_id,
        seed=take["requested_seed"],
        prompt_id=take["prompt_id"],
    )
    return disclosed(tags, model=take["reported_model"] or take["requested_model"], trained=not preview)


def _events(
    before: Mapping[str, Mapping[str, Any]],
    after: Mapping[str, Mapping[str, Any]],
    scores: pl.DataFrame,
    *,
    cell: str,
    actor: str,
) -> pl.DataFrame:
    """Return what happened to the cell's tracks; retiring and restoring write their own events."""
    why = dict(scores.select("take_id", "why").iter_rows())
    now = dt.datetime.now(dt.UTC)
    rows = []
    for take_id, row in after.items():
        old = before.get(take_id)
        status = row["status"]
        if old is None and status == "active":
            kind = "kept"
        elif old is None or old["status"] == status:
            if old is None or old["master_id"] == row["master_id"]:
                continue
            kind = "remastered"
        elif status in {"superseded", "replaced"}:
            kind = status
        elif status == "active":
            kind = "kept"
        else:
            continue
        rows.append(
            {
                "event_id": new_event_id(now),
                "happened_at": now,
                "kind": kind,
                "track_id": row["track_id"],
                "take_id": take_id,
                "prompt_id": row["prompt_id"],
                "cell": cell,
                "reason": why.get(take_id),
                "actor": actor,
            }
        )
    return tables.from_rows(tables.Events, rows) if rows else tables.empty(tables.Events)
