"""The files of `sql/`: which there are, in which order, and what a question's header says.

What belongs here: reading those files. What does not: running them (`build`, `ask`), and any SQL.

    sql/tables/   the catalog's tables, created and filled in the order of their numbers; from quarantine on they know what
                  could not be trusted; those before takes, and those from takes to quarantine, do not ask each other
    sql/release/  the tables that speak of releases; filled once the content is known to be new
    sql/views/    views over the tables
    sql/queries/  the analysts' questions: one SELECT each, with $parameters
    sql/checks/   one SELECT each that finds nothing in a sound release

The header of a question:

    -- purpose: one line
    -- param: name type = default : meaning          (type: text, int or real)
    -- column: name : meaning                        (for a column that no table documents)
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from pathlib import Path

from ace_assets import shipped
from ace_assets.errors import CatalogError

SQL_TYPES = {"text": "VARCHAR", "int": "BIGINT", "real": "DOUBLE"}
_HEADER = re.compile(r"^--\s*(purpose|param|column):\s*(.*)$")
_PARAM = re.compile(r"^(\w+)\s+(text|int|real)\s*=\s*(.*?)\s+:\s+(.*)$")
_COLUMN = re.compile(r"^(\w+)\s+:\s+(.*)$")

Value = str | int | float | None


@dataclass(frozen=True)
class Parameter:
    """A parameter of a question: its name, its type (`text`, `int` or `real`), its default and its meaning."""

    name: str
    kind: str
    default: Value
    meaning: str

    def value_of(self, given: object, *, question: str) -> Value:
        """Return a given value in the parameter's type; texts are read as numbers where a number is wanted.

        Raises:
            CatalogError: the value does not fit.
        """
        if given is None:
            return None
        try:
            if self.kind == "int":
                return int(str(given))
            if self.kind == "real":
                return float(str(given))
        except ValueError as error:
            raise CatalogError(
                f"question {question}, parameter {self.name}",
                value=given,
                expected="a whole number" if self.kind == "int" else "a number",
                remedy=f"default: {self.default}",
            ) from error
        return str(given)

    @property
    def literal(self) -> str:
        """The default as an SQL literal of the parameter's type."""
        return f"CAST({sql_literal(self.default)} AS {SQL_TYPES[self.kind]})"


@dataclass(frozen=True)
class Question:
    """One of the analysts' questions: a file of `sql/queries`."""

    number: int
    name: str
    purpose: str
    sql: str
    params: tuple[Parameter, ...] = ()
    column_docs: dict[str, str] = field(default_factory=dict)

    @property
    def view_name(self) -> str:
        """The view that answers it with its defaults."""
        return f"ask_{self.name}"

    @property
    def parameters(self) -> dict[str, Value]:
        """The names of its parameters with their defaults."""
        return {param.name: param.default for param in self.params}

    def to_dict(self) -> dict[str, object]:
        """Return what a listing says of it, as plain values."""
        return {
            "number": self.number,
            "name": self.name,
            "purpose": self.purpose,
            "parameters": [vars(param) for param in self.params],
        }

    def with_parameters_bound(self) -> str:
        """Return the query with each `$name` cast to its type, ready for named values."""
        return self._replaced({p.name: f"CAST(${p.name} AS {SQL_TYPES[p.kind]})" for p in self.params})

    def with_defaults(self) -> str:
        """Return the query with each `$name` replaced by its default."""
        return self._replaced({p.name: p.literal for p in self.params})

    def _replaced(self, texts: dict[str, str]) -> str:
        return re.sub(r"\$(\w+)", lambda found: texts[found.group(1)], self.sql)


def sql_literal(value: Value) -> str:
    """Return a value as an SQL literal.

    >>> sql_literal("it's")
    "'it''s'"
    """
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value)


def folder(name: str) -> Path:
    """Return one folder of `sql/`."""
    return shipped.path("sql") / name


def files(name: str) -> list[Path]:
    """Return the SQL files of one folder in the order of their numbers."""
    return sorted(folder(name).glob("*.sql"))


def texts(name: str) -> list[tuple[str, str]]:
    """Return name and text of the SQL files of one folder, in order."""
    return [(path.stem, path.read_text(encoding="utf-8")) for path in files(name)]


def everything() -> str:
    """Return all SQL text, so that a changed file makes a new release."""
    return "\n".join(
        f"{name}\n{text}" for part in ("tables", "release", "views", "queries") for name, text in texts(part)
    )


def _default(text: str, kind: str) -> Value:
    if text == "NULL":
        return None
    return int(text) if kind == "int" else float(text) if kind == "real" else text.strip("'")


def read_question(path: Path) -> Question:
    """Read one file of `sql/queries`.

    Raises:
        CatalogError: its name, its header or a parameter is not as described above.
    """
    number, _, name = path.stem.partition("_")
    purpose, parameters, column_docs, body = "", [], {}, []
    for line in path.read_text(encoding="utf-8").splitlines():
        header = _HEADER.match(line)
        if header is None:
            body.append(line)
            continue
        kind, text = header.groups()
        if kind == "purpose":
            purpose = text.strip()
        elif kind == "param" and (param := _PARAM.match(text)):
            parameters.append(
                Parameter(param[1], param[2], _default(param[3], param[2]), param[4].strip()),
            )
        elif kind == "column" and (column := _COLUMN.match(text)):
            column_docs[column[1]] = column[2].strip()
        else:
            raise CatalogError(
                f"sql/queries/{path.name}", value=line, expected="a header line", remedy="see sql/README.md"
            )
    sql = "\n".join(body).strip()
    known = {parameter.name for parameter in parameters}
    used = set(re.findall(r"\$(\w+)", sql))
    if not number.isdigit() or not purpose or known != used:
        raise CatalogError(
            f"sql/queries/{path.name}",
            value=", ".join(sorted(known ^ used)) or path.name,
            expected="a number, a purpose and a header line for each $parameter",
            remedy="see sql/README.md",
        )
    return Question(int(number), name, purpose, sql, tuple(parameters), column_docs)


@functools.cache
def questions() -> tuple[Question, ...]:
    """Return the analysts' questions in the order of their numbers."""
    return tuple(sorted((read_question(path) for path in files("queries")), key=lambda question: question.number))
