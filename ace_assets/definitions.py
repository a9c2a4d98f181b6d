"""Where everything meets; reads like a table of contents.

genre_matrix -> prompt_table -> generated_audio[cell] -> take_scores[cell] -> masters[cell] -> catalog
                                                                                   -> export_packages[venue]
"""

import dagster as dg

from ace_assets.assets.catalog import catalog
from ace_assets.assets.generation import generated_audio
from ace_assets.assets.mastering import masters
from ace_assets.assets.matrix import genre_matrix, prompt_table
from ace_assets.assets.packages import export_packages
from ace_assets.assets.scoring import take_scores
from ace_assets.automation.jobs import JOBS
from ace_assets.automation.recovery import mend_orphans
from ace_assets.automation.refresh import carry_refresh, nightly_refresh
from ace_assets.automation.upkeep import purge_job, weekly_purge
from ace_assets.automation.watching import tell_of_failures
from ace_assets.resources import AceStep, ConfigFiles, StoreResource

defs = dg.Definitions(
    assets=[genre_matrix, prompt_table, generated_audio, take_scores, masters, catalog, export_packages],
    jobs=[*JOBS, purge_job],
    schedules=[nightly_refresh, weekly_purge],
    sensors=[carry_refresh, tell_of_failures, mend_orphans],
    resources={"store": StoreResource(), "config_files": ConfigFiles(), "ace_step": AceStep()},
    executor=dg.in_process_executor,
)
