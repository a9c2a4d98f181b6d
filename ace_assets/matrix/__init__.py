"""The genre matrix, and its expansion to a plan: files and tables in, tables out; no server and no Dagster.

csv_file, reading, lint      a CSV that people edit -> rows, or findings with row, column, rule and remedy
campaigns, shares            how many prompts of which cells
rotation, captions, titles   what each prompt asks for
identity, expansion          ids, requests, the plan
supersession, changes        what an older plan's tracks are worth now; what a new plan would change
planning                     the plan over what the store already holds, published
"""

from __future__ import annotations

from ace_assets.matrix.campaigns import Campaign, Campaigns, Profile, load_campaigns
from ace_assets.matrix.expansion import Plan, make_plan
from ace_assets.matrix.findings import Finding, report, report_lines, report_table
from ace_assets.matrix.reading import check_matrix, default_matrix_path, load_matrix
from ace_assets.matrix.rows import Matrix, MatrixRow

__all__ = [
    "Campaign",
    "Campaigns",
    "Finding",
    "Matrix",
    "MatrixRow",
    "Plan",
    "Profile",
    "check_matrix",
    "default_matrix_path",
    "load_campaigns",
    "load_matrix",
    "make_plan",
    "report",
    "report_lines",
    "report_table",
]
