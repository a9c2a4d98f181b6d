"""Findings: what reading and lint say about a matrix, how they are shown, and when they stop the work.

Rows are numbered as a spreadsheet numbers them: the header is row 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import Console
from rich.table import Table

from ace_assets.errors import ConfigError, shorten

Severity = Literal["error", "warning", "notice"]
SEVERITY_ORDER: dict[Severity, int] = {"error": 0, "warning": 1, "notice": 2}
STYLES: dict[Severity, str] = {"error": "bold red", "warning": "yellow", "notice": "cyan"}
MATRIX_NAME = "genre_matrix.csv"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing found in a matrix.

    Attributes:
        rule: the rule's name, e.g. `L-BPM`; M- rules concern the file, L- rules its content.
        severity: an error stops before anything is spent, a warning rides along, a notice is only shown.
        message: what was expected, as it follows the word "expected".
        remedy: what to do.
        row: row of the spreadsheet, the header being 1; None for the whole file.
        column: name of the column, if one is meant.
        value: what was found, if there is something to show.
        file: name of the file.
    """

    rule: str
    severity: Severity
    message: str
    remedy: str
    row: int | None = None
    column: str | None = None
    value: object = None
    file: str = MATRIX_NAME

    @property
    def place(self) -> str:
        """File, row and column, as an error names them."""
        row = "" if self.row is None else f" row {self.row}"
        column = "" if self.column is None else f"{',' if row else ''} column {self.column}"
        return f"{self.file}{row}{column}"

    def as_error(self, more: int = 0) -> ConfigError:
        """Return the finding as an error; `more` says how many further errors there are."""
        remedy = self.remedy
        if more:
            remedy += f" ({more} more: `ace-assets matrix check` lists them all)"
        return ConfigError(self.place, value=self.value, expected=self.message, remedy=remedy, rule=self.rule)

    def line(self) -> str:
        """Return the finding as one line of plain text."""
        return str(self.as_error())

    def ride_along(self) -> str:
        """Return the finding as the text that a prompt carries to the catalog: `RULE: text`."""
        value = "" if self.value is None else f"{self.value}, "
        return f"{self.rule}: {self.column or 'row'}: {value}expected {self.message}"


def in_order(findings: Sequence[Finding]) -> list[Finding]:
    """Return findings with errors first, then by row."""
    return sorted(findings, key=lambda f: (SEVERITY_ORDER[f.severity], f.row or 0))


def errors_of(findings: Sequence[Finding]) -> list[Finding]:
    """Return the errors among the findings, by row."""
    return [finding for finding in in_order(findings) if finding.severity == "error"]


def refuse_errors(findings: Sequence[Finding]) -> None:
    """Stop if there is an error among the findings.

    Raises:
        ConfigError: the first error, with the number of the others.
    """
    errors = errors_of(findings)
    if errors:
        raise errors[0].as_error(more=len(errors) - 1)


def summary(findings: Sequence[Finding]) -> str:
    """Return how many findings there are, in words.

    >>> summary([])
    'no errors, no warnings'
    """
    counts = {severity: sum(f.severity == severity for f in findings) for severity in SEVERITY_ORDER}
    words = []
    for severity, count in counts.items():
        if count or severity != "notice":
            words.append(f"{count or 'no'} {severity}{'' if count == 1 else 's'}")
    return ", ".join(words)


def grouped(findings: Sequence[Finding]) -> list[tuple[Finding, list[int]]]:
    """Return the findings in order, those that differ only in their row as one, with its rows. Errors stay apart."""
    groups: dict[tuple[object, ...], tuple[Finding, list[int]]] = {}
    for f in in_order(findings):
        own = f.row if f.severity == "error" else None
        key = (f.severity, f.rule, f.column, str(f.value), f.message, f.remedy, own)
        rows = groups.setdefault(key, (f, []))[1]
        if f.row is not None:
            rows.append(f.row)
    return list(groups.values())


def ranges(rows: Sequence[int]) -> str:
    """Return row numbers as people write them.

    >>> ranges([2, 3, 4, 9])
    '2-4, 9'
    """
    spans: list[list[int]] = []
    for row in sorted(set(rows)):
        if spans and row == spans[-1][1] + 1:
            spans[-1][1] = row
        else:
            spans.append([row, row])
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in spans)


def report_lines(findings: Sequence[Finding]) -> list[str]:
    """Return the findings as plain lines, errors first, then the summary."""
    lines = []
    for f, rows in grouped(findings):
        also = f" (rows {ranges(rows)})" if len(rows) > 1 else ""
        lines.append(f"{f.severity}: {f.line()}{also}")
    return [*lines, summary(findings)]


def report_table(findings: Sequence[Finding]) -> Table:
    """Return the findings as a table for the terminal, errors first."""
    table = Table(title=summary(findings), title_justify="left", expand=False)
    table.add_column("", no_wrap=True)
    table.add_column("rule", no_wrap=True)
    table.add_column("rows", overflow="fold")
    table.add_column("column", overflow="fold")
    table.add_column("found", overflow="fold")
    table.add_column("expected; what to do", overflow="fold")
    for f, rows in grouped(findings):
        table.add_row(
            f"[{STYLES[f.severity]}]{f.severity}[/]",
            f.rule,
            ranges(rows),
            f.column or "",
            _literal("" if f.value is None else shorten(f.value)),
            _literal(f"{f.message}; {f.remedy}"),
        )
    return table


def _literal(text: str) -> str:
    """Return the text so that square brackets in it are not taken for markup."""
    return text.replace("[", r"\[")


def report(findings: Sequence[Finding], console: Console | None = None) -> int:
    """Print the findings, a table on a terminal, else plain lines; return the exit status: 1 with errors, else 0."""
    console = console or Console()
    if console.is_terminal and findings:
        console.print(report_table(findings))
    else:
        for line in report_lines(findings):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    return 1 if errors_of(findings) else 0
