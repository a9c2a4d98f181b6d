"""The file of a genre matrix: bytes become text, text becomes records, numbered as a spreadsheet numbers its rows.

The file is a CSV in UTF-8. What spreadsheets do on their own is accepted with a notice: a byte order mark, `;` or tab
as separator, and with `;` a decimal comma. What would be guesswork is refused: other encodings, spreadsheet files, open
quotes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ace_assets.matrix.findings import Finding, Severity

SAVE_AS = "save it as CSV UTF-8 (comma separated)"
UTF8_MARK = b"\xef\xbb\xbf"
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
ZIP_MAGIC, OLE_MAGIC = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}


@dataclass
class Notes:
    """What is known while a file is read."""

    file: str
    decimal_comma: bool = False
    findings: list[Finding] = field(default_factory=list)

    def add(
        self, rule: str, expected: str, remedy: str, *, row: int | None = None, column: str | None = None,
        value: object = None, severity: Severity = "error",
    ) -> None:  # fmt: skip
        """Note a finding."""
        self.findings.append(
            Finding(
                rule=rule,
                severity=severity,
                message=expected,
                remedy=remedy,
                row=row,
                column=column,
                value=value,
                file=self.file,
            )
        )


def text_of(path: Path, reader: Notes) -> str | None:
    """Return the file's text, or None after noting why it cannot be had."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        reader.add(
            "M-FILE", "a file", "correct the path, or write the defaults with `ace-assets init`", value="not found"
        )
        return None
    except OSError as error:
        reader.add("M-FILE", "a readable file", "correct the path or its rights", value=error.strerror)
        return None
    if not data.strip(b"\x00 \t\r\n" + UTF8_MARK):
        reader.add(
            "M-EMPTY",
            "a header and one row per cell",
            "start from the default: `ace-assets init`",
            value="an empty file",
        )
        return None
    if data.startswith((ZIP_MAGIC, OLE_MAGIC)):
        reader.add(
            "M-SPREADSHEET",
            "a CSV text file",
            f"open it in its program and {SAVE_AS}",
            value=_kind_of_spreadsheet(data),
        )
        return None
    if data.startswith(UTF16_MARKS):
        reader.add("M-ENCODING", "UTF-8", f"{SAVE_AS}: 'Unicode text' is something else", value="UTF-16 text")
        return None
    if data.startswith(UTF8_MARK):
        data = data[len(UTF8_MARK) :]
        reader.add(
            "M-BOM",
            "UTF-8 without a byte order mark",
            "nothing: it was skipped",
            value="byte order mark",
            severity="notice",
        )
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        row, column = _place(data, error.start)
        byte = data[error.start]
        guess = bytes([byte]).decode("cp1252", errors="replace")
        value = f"byte 0x{byte:02X} ({guess} in Windows-1252)"
        reader.add("M-ENCODING", "UTF-8", SAVE_AS, row=row, column=column, value=value)
        return None
    if "\x00" in text:
        row = text.count("\n", 0, text.index("\x00")) + 1
        reader.add("M-ENCODING", "text in UTF-8", SAVE_AS, row=row, value="a zero byte: UTF-16 or no text")
        return None
    return text


def _kind_of_spreadsheet(data: bytes) -> str:
    if data.startswith(OLE_MAGIC):
        return "Excel 97-2003 workbook"
    if b"opendocument" in data[:200]:
        return "OpenDocument spreadsheet"
    return "Excel workbook" if b"xl/" in data or b"[Content_Types]" in data else "zip archive"


def _place(data: bytes, position: int) -> tuple[int, str | None]:
    """Return the row and the column's name at a position of bytes that are no UTF-8."""
    row = data.count(b"\n", 0, position) + 1
    header, *_ = data.decode("latin-1").splitlines()
    before = data[data.rfind(b"\n", 0, position) + 1 : position].decode("latin-1")
    separator = _most_frequent(header)
    try:
        names = next(csv.reader([header], delimiter=separator), [])
        fields = next(csv.reader([before], delimiter=separator), [])
    except csv.Error:
        return row, None
    return row, names[len(fields) - 1] if row > 1 and 0 < len(fields) <= len(names) else None


def _most_frequent(header: str) -> str:
    counts = {separator: header.count(separator) for separator in SEPARATORS}
    return max(counts, key=lambda s: (counts[s], s == ","))


def separator_of(text: str, reader: Notes) -> str:
    """Return what separates the fields, as the header shows it."""
    header = text.lstrip("\r\n").splitlines()[0] if text.strip() else ""
    separator = _most_frequent(header)
    if separator != ",":
        reader.decimal_comma = separator == ";"
        reader.add(
            "M-SEPARATOR", "a comma", "nothing: it was understood", value=SEPARATORS[separator], severity="notice"
        )
    return separator


def records_of(text: str, separator: str, reader: Notes) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that hold anything, with their number in a spreadsheet."""
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    number = 0
    while True:
        number += 1
        try:
            fields = next(lines)
        except StopIteration:
            return
        except csv.Error as error:
            reader.add(
                "M-QUOTE", "quotes that close, and double quotes inside quotes", 'correct the row: "a ""quoted"" word"',
                row=number, value=str(error),
            )  # fmt: skip
            return
        if any(value.strip() for value in fields):
            yield number, fields
