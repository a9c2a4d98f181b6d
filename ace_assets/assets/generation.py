"""`generated_audio[cell]`: the takes that the plan wants of a cell, made by the GPU resource.

Source: ACE-Step servers (ACE_SERVERS), or the embedded preview engine. Cadence: once per cell and plan; a rerun makes
only what is missing. Storage: takes/ by identity, the manifest in cells/<cell>/.
"""

import contextlib

import dagster as dg
import polars as pl

from ace_assets import progress, tables
from ace_assets.acestep.cell import CellTakes, generate_cell, lacking
from ace_assets.acestep.outcome import FleetEvent
from ace_assets.assets import pictures
from ace_assets.assets.matrix import OWNERS, prompt_table
from ace_assets.assets.needs import pinned_plan
from ace_assets.assets.partitions import CELLS
from ace_assets.assets.work import LEASE_WAIT_S, working
from ace_assets.resources import AceStep, StoreResource

POOL = "ace_step"
LENGTH_CHECK = "takes_have_the_requested_length"


@dg.asset(
    partitions_def=CELLS,
    group_name="generation",
    owners=OWNERS,
    kinds={"flac"},
    code_version="1",
    pool=POOL,
    deps=[prompt_table],
    check_specs=[dg.AssetCheckSpec(LENGTH_CHECK, asset="generated_audio", description="No server clamped a length.")],
    metadata={"dagster/column_schema": pictures.column_schema(tables.Takes)},
)
def generated_audio(context: dg.AssetExecutionContext, store: StoreResource, ace_step: AceStep) -> dg.MaterializeResult:
    """Every take that the plan wants of this cell, by identity; fails if one could not be made, after the others."""
    cell = context.partition_key
    with working(context, cell=cell):
        opened = store.open()
        plan_id = pinned_plan(opened)
        with opened.cell_lease(cell, wait_s=LEASE_WAIT_S) as lease:
            missing = lacking(opened, cell, opened.plan_table(plan_id, tables.PlannedTakes, cell=cell))
            progress.emit("cell_started", cell=cell, takes_missing=missing.height)
            session = ace_step.session() if missing.height else contextlib.nullcontext(())
            with session as servers:
                outcome = generate_cell(
                    opened,
                    cell,
                    servers=servers,
                    lease=lease,
                    plan_id=plan_id,
                    run_id=context.run_id,
                    progress=lambda event: _tell(cell, event),
                )
        _refuse_incomplete(cell, outcome)
    return _result(context, outcome)


def _tell(cell: str, event: FleetEvent) -> None:
    progress.emit(f"take_{event.kind}", cell=cell, take_id=event.take_id, server=event.server, message=event.message)


def _refuse_incomplete(cell: str, outcome: CellTakes) -> None:
    """Raise a failure that says which take could not be made, where and why."""
    if outcome.gone is not None:
        raise outcome.gone
    if not outcome.failed.height:
        return
    shown = outcome.failed.select("prompt_id", "take_index", "server", "attempts", "failure_class", "failure_message")
    raise dg.Failure(
        description=(
            f"cell {cell}: {outcome.failed.height} of {outcome.planned} takes could not be made "
            f"({outcome.failed['failure_message'][0]}); the others are stored, rerun this partition to make only these"
        ),
        metadata={
            "failed_takes": pictures.markdown_table(shown, shown.columns),
            "takes_planned": outcome.planned,
            "takes_stored_now": outcome.stored,
            "takes_reused": outcome.reused,
            "plan_id": outcome.plan_id,
        },
        allow_retries=False,
    )


def _result(context: dg.AssetExecutionContext, outcome: CellTakes) -> dg.MaterializeResult:
    frame = outcome.frame
    clamped = frame.filter(pl.col("duration_clamped").fill_null(value=False)).height
    context.add_asset_metadata(  # a result's metadata would be stored twice
        {
            "dagster/row_count": frame.height,
            "plan_id": outcome.plan_id,
            "takes_planned": outcome.planned,
            "takes_stored_now": outcome.stored,
            "takes_reused": outcome.reused,
            "submissions": outcome.submissions,
            "audio_hours": round(float(frame["duration_s"].sum() or 0.0) / 3600, 3),
            "server_seconds": round(float(frame["server_s"].sum() or 0.0), 2),
            "preview": bool(frame["preview"].any()),
            "servers": ", ".join(sorted(set(frame["server"].drop_nulls()))),
        }
    )
    return dg.MaterializeResult(
        check_results=[
            dg.AssetCheckResult(
                check_name=LENGTH_CHECK,
                passed=clamped == 0,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"clamped_takes": clamped} if clamped else None,
            )
        ],
    )
