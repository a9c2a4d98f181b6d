"""Score the takes of one cell and decide their fate: the store in, the store out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import polars as pl

from ace_assets import tables
from ace_assets.audio.codecs import decode
from ace_assets.errors import AudioError, StoreError
from ace_assets.leases import Lease
from ace_assets.scoring.analysis import analyze
from ace_assets.scoring.fit import policy_for
from ace_assets.scoring.selection import DUPLICATE, REJECTED, select_takes
from ace_assets.store import Store

PRUNED_FATES = (REJECTED, DUPLICATE)
WORDS = ("retired", "restored")
FOREIGN_MARK = "@other-engine"


@dataclass(frozen=True)
class CellScores:
    """What became of a cell's takes: the whole manifest, how many were measured now, how many files were pruned."""

    frame: pl.DataFrame
    plan_id: str
    measured: int
    pruned: int


def score_cell(
    store: Store, cell: str, *, lease: Lease, progress: Callable[[str], None] = lambda take_id: None
) -> CellScores:
    """Measure what is new, decide every take's fate, store the manifest, then prune the audio that was rejected.

    Args:
        store: where the takes are and the scores go.
        cell: its partition key.
        lease: the cell's lease.
        progress: called with each take id that was measured.

    Raises:
        StoreError: the cell was never generated, or stored audio is damaged (it is forgotten, for a rerun to make).
    """
    takes = store.manifest(cell, tables.Takes)
    facts = store.manifest_facts(cell, tables.Takes)
    if takes is None or facts is None:
        raise StoreError(
            f"cell {cell}", value="no takes", expected="a generated cell", remedy="materialize generated_audio first"
        )
    plan_id = str(facts["plan_id"])
    prompts = store.plan_table(plan_id, tables.Prompts, cell=cell)
    previous = store.manifest(cell, tables.TakeScores)
    earlier = tables.empty(tables.TakeScores) if previous is None else previous
    known = set(earlier["take_id"])
    stored = takes.filter(pl.col("status") == "stored")
    fresh = stored.filter(~pl.col("take_id").is_in(known)).join(
        prompts.select("prompt_id", "zone", "requested_bpm", "requested_key"), on="prompt_id", how="inner"
    )
    rows = _measured(store, fresh, progress)
    events = store.events(cell)
    scores = pl.concat([earlier, tables.from_rows(tables.TakeScores, rows)]) if rows else earlier
    decided = select_takes(
        _apart(scores, _foreign(takes, store.plan_table(plan_id, tables.PlannedTakes, cell=cell))),
        tracks_per_prompt=_tracks_wanted(prompts, store.plan_table(plan_id, tables.Cells, cell=cell)),
        previous=earlier,
        retired=retired_takes(events),
    )
    decided = decided.with_columns(prompt_id=pl.col("prompt_id").str.strip_suffix(FOREIGN_MARK))
    frame = tables.validated(tables.TakeScores, decided.sort("prompt_id", "take_index", "take_id"))
    store.publish_manifest(cell, tables.TakeScores, frame, lease=lease, plan_id=plan_id, last_word=last_word(events))
    gone = frame.filter(pl.col("fate").is_in(PRUNED_FATES))["take_id"]
    pruned = _prune(store, cell, takes, gone, lease=lease, plan_id=plan_id, facts=facts)
    return CellScores(frame, plan_id, len(rows), pruned)


def _tracks_wanted(prompts: pl.DataFrame, cells: pl.DataFrame) -> dict[str, int]:
    """Return the tracks wanted of every prompt of the matrix, also of those that only a larger campaign plans.

    A smaller campaign than before supersedes nothing: only a prompt that the matrix no longer makes is gone.
    """
    wanted: dict[str, int] = {}
    for per_prompt, prompt_ids in cells.select("tracks_per_prompt", "matrix_prompt_ids").iter_rows():
        wanted |= dict.fromkeys(prompt_ids, per_prompt)
    return wanted | dict(prompts.select("prompt_id", "tracks_per_prompt").iter_rows())


