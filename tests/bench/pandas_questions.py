"""The analysts' twenty questions in pandas, for comparison with the catalog's SQL; frames come from a release's Parquet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

Frames = dict[str, pd.DataFrame]
NAMES = (
    "tracks", "former_tracks", "takes", "gates", "cells", "verdicts", "quarantine", "claims", "packages",
    "package_tracks", "releases", "release_changes",
)  # fmt: skip


def coverage(f: Frames) -> pd.DataFrame:
    kept = f["tracks"].assign(
        e=f["tracks"].exportable.astype(int),
        d=f["tracks"].deliverable.astype(int),
        s=np.where(f["tracks"].exportable, f["tracks"].duration_s, 0.0),
    )
    kept = kept.groupby("cell").agg(
        kept=("track_id", "size"), exportable=("e", "sum"), deliverable=("d", "sum"), s=("s", "sum")
    )
    made = f["takes"][f["takes"].in_plan & (f["takes"].status != "failed")].groupby("cell").size().rename("finished")
    found = (
        f["cells"]
        .set_index("cell")
        .join(kept)
        .join(made)
        .fillna({"exportable": 0, "finished": 0, "s": 0.0})
        .reset_index()
    )
    found["hours"] = found.s / 3600
    found["gap"] = (found.target_tracks - found.exportable).clip(lower=0)
    found["plan_gap"] = (found.planned_tracks - found.exportable).clip(lower=0)
    return found


def made(f: Frames) -> pd.DataFrame:
    takes = f["takes"]
    takes = takes[takes.status.isin(["stored", "pruned"])]
    return takes.assign(
        passed=(takes.gate_failures.str.len() == 0) & (takes.fit_failures.str.len() == 0),
        kept=takes.track_id.isin(f["tracks"].track_id),
    )


def scored(f: Frames) -> pd.DataFrame:
    takes = f["takes"]
    takes = takes[takes.scored_at.notna()]
    return takes.assign(passed=(takes.gate_failures.str.len() == 0) & (takes.fit_failures.str.len() == 0))


def reject_reasons(f: Frames) -> Any:
    takes = scored(f)
    reasons = f["gates"].groupby(["kind", "gate"]).size()
    return pd.concat(
        [reasons / len(takes), pd.Series({("duplicate", "near_duplicate"): (takes.fate == "duplicate").mean()})]
    )


def hit_rate(f: Frames) -> Any:
    takes = f["takes"]
    takes = takes[takes.tempo_match.notna() | takes.key_match.notna()]
    takes = takes.assign(h=takes.tempo_match >= 0.7, e=takes.key_match == "exact", r=takes.key_match == "relative")
    return takes.groupby(["genre", "engine", "requested_model"])[["h", "e", "r"]].agg(["sum", "size"])


def clamped(f: Frames) -> Any:
    takes = f["takes"]
    takes = takes[takes.duration_s.notna()]
    missing = takes.requested_duration_s - takes.duration_s
    takes = takes.assign(c=takes.duration_clamped.fillna(False).astype(bool) | (missing > 2), m=missing)
    return takes.groupby(["server", "gpu", "requested_model"], dropna=False).agg(
        n=("c", "size"), c=("c", "sum"), m=("m", "max")
    )


def cost(f: Frames) -> Any:
    takes = made(f)
    found = (
        takes.assign(u=takes.cost_usd.isna())
        .groupby(["zone", "genre"])
        .agg(n=("kept", "size"), kept=("kept", "sum"), u=("u", "sum"), usd=("cost_usd", "sum"))
    )
    found["each"] = np.where(found.u == 0, found.usd / found.kept, np.nan)
    return found


def forecast(f: Frames) -> Any:
    takes = made(f)
    found = takes.groupby("zone").agg(
        n=("kept", "size"), kept=("kept", "sum"), s=("server_s", "mean"), usd=("cost_usd", "mean")
    )
    gaps = coverage(f).groupby("zone").gap.sum()
    return np.ceil(gaps * found.n / found.kept) * found.usd


def throughput(f: Frames) -> Any:
    takes = made(f)
    return takes.groupby(["gpu", "engine", "requested_model"], dropna=False).agg(
        s=("server_s", "mean"), d=("duration_s", "sum")
    )


def failures(f: Frames) -> Any:
    takes = f["takes"]
    return takes[(takes.status == "failed") & takes.in_plan][["cell", "take_id", "failure_class"]].sort_values(
        ["cell", "take_id"]
    )


def outliers(f: Frames) -> Any:
    tracks = f["tracks"]
    off = (tracks.integrated_loudness_lufs - tracks.target_lufs).abs()
    return tracks[(off > 0.5) | (tracks.true_peak_dbtp > tracks.ceiling_dbtp)][["track_id", "title", "cell"]]


def duplicates(f: Frames) -> Any:
    takes = f["takes"]
    found = takes[takes.duplicate_of.notna()]
    return found.merge(takes[["take_id", "cell", "track_id"]], left_on="duplicate_of", right_on="take_id", how="left")


def acceptance(f: Frames) -> Any:
    takes = scored(f)
    takes = takes.assign(score=takes.signal_score.where(takes.passed), became=takes.track_id.notna())
    return takes.groupby(["engine", "requested_model", "adapter", "score_version"], dropna=False).agg(
        n=("passed", "size"), a=("passed", "sum"), k=("became", "sum"), s=("score", "mean")
    )


def planner(f: Frames) -> Any:
    takes = scored(f)
    takes = takes.assign(
        lm=takes.lm_model.fillna("none"), score=takes.signal_score.where(takes.passed), h=takes.tempo_match >= 0.7
    )
    return takes.groupby(["engine", "lm"]).agg(
        a=("passed", "mean"), s=("score", "mean"), h=("h", "mean"), t=("server_s", "mean")
    )


def decisions(f: Frames) -> Any:
    kept = f["tracks"].groupby(["zone", "genre"]).size()
    heard = f["verdicts"][f["verdicts"].is_latest].groupby(["zone", "genre"]).track_id.nunique()
    return (
        f["cells"][["zone", "genre"]].drop_duplicates().set_index(["zone", "genre"]).join(kept.rename("k")).join(heard)
    )


def days(f: Frames) -> Any:
    found = coverage(f).groupby(["zone", "daypart"]).hours.sum().reset_index()
    return found.groupby("zone").hours.agg(["sum", "min", "size"])


def difference(f: Frames) -> Any:
    last = f["releases"].release_id.max()
    changes = f["release_changes"]
    return (
        changes[changes.release_id == last]
        .sort_values("release_id")
        .groupby("track_id")
        .agg({"cell": "first", "status_before": "first", "status_after": "last", "master_id_after": "last"})
    )


QUESTIONS: dict[str, Callable[[Frames], Any]] = {
    "exportable_hours": coverage,
    "gaps_to_target": lambda f: coverage(f).query("gap > 0").sort_values("gap"),
    "yield": lambda f: (
        made(f)
        .groupby(["genre", "engine", "requested_model", "adapter"], dropna=False)[["passed", "kept"]]
        .agg(["sum", "size"])
    ),
    "reject_reasons": reject_reasons,
    "tempo_and_key_hit_rate": hit_rate,
    "clamped_durations": clamped,
    "cost_per_kept_track": cost,
    "spend_forecast": forecast,
    "throughput": throughput,
    "open_failures": failures,
    "loudness_outliers": outliers,
    "near_duplicates": duplicates,
    "acceptance_by_model": acceptance,
    "planner_effect": planner,
    "preference": lambda f: f["verdicts"][f["verdicts"].is_latest].groupby(["genre", "listener", "verdict"]).size(),
    "decision_status": decisions,
    "packages_with_track": lambda f: f["package_tracks"].groupby("track_id").size(),
    "release_difference": difference,
    "days_without_repeat": days,
    "rights": lambda f: (
        f["tracks"]
        .groupby(["engine", "model", "adapter", "rights_status"], dropna=False)
        .agg(n=("track_id", "size"), e=("exportable", "sum"), d=("deliverable", "sum"))
    ),
}
