"""`genre_matrix` and `prompt_table`: what people want, and the plan that comes of it; only here a campaign counts."""

import dagster as dg

from ace_assets import tables
from ace_assets.assets import pictures
from ace_assets.assets.partitions import CELLS
from ace_assets.assets.work import working
from ace_assets.matrix.planning import Brakes, keep_matrix, publish_campaign
from ace_assets.resources import AceStep, ConfigFiles, StoreResource

OWNERS = ["team:music"]


class CampaignConfig(dg.Config):
    """Which campaign to plan, and how much may change without asking."""

    campaign: str = ""  # empty: the campaign of the present plan, else first_test
    cells: str = ""  # plan only cells whose key matches, e.g. spa.*
    max_takes_per_refresh: int = Brakes.max_takes_per_refresh
    max_changed_share: float = Brakes.max_changed_share
    allow_large_change: bool = False  # yes, I have seen what would change


@dg.asset(group_name="matrix", owners=OWNERS, kinds={"csv"}, code_version="1")
def genre_matrix(
    context: dg.AssetExecutionContext, store: StoreResource, config_files: ConfigFiles
) -> dg.MaterializeResult:
    """The genre matrix as people edit it in a spreadsheet: read, linted, and kept as the state that plans are made of.

    Source: genre_matrix.csv of ACE_CONFIG_DIR. An error of the lint stops here, before anything is spent.
    """
    with working(context):
        kept = keep_matrix(store.open(), config_files.path("genre_matrix.csv"))
    for line in kept.warnings:
        context.log.info(line)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": kept.rows,
            "cells_per_zone": pictures.markdown_table(
                kept.cells_per_zone, ["zone", "genres", "cells", "target_tracks"]
            ),
            "warnings": len(kept.warnings),
            "content_hash": kept.content_hash,
        }
    )


@dg.asset(
    group_name="matrix",
    owners=OWNERS,
    kinds={"polars", "parquet"},
    code_version="1",
    deps=[genre_matrix],
    metadata={"dagster/column_schema": pictures.column_schema(tables.Prompts)},
)
def prompt_table(
    context: dg.AssetExecutionContext,
    config: CampaignConfig,
    store: StoreResource,
    config_files: ConfigFiles,
    ace_step: AceStep,
) -> dg.MaterializeResult:
    """The plan: every prompt and every take that is to exist for a campaign, topped up where the store lacks tracks.

    Stored as plans/<plan_id>/; cell runs pin its id. Publishing a plan adds its cells as partitions.
    """
    with working(context):
        opened = store.open()
        published = publish_campaign(
            opened,
            config_files.path("campaigns.toml"),
            campaign=config.campaign or None,
            cells_glob=config.cells or None,
            engine=ace_step.engine(),
            brakes=Brakes(
                max_takes_per_refresh=config.max_takes_per_refresh,
                max_changed_share=config.max_changed_share,
                allow_large_change=config.allow_large_change,
            ),
        )
    context.instance.add_dynamic_partitions(CELLS.name or "cells", published.plan.cells["cell"].to_list())
    facts = published.plan.facts
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": published.plan.prompts.height,
            "plan_id": published.plan.plan_id,
            "campaign": facts["campaign"],
            "engine": facts["engine"],
            "cells": facts["cells"],
            "tracks": facts["tracks"],
            "takes": facts["takes"],
            "top_up_takes": published.top_up_takes,
            "changes": dg.MetadataValue.md(published.changes_text),
            "first_prompts": pictures.markdown_table(
                published.plan.prompts, ["cell", "requested_bpm", "requested_key", "caption"], most=5
            ),
        }
    )
