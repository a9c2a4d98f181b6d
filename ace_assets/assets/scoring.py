"""`take_scores[cell]`: what was measured of every take, and its fate. Storage: cells/<cell>/take_scores.parquet."""

import dagster as dg
import polars as pl

from ace_assets import progress, tables
from ace_assets.assets import pictures
from ace_assets.assets.generation import generated_audio
from ace_assets.assets.matrix import OWNERS
from ace_assets.assets.partitions import CELLS
from ace_assets.assets.work import LEASE_WAIT_S, working
from ace_assets.resources import StoreResource
from ace_assets.scoring.cell import score_cell
from ace_assets.scoring.selection import accepted

PROMPTS_CHECK = "every_prompt_has_an_accepted_take"


@dg.asset(
    partitions_def=CELLS,
    group_name="scoring",
    owners=OWNERS,
    kinds={"parquet"},
    code_version="1",
    deps=[generated_audio],
    check_specs=[
        dg.AssetCheckSpec(
            PROMPTS_CHECK, asset="take_scores", description="Prompts without one are topped up at the next refresh."
        )
    ],
    metadata={"dagster/column_schema": pictures.column_schema(tables.TakeScores)},
)
def take_scores(context: dg.AssetExecutionContext, store: StoreResource) -> dg.MaterializeResult:
    """Gates, fit, scores and the choice of the takes to keep; audio that was rejected is pruned afterwards."""
    cell = context.partition_key
    with working(context, cell=cell):
        opened = store.open()
        with opened.cell_lease(cell, wait_s=LEASE_WAIT_S) as lease:
            outcome = score_cell(
                opened,
                cell,
                lease=lease,
                progress=lambda take_id: progress.emit("take_scored", cell=cell, take_id=take_id),
            )
    frame = outcome.frame
    fates = frame.group_by("fate").len("takes").sort("fate")
    passed = accepted(frame)
    lacking = sorted(set(frame["prompt_id"]) - set(passed["prompt_id"]))
    failures = (
        frame.select(pl.concat_list("gate_failures", "fit_failures").alias("failure")).explode("failure").drop_nulls()
    )
    context.add_asset_metadata(  # a result's metadata would be stored twice
        {
            "dagster/row_count": frame.height,
            "plan_id": outcome.plan_id,
            "takes_measured_now": outcome.measured,
            "takes_pruned_now": outcome.pruned,
            "yield": round(passed.height / frame.height, 3) if frame.height else 0.0,
            "fates": pictures.markdown_table(fates, fates.columns),
            "failures": pictures.markdown_table(
                failures.group_by("failure").len("takes").sort("failure"), ["failure", "takes"]
            ),
            "best_takes": pictures.markdown_table(
                frame.sort("signal_score", descending=True, nulls_last=True),
                ["take_id", "signal_score", "tempo_match", "measured_key", "fate", "why"],
                most=8,
            ),
        }
    )
    return dg.MaterializeResult(
        check_results=[
            dg.AssetCheckResult(
                check_name=PROMPTS_CHECK,
                passed=not lacking,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"prompts_without": len(lacking)} if lacking else None,
            )
        ],
    )
