"""The analysts' questions: which there are, and running one against a release or a catalog file."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from ace_assets.catalog import query, sql_files
from ace_assets.catalog.sql_files import Question
from ace_assets.errors import CatalogError
from ace_assets.store import Store


def list_questions() -> tuple[Question, ...]:
    """Return the questions in the mission's order."""
    return sql_files.questions()


def question(name: str) -> Question:
    """Return one question by its name or its number.

    Raises:
        CatalogError: there is none; the nearest is named.
    """
    for found in list_questions():
        if name.removeprefix("ask_") == found.name or name == str(found.number):
            return found
    near = query.nearest(name, [found.name for found in list_questions()])
    raise CatalogError(
        "question", value=name, expected=" or ".join(near) or "one of the list", remedy="`ace-assets ask` lists them"
    )


def run(
    catalog: Store | Path, name: str, *, timeout_s: float = query.DEFAULT_TIMEOUT_S, **parameters: object
) -> pl.DataFrame:
    """Answer a question.

    Args:
        catalog: a store (its current release is asked), or a catalog file.
        name: the question's name or number.
        timeout_s: after this it is stopped.
        **parameters: its parameters; those not given have their defaults.

    Raises:
        CatalogError: no such question or parameter, a value that does not fit, no catalog yet.
    """
    asked = question(name)
    known = {parameter.name: parameter for parameter in asked.params}
    for given in parameters:
        if given not in known:
            raise CatalogError(
                f"question {asked.name}, parameter",
                value=given,
                expected=", ".join(known) or "no parameter",
                remedy=f"`ace-assets ask {asked.name} --help` lists them",
            )
    values = {
        p.name: p.value_of(parameters[p.name], question=asked.name) if p.name in parameters else p.default
        for p in asked.params
    }
    if isinstance(catalog, Store):
        with query.open_release(catalog) as (connection, _):
            return query.run_on(connection, asked.with_parameters_bound(), values=values, timeout_s=timeout_s)[0]
    with query.open_file(catalog) as connection:
        return query.run_on(connection, asked.with_parameters_bound(), values=values, timeout_s=timeout_s)[0]
