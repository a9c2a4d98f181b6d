"""Reading a genre matrix: columns by name, fields in their types, every finding collected.

How the file's bytes become numbered records is `csv_file`'s; what a row may ask for is `lint`'s.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ace_assets import shipped
from ace_assets.matrix import lint
from ace_assets.matrix.csv_file import Notes, records_of, separator_of, text_of
from ace_assets.matrix.findings import MATRIX_NAME, Finding, refuse_errors
from ace_assets.matrix.lexicon import Lexicon, load_lexicon
from ace_assets.matrix.rows import (
    COLUMN_NAMES,
    COLUMNS,
    DEFAULT_TAKES_LIMIT,
    DEFAULT_TAKES_PER_PROMPT,
    LIST_SEPARATOR,
    NICHE,
    Column,
    Matrix,
    MatrixRow,
)

SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
SLUG_MOST_CHARS = 40
WHOLE = re.compile(r"[+-]?\d+(\.0+)?")
REAL = re.compile(r"[+-]?\d+(\.\d+)?")
FLAGS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
KEY = re.compile(r"([A-Ga-g])([#b]?) ?(m|maj|min|major|minor)?", re.IGNORECASE)
METRES = {"4/4": "4", "3/4": "3", "2/4": "2", "6/8": "6"}
FIELD_MOST_CHARS = 4000


def default_matrix_path() -> Path:
    """Return the matrix that ships with the package."""
    return shipped.path("config") / MATRIX_NAME


def check_matrix(path: Path | None = None, *, lexicon: Lexicon | None = None) -> tuple[Matrix | None, list[Finding]]:
    """Read and lint a matrix, and return everything that was found.

    Args:
        path: the file; the one that ships with the package for None.
        lexicon: the words; those beside the file, or else those that ship, for None.

    Returns:
        The matrix, or None where an error stops it, and all findings.
    """
    file = default_matrix_path() if path is None else path
    words = load_lexicon(file.parent) if lexicon is None else lexicon
    reader = Notes(file.name)
    rows = _read_rows(file, reader)
    findings = [*reader.findings, *lint.lint(rows, words, file=file.name)]
    if any(finding.severity == "error" for finding in findings):
        return None, findings
    return Matrix(tuple(rows), file.name, tuple(findings), words), findings


def load_matrix(path: Path | None = None, *, lexicon: Lexicon | None = None) -> Matrix:
    """Read a matrix that may be planned.

    Raises:
        ConfigError: the first error found, with the number of the others.
    """
    matrix, findings = check_matrix(path, lexicon=lexicon)
    refuse_errors(findings)
    assert matrix is not None
    return matrix


# ---- the file ------------------------------------------------------------------------------------------------------


def _read_rows(path: Path, reader: Notes) -> list[MatrixRow]:
    text = text_of(path, reader)
    if text is None:
        return []
    separator = separator_of(text, reader)
    records = list(records_of(text, separator, reader))
    if any(f.severity == "error" for f in reader.findings):
        return []
    if not records:
        reader.add(
            "M-EMPTY", "a header and one row per cell", "start from the default: `ace-assets init`", value="no text"
        )
        return []
    (_, header), *body = records
    positions = _positions(header, reader)
    if positions is None:
        return []
    if not body:
        reader.add("M-NO-ROWS", "at least one row below the header", "add one row per cell", value="only a header")
    return [row for number, fields in body if (row := _row(number, fields, header, positions, reader)) is not None]


def _positions(header: Sequence[str], reader: Notes) -> dict[str, int] | None:
    """Return where each column stands, or None after noting which ones are missing."""
    names = [name.strip() for name in header]
    while names and not names[-1]:
        names.pop()
    missing = [name for name in COLUMN_NAMES if name not in names]
    if len(missing) == len(COLUMN_NAMES):
        reader.add(
            "M-HEADER", "the column names " + ", ".join(COLUMN_NAMES[:6]) + " ...",
            "put the header back into row 1: `ace-assets init` writes a matrix with it",
            row=1, value=", ".join(names)[:80],
        )  # fmt: skip
        return None
    positions: dict[str, int] = {}
    for index, name in enumerate(names):
        if name in COLUMN_NAMES:
            if name in positions:
                reader.add("M-COLUMN-TWICE", "each column once", "remove one of the two", row=1, column=name)
            positions.setdefault(name, index)
            continue
        close = difflib.get_close_matches(name.lower().replace(" ", "_"), missing or COLUMN_NAMES, n=1, cutoff=0.6)
        if close and close[0] in missing:
            missing.remove(close[0])
            reader.add(
                "M-COLUMN-UNKNOWN",
                f"{close[0]}",
                f"rename it to {close[0]}",
                row=1,
                column=name or f"number {index + 1}",
            )
        else:
            near = difflib.get_close_matches(name.lower(), COLUMN_NAMES, n=1)
            remedy = f"the nearest name is {near[0]}; remove or rename it" if near else "remove it"
            reader.add(
                "M-COLUMN-UNKNOWN",
                "a column of the genre matrix",
                remedy,
                row=1,
                column=name or f"number {index + 1} (no name)",
            )
    for name in missing:
        reader.add(
            "M-COLUMN-MISSING",
            "this column",
            "add it to the header and to every row",
            row=1,
            column=name,
            value="missing",
        )
    return positions if all(name in positions for name in COLUMN_NAMES) else None


# ---- one row -------------------------------------------------------------------------------------------------------


def _row(
    number: int, fields: Sequence[str], header: Sequence[str], positions: Mapping[str, int], reader: Notes
) -> MatrixRow | None:
    extra = [value for value in fields[len(header) :] if value.strip()]
    if len(fields) < len(header) or extra:
        reader.add(
            "M-RAGGED", f"{len(header)} fields as in the header",
            "add or remove separators; quote a field that holds one", row=number, value=f"{len(fields)} fields",
        )  # fmt: skip
        return None
    before = len(reader.findings)
    values: dict[str, Any] = {}
    for column in COLUMNS:
        values[column.name] = _value(column, fields[positions[column.name]].strip(), number, reader)
    if any(finding.severity == "error" for finding in reader.findings[before:]):
        return None
    if values["takes_per_prompt"] is None:
        values["takes_per_prompt"] = DEFAULT_TAKES_PER_PROMPT.get(values["style_tier"], DEFAULT_TAKES_PER_PROMPT[NICHE])
    if values["takes_limit"] is None:
        values["takes_limit"] = max(DEFAULT_TAKES_LIMIT, values["takes_per_prompt"])
    return MatrixRow(row=number, **values)


def _value(column: Column, text: str, row: int, reader: Notes) -> Any:
    """Return one field in its column's type; None stands for a default that depends on others, or follows an error."""

    def refuse(rule: str, expected: str, remedy: str) -> None:
        reader.add(rule, expected, remedy, row=row, column=column.name, value=text or "nothing")

    if not text:
        if column.default is None:
            refuse("M-REQUIRED", column.expected, "fill it in")
            return None
        text = column.default
    if len(text) > FIELD_MOST_CHARS:
        reader.add(
            "M-LONG", f"at most {FIELD_MOST_CHARS} characters", "shorten it; is a quote missing?", row=row,
            column=column.name, value=f"{len(text)} characters",
        )  # fmt: skip
        return None
    if any(ord(c) < 32 for c in text):
        refuse("M-CONTROL", "text on one line", "remove line breaks and tabs from the field")
        return None
    if column.kind == "slug":
        if SLUG.fullmatch(text) is None or len(text) > SLUG_MOST_CHARS:
            suggestion = "-".join(re.findall(r"[a-z0-9]+", text.lower()))[:SLUG_MOST_CHARS].strip("-")
            refuse(
                "M-SLUG",
                "lower-case letters and digits joined by hyphens",
                f"write {suggestion}" if suggestion else "rename it",
            )
        return text
    if column.kind == "whole":
        if text == "":
            return None
        if WHOLE.fullmatch(text) is None:
            refuse("M-TYPE", column.expected, "write digits only")
            return None
        return int(text.split(".")[0])
    if column.kind == "real":
        spelt = text.replace(",", ".") if reader.decimal_comma else text
        spelt = spelt.replace("\N{MINUS SIGN}", "-")
        if REAL.fullmatch(spelt) is None:
            refuse("M-TYPE", column.expected, "write a number with a decimal point")
            return None
        return float(spelt)
    if column.kind == "flag":
        if text.lower() not in FLAGS:
            refuse("M-TYPE", column.expected, "write yes or no")
            return None
        return FLAGS[text.lower()]
    if column.kind in {"list", "key list"}:
        return _list(column, text, refuse)
    return METRES.get(text, text) if column.name == "time_signature" else text


