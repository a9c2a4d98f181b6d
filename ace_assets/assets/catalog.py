"""`catalog`: a release of the DuckDB catalog from everything that the store holds; an unfinished cell is a gap.

Cadence: once at the end of a refresh, failures included. Storage: releases/<id>.duckdb behind catalog.duckdb.
"""

import datetime as dt
from typing import Any

import dagster as dg

from ace_assets.assets import pictures
from ace_assets.assets.mastering import masters
from ace_assets.assets.matrix import OWNERS
from ace_assets.assets.work import working
from ace_assets.resources import StoreResource

FAULTS_CHECK = "nothing_is_quarantined"
STALE_AFTER = dt.timedelta(hours=36)


@dg.asset(
    group_name="catalog",
    owners=OWNERS,
    kinds={"duckdb"},
    code_version="1",
    deps=[dg.AssetDep(masters, partition_mapping=dg.AllPartitionMapping())],
    check_specs=[
        dg.AssetCheckSpec(
            FAULTS_CHECK, asset="catalog", description="Every manifest and every master's audio could be trusted."
        )
    ],
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=STALE_AFTER),
)
def catalog(context: dg.AssetExecutionContext, store: StoreResource) -> dg.MaterializeResult:
    """The quality-scored catalog that analysts query: built whole, checked, published, never locked; its report."""
    from ace_assets.catalog.build import build_release  # late: a cell's worker needs no database
    from ace_assets.catalog.package_input import release_rows

    with working(context):
        opened = store.open()
        released = build_release(opened, reason=f"run {context.run_id}")
        rows = release_rows(opened)
    per_zone = rows.frame.group_by("zone").len("tracks").sort("zone")
    metadata: dict[str, Any] = {
        "dagster/row_count": rows.frame.height,
        "release_id": released.release_id,
        "new_release": released.changed,
        "tracks_per_zone": pictures.markdown_table(per_zone, per_zone.columns),
        "rows": dg.MetadataValue.json(released.rows),
    }
    root = opened.local_root
    if root is not None:
        report = root / "releases" / released.release_id / released.report_file
        metadata["report"] = dg.MetadataValue.url(report.as_uri())
    return dg.MaterializeResult(
        metadata=metadata,
        check_results=[
            dg.AssetCheckResult(
                check_name=FAULTS_CHECK,
                passed=not released.quarantined,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={
                    "held_back_cells": ", ".join(released.held_back_cells),
                    "findings": len(released.quarantined),
                },
            )
        ],
    )
