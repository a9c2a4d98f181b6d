"""`masters[cell]`: the kept takes, mastered. Storage: masters/ by identity, cells/<cell>/masters.parquet."""

import dagster as dg
import polars as pl

from ace_assets import progress, tables
from ace_assets.assets import pictures
from ace_assets.assets.matrix import OWNERS
from ace_assets.assets.needs import DONE_FACT, work_hash_of
from ace_assets.assets.partitions import CELLS
from ace_assets.assets.scoring import take_scores
from ace_assets.assets.work import LEASE_WAIT_S, working
from ace_assets.audio.renditions import LOUDNESS_TOLERANCE_LU
from ace_assets.mastering.cell import master_cell
from ace_assets.resources import StoreResource

LOUDNESS_CHECK = "loudness_within_tolerance"
PEAK_CHECK = "true_peak_below_ceiling"


@dg.asset(
    partitions_def=CELLS,
    group_name="mastering",
    owners=OWNERS,
    kinds={"flac", "mp3"},
    code_version="1",
    deps=[take_scores],
    check_specs=[
        dg.AssetCheckSpec(
            LOUDNESS_CHECK,
            asset="masters",
            description="On target, or the shortfall that the ceiling forces is recorded.",
        ),
        dg.AssetCheckSpec(PEAK_CHECK, asset="masters", description="After decoding what is delivered."),
    ],
    metadata={"dagster/column_schema": pictures.column_schema(tables.Masters)},
)
def masters(context: dg.AssetExecutionContext, store: StoreResource) -> dg.MaterializeResult:
    """One track per kept take: gain, limiter, fades, dither; FLAC and MP3, each verified before it exists."""
    cell = context.partition_key
    with working(context, cell=cell):
        opened = store.open()
        facts = opened.manifest_facts(cell, tables.TakeScores) or {}
        done = work_hash_of(opened, str(facts["plan_id"]), cell, str(facts["last_word"])) if facts else ""
        with opened.cell_lease(cell, wait_s=LEASE_WAIT_S) as lease:
            outcome = master_cell(
                opened,
                cell,
                lease=lease,
                actor=f"run {context.run_id}",
                progress=lambda track_id: progress.emit("track_mastered", cell=cell, track_id=track_id),
                **{DONE_FACT: done},
            )
    progress.emit("cell_done", cell=cell)
    active = outcome.frame.filter(pl.col("status") == "active")
    off = active.filter(
        (pl.col("integrated_loudness_lufs") + pl.col("loudness_shortfall_lu") - pl.col("target_lufs")).abs()
        > LOUDNESS_TOLERANCE_LU + 1e-6
    )
    over = active.filter(pl.col("true_peak_dbtp") > pl.col("ceiling_dbtp"))
    context.add_asset_metadata(  # a result's metadata would be stored twice
        {
            "dagster/row_count": outcome.frame.height,
            "plan_id": outcome.plan_id,
            "tracks": active.height,
            "tracks_mastered_now": outcome.made,
            "tracks_lacking": outcome.lacking,
            "hours": round(float(active["duration_s"].sum() or 0.0) / 3600, 3),
            "waveforms": pictures.waveforms(active),
            "loudness": pictures.loudness(active),
            "tracks_made": pictures.markdown_table(
                active, ["track_id", "title", "integrated_loudness_lufs", "true_peak_dbtp", "duration_s"], most=10
            ),
        }
    )
    return dg.MaterializeResult(
        check_results=[
            dg.AssetCheckResult(
                check_name=LOUDNESS_CHECK,
                passed=off.height == 0,
                metadata={"tracks_off": off.height} if off.height else None,
            ),
            dg.AssetCheckResult(
                check_name=PEAK_CHECK,
                passed=over.height == 0,
                metadata={"tracks_over": over.height} if over.height else None,
            ),
        ],
    )
