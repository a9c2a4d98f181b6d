"""The catalog: manifests -> an immutable DuckDB release that analysts query, its report and the listening page.

The SQL lies in `sql/`, one file per table, view, question and check; here is what runs it. Nothing here makes audio or
decides what is kept.
"""