def _foreign(takes: pl.DataFrame, planned: pl.DataFrame) -> list[str]:
    """Return the takes of another engine or model than the plan's: they never fill a place of the plan."""
    wanted = planned.select("engine", requested_model="model").unique()
    own = takes.join(wanted, on=["engine", "requested_model"], how="semi")["take_id"]
    return takes.filter(~pl.col("take_id").is_in(own.to_list()))["take_id"].to_list() if planned.height else []


def _apart(scores: pl.DataFrame, foreign: list[str]) -> pl.DataFrame:
    """Return the scores with the prompts of foreign takes marked as not the plan's."""
    marked = pl.when(pl.col("take_id").is_in(foreign)).then(pl.col("prompt_id") + FOREIGN_MARK)
    return scores.with_columns(prompt_id=marked.otherwise(pl.col("prompt_id")))


def _measured(store: Store, fresh: pl.DataFrame, progress: Callable[[str], None]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    damaged: list[str] = []
    for take in fresh.iter_rows(named=True):
        try:
            with store.take_audio(take["take_id"]) as path:
                audio = decode(path)
            found = analyze(
                audio,
                requested_bpm=take["requested_bpm"],
                requested_key=take["requested_key"],
                requested_duration_s=take["requested_duration_s"],
                fit=policy_for(take["zone"]),
            )
        except (AudioError, StoreError):
            store.quarantine_take(take["take_id"])
            damaged.append(take["take_id"])
            continue
        rows.append(
            {
                **{name: take[name] for name in ("take_id", "prompt_id", "cell", "take_index")},
                **{name: take[name] for name in ("requested_bpm", "requested_key", "requested_duration_s")},
                **found.as_columns(),
                "fate": REJECTED,  # until the selection has spoken
                "why": found.why,
                "scored_at": dt.datetime.now(dt.UTC),
            }
        )
        progress(take["take_id"])
    if damaged:
        raise StoreError(
            f"cell {fresh['cell'][0]}, stored takes {', '.join(damaged)}",
            value="damaged or missing audio",
            expected="FLAC that decodes",
            remedy="they were forgotten: rerun the cell and only they are made again",
        )
    return rows


def last_word(events: pl.DataFrame) -> str:
    """Return the id of the last event that a person caused, empty where there is none."""
    words = events.filter(pl.col("kind").is_in(WORDS))["event_id"]
    return str(words.max()) if len(words) else ""


def retired_takes(events: pl.DataFrame) -> dict[str, str]:
    """Return the reason per take whose last word in the history is that it was retired."""
    words = events.filter(pl.col("kind").is_in(WORDS)).sort("event_id")
    last = words.group_by("take_id", maintain_order=True).last()
    return {
        take_id: reason or "no reason given"
        for take_id, kind, reason in last.select("take_id", "kind", "reason").iter_rows()
        if kind == "retired"
    }


def _prune(
    store: Store,
    cell: str,
    takes: pl.DataFrame,
    gone: Iterable[str],
    *,
    lease: Lease,
    plan_id: str,
    facts: dict[str, object],
) -> int:
    """Say in the cell's takes which audio is no longer kept, then delete it."""
    wanted = set(gone)
    pruned = takes.filter(pl.col("take_id").is_in(wanted) & (pl.col("status") == "stored"))["take_id"].to_list()
    if pruned:
        marked = takes.with_columns(
            status=pl.when(pl.col("take_id").is_in(pruned)).then(pl.lit("pruned")).otherwise(pl.col("status"))
        )
        kept_facts = {name: value for name, value in facts.items() if name not in {"cell", "plan_id", "fence"}}
        store.publish_manifest(cell, tables.Takes, marked, lease=lease, plan_id=plan_id, **kept_facts)
    for take_id in sorted(wanted):
        store.prune_take(take_id)
    return len(pruned)
