"""The catalog's schema as Markdown, written from a release: `sql/SCHEMA.md` is this text, and a test compares the two.

`LEFT_OUT` names what the stored tables hold and the catalog does not, each with its reason; the same test makes sure that
nothing else is missing, and that type and meaning of every other column are the same in `ace_assets.tables` and in `sql/`.
"""

from __future__ import annotations

import duckdb

LEFT_OUT = {
    "cells.matrix_prompt_ids": "a list of ids for the plan's own use; prompts has the rows",
    "take_scores.fingerprint": "SQL cannot compare it; takes.duplicate_of says what it found",
    "take_scores.duration_s": "the same length as takes.duration_s",
    "take_scores.requested_duration_s": "the same as takes.requested_duration_s",
    "masters.waveform": "a picture; the listening page draws it",
}
# stored table -> the catalog's table that has its columns
SHOWN_IN = {
    "cells": "cells",
    "prompts": "prompts",
    "takes": "takes",
    "take_scores": "takes",
    "masters": "all_tracks",
    "events": "events",
    "runs": "runs",
}
COUNTED_ONLY = {"planned_takes": "cells.planned_takes counts them and takes.in_plan marks those that were made"}


def describe(connection: duckdb.DuckDBPyConnection) -> str:
    """Return the tables and views of the catalog that the connection uses, with every column's type and meaning."""
    found = connection.execute(
        """
        SELECT 'table' AS kind, table_name AS name, comment FROM duckdb_tables() WHERE database_name = current_database()
        UNION ALL
        SELECT 'view', view_name, comment FROM duckdb_views() WHERE database_name = current_database() AND NOT internal
        ORDER BY starts_with(name, 'ask_'), name
        """
    ).fetchall()
    columns = connection.execute(
        """
        SELECT table_name, column_name, data_type, comment
        FROM duckdb_columns()
        WHERE database_name = current_database() AND NOT internal
        ORDER BY table_name, column_index
        """
    ).fetchall()
    lines = [
        "# The catalog's schema",
        "",
        "Made from the other files of this folder by `python -m tests.catalog.write_schema`; a test compares the two.",
        "NULL means not measured or not known.",
        "",
    ]
    for kind, name, comment in found:
        lines += [f"## {name}", "", f"*{kind}* {comment}", "", "| column | type | meaning |", "|---|---|---|"]
        for table, column, data_type, meaning in columns:
            if table == name:
                lines.append(f"| {column} | {_short(data_type)} | {(meaning or '').replace('|', '/')} |")
        lines.append("")
    return "\n".join(lines)


def _short(data_type: str) -> str:
    return "TIMESTAMPTZ" if data_type == "TIMESTAMP WITH TIME ZONE" else data_type