def _list(column: Column, text: str, refuse: Any) -> tuple[str, ...]:
    parts = [" ".join(part.split()) for part in text.split(LIST_SEPARATOR)]
    items = [part for part in parts if part]
    if column.default is None and not items:
        refuse("M-REQUIRED", column.expected, "fill it in")
    if LIST_SEPARATOR not in text and re.search(r"[,;/]", text) and not column.name.startswith("brand"):
        refuse("M-LIST", f"items separated by {LIST_SEPARATOR}", f"write {' | '.join(re.split(r' *[,;/] *', text))}")
    elif any(re.search(r"[,;]", item) for item in items) and not column.name.startswith("brand"):
        refuse("M-LIST", f"items separated by {LIST_SEPARATOR}", "replace commas and semicolons by |")
    folded = [item.lower() for item in items]
    for item in items:
        if folded.count(item.lower()) > 1:
            refuse("M-LIST-TWICE", "each item once", f"remove one {item}")
            break
    if column.kind == "key list":
        return tuple(dict.fromkeys(normalised_key(item) or item for item in items))
    return tuple(items)


def normalised_key(text: str) -> str | None:
    """Return a key as it is sent, or None where it is none.

    >>> normalised_key("Am"), normalised_key("c Major"), normalised_key("Bb"), normalised_key("H minor")
    ('A minor', 'C major', 'Bb major', None)
    """
    match = KEY.fullmatch(text.replace("♯", "#").replace("♭", "b").strip())
    if match is None:
        return None
    note, accidental, mode = match.groups()
    minor = mode is not None and (mode == "m" or mode.lower().startswith("min"))
    return f"{note.upper()}{accidental.lower()} {'minor' if minor else 'major'}"
