"""What still has to be done: which cells lack something, by the store alone. Dagster's history decides nothing here.

A cell is done when its masters were made from the rows that the plan has for it now, by the present mastering version,
after the last word on its tracks (retired, restored). That is one hash, kept in the manifest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from ace_assets import tables
from ace_assets.errors import PlanError, SchemaError
from ace_assets.identity import canonical_json, hash_text
from ace_assets.store import Store

DONE_FACT = "work_hash"
OF_THE_CELL = ("target_lufs", "ceiling_dbtp", "tracks_per_prompt", "matrix_prompt_ids")


@dataclass(frozen=True)
class Need:
    """A cell that lacks something, and why in words."""

    cell: str
    why: str


def pinned_plan(store: Store) -> str:
    """Return the plan that a run starting now pins.

    Raises:
        PlanError: there is none yet.
    """
    plan_id = store.current_plan_id()
    if plan_id is None:
        raise PlanError(
            "plan", value="none yet", expected="a plan", remedy="materialize prompt_table, or `ace-assets run`"
        )
    return plan_id


def work_hash(cell: pl.DataFrame, prompts: pl.DataFrame, takes: pl.DataFrame, word: str) -> str:
    """Return the hash of everything that a cell's masters follow from."""
    from ace_assets.mastering.master import MASTERING_VERSION  # late: asking must not cost what mastering costs

    facts = {
        "cell": [cell.select(name).to_series().to_list() for name in OF_THE_CELL],
        "prompts": prompts.select("prompt_id", "title", "tracks_per_prompt").sort("prompt_id").rows(),
        "takes": takes["take_id"].sort().to_list(),
        "mastering_version": MASTERING_VERSION,
        "last_word": word,
    }
    return hash_text("work", canonical_json(facts))


def work_hash_of(store: Store, plan_id: str, cell: str, word: str) -> str:
    """Return the hash of the work that a plan wants of a cell, up to the last word that was heeded."""
    return work_hash(
        store.plan_table(plan_id, tables.Cells, cell=cell),
        store.plan_table(plan_id, tables.Prompts, cell=cell),
        store.plan_table(plan_id, tables.PlannedTakes, cell=cell),
        word,
    )


def needs(store: Store, plan_id: str) -> Iterator[Need]:
    """Yield every cell of a plan that lacks something, in the plan's order."""
    from ace_assets.scoring.cell import last_word

    cells = store.plan_table(plan_id, tables.Cells).partition_by("cell", as_dict=True, maintain_order=True)
    prompts = store.plan_table(plan_id, tables.Prompts).partition_by("cell", as_dict=True)
    takes = store.plan_table(plan_id, tables.PlannedTakes).partition_by("cell", as_dict=True)
    for key, rows in cells.items():
        cell = str(key[0])
        try:
            facts = store.manifest_facts(cell, tables.Masters)
        except SchemaError as error:
            yield Need(cell, f"its manifest is damaged: {error}")
            continue
        if facts is None:
            generated = store.manifest_facts(cell, tables.Takes)
            yield Need(cell, "new" if generated is None else "unfinished")
        elif facts.get(DONE_FACT) != work_hash(rows, prompts[key], takes[key], last_word(store.events(cell))):
            yield Need(cell, "its plan or its tracks changed")
