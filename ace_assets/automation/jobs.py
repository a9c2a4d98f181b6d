"""The jobs: what can be launched, by a schedule, a sensor, the UI or the command line."""

import dagster as dg

from ace_assets.assets.catalog import catalog
from ace_assets.assets.generation import generated_audio
from ace_assets.assets.mastering import masters
from ace_assets.assets.matrix import genre_matrix, prompt_table
from ace_assets.assets.packages import export_packages
from ace_assets.assets.scoring import take_scores

REFRESH_TAG = "ace_assets/refresh"  # on every run that a refresh causes: the run id of the refresh
PRIORITY = "dagster/priority"

refresh_job = dg.define_asset_job(
    "refresh",
    selection=dg.AssetSelection.assets(genre_matrix, prompt_table),
    description="Read the matrix and plan a campaign; the refresh sensor then launches cells, catalog and packages.",
)
cell_job = dg.define_asset_job(
    "cell",
    selection=dg.AssetSelection.assets(generated_audio, take_scores, masters),
    description="Carry one cell from takes to masters; a rerun makes only what is missing.",
)
catalog_job = dg.define_asset_job(
    "catalog_release",
    selection=dg.AssetSelection.assets(catalog),
    tags={PRIORITY: "10"},
    description="Build a release of the catalog from what the store holds.",
)
package_job = dg.define_asset_job(
    "package",
    selection=dg.AssetSelection.assets(export_packages),
    tags={PRIORITY: "5"},
    description="Build one venue's package from the current release.",
)
JOBS = [refresh_job, cell_job, catalog_job, package_job]
