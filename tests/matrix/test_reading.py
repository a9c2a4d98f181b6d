"""Every broken file gets one clear error that says what to do; what spreadsheets do on their own is understood."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ace_assets import matrix
from ace_assets.errors import ConfigError
from ace_assets.matrix.reading import normalised_key
from ace_assets.matrix.rows import COLUMN_NAMES

from .conftest import GOOD_ROW, Write, as_csv, good_rows


def workbook(*names: str, first: bytes = b"") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        if first:
            archive.writestr("mimetype", first)
        for name in names:
            archive.writestr(name, "<xml/>")
    return out.getvalue()


GOOD = as_csv(good_rows())
LINES = GOOD.splitlines()

BROKEN_FILES: dict[str, tuple[bytes, str, list[str]]] = {
    "an empty file": (b"", "M-EMPTY", ["genre_matrix.csv", "an empty file", "ace-assets init"]),
    "nothing but blanks": (b"\r\n  \r\n", "M-EMPTY", ["an empty file"]),
    "only a byte order mark": (b"\xef\xbb\xbf", "M-EMPTY", ["an empty file"]),
    "only empty fields": (b",,,,\n,,,,\n", "M-EMPTY", ["no text"]),
    "a header only": (LINES[0].encode(), "M-NO-ROWS", ["only a header", "one row"]),
    "an Excel workbook": (
        workbook("[Content_Types].xml", "xl/workbook.xml"),
        "M-SPREADSHEET",
        ["Excel workbook", "CSV UTF-8"],
    ),
    "an OpenDocument spreadsheet": (
        workbook("content.xml", first=b"application/vnd.oasis.opendocument.spreadsheet"),
        "M-SPREADSHEET",
        ["OpenDocument spreadsheet", "CSV UTF-8"],
    ),
    "an old Excel workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "M-SPREADSHEET", ["Excel 97-2003"]),
    "UTF-16 with a mark": (GOOD.encode("utf-16"), "M-ENCODING", ["UTF-16", "CSV UTF-8"]),
    "UTF-16 without a mark": (GOOD.encode("utf-16-le"), "M-ENCODING", ["zero byte"]),
    "Windows-1252": (
        GOOD.replace("silky and swaying", "séduisant", 1).encode("cp1252"),
        "M-ENCODING",
        ["row 2, column texture", "0xE9", "é", "CSV UTF-8"],
    ),
    "no header": ("\n".join(LINES[1:]).encode(), "M-HEADER", ["row 1", "zone, genre"]),
    "prose": (b"Dear team,\nplease find the matrix attached.\n", "M-HEADER", ["row 1"]),
    "a quote that never closes": (
        GOOD.replace("lounge", '"lounge', 1).encode(),
        "M-QUOTE",
        ["row 3", "quote"],
    ),
    "a row that is too short": (
        "\n".join([*LINES[:3], "spa,ambient,midday"]).encode(),
        "M-RAGGED",
        ["row 4", "3 fields", "26 fields"],
    ),
    "a row that is too long": (
        "\n".join([*LINES[:3], LINES[3] + ",more,still more"]).encode(),
        "M-RAGGED",
        ["row 4", "28 fields"],
    ),
}


@pytest.mark.parametrize("name", BROKEN_FILES)
def test_a_broken_file_gets_one_error_that_says_what_to_do(name: str, write: Write) -> None:
    content, rule, words = BROKEN_FILES[name]
    with pytest.raises(ConfigError) as caught:
        matrix.load_matrix(write(content))
    assert caught.value.rule == rule
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith("genre_matrix.csv")
    assert caught.value.remedy
    for word in words:
        assert word in text


def test_a_missing_file_is_named_without_its_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no-matrix\.csv: not found") as caught:
        matrix.load_matrix(tmp_path / "no-matrix.csv")
    assert str(tmp_path) not in str(caught.value)


def test_a_folder_instead_of_a_file_is_an_error_and_no_traceback(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="M-FILE"):
        matrix.load_matrix(tmp_path)


@pytest.mark.parametrize("column", COLUMN_NAMES)
def test_each_missing_column_is_named(column: str, write: Write) -> None:
    kept = [name for name in COLUMN_NAMES if name != column]
    with pytest.raises(ConfigError, match=f"column {column}: missing") as caught:
        matrix.load_matrix(write(as_csv(good_rows(), columns=kept)))
    assert caught.value.rule == "M-COLUMN-MISSING"


def test_a_misspelt_column_is_one_finding_with_the_name_that_was_meant(write: Write) -> None:
    _, findings = matrix.check_matrix(write(GOOD.replace("bpm_max", "bpm_maximum", 1)))
    assert [(f.rule, f.column, f.remedy) for f in findings] == [
        ("M-COLUMN-UNKNOWN", "bpm_maximum", "rename it to bpm_max")
    ]


def test_an_unknown_column_is_an_error_and_the_rows_are_still_checked(write: Write) -> None:
    rows = [{**row, "colour_of_cover": "red"} for row in good_rows(bpm_max="300")]
    _, findings = matrix.check_matrix(write(as_csv(rows, columns=[*COLUMN_NAMES, "colour_of_cover"])))
    rules = {f.rule for f in findings if f.severity == "error"}
    assert {"M-COLUMN-UNKNOWN", "L-BPM"} <= rules


def test_a_column_that_comes_twice_is_an_error(write: Write) -> None:
    with pytest.raises(ConfigError, match="M-COLUMN-TWICE"):
        matrix.load_matrix(write(as_csv(good_rows(), columns=[*COLUMN_NAMES, "zone"])))


WRONG_VALUES = [
    ("energy", "high", "M-TYPE"),
    ("bpm_min", "sixty", "M-TYPE"),
    ("bpm_max", "72.5", "M-TYPE"),
    ("bpm_max", "1e2", "M-TYPE"),
    ("duration_min_s", "2:30", "M-TYPE"),
    ("target_tracks", "many", "M-TYPE"),
    ("target_lufs", "loud", "M-TYPE"),
    ("target_lufs", "-16,5", "M-TYPE"),
    ("ceiling_dbtp", "nan", "M-TYPE"),
    ("allow_unstable", "perhaps", "M-TYPE"),
    ("mood", "Serene", "M-SLUG"),
    ("genre", "deep ambient", "M-SLUG"),
    ("genre", "../etc", "M-SLUG"),
    ("zone", "", "M-REQUIRED"),
    ("keys", " | ", "M-REQUIRED"),
    ("texture", "", "M-REQUIRED"),
    ("texture", "soft, wide", "M-LIST"),
    ("keys", "C major; G major", "M-LIST"),
    ("instruments_core", "harp | harp", "M-LIST-TWICE"),
    ("texture", "a" * 5000, "M-LONG"),
    ("texture", "two\nlines", "M-CONTROL"),
]


@pytest.mark.parametrize(("column", "value", "rule"), WRONG_VALUES)
def test_a_wrong_value_is_named_with_row_column_value_and_rule(
    column: str, value: str, rule: str, write: Write
) -> None:
    with pytest.raises(ConfigError) as caught:
        matrix.load_matrix(write(as_csv(good_rows(**{column: value}))))
    assert caught.value.rule == rule
    assert caught.value.thing == f"genre_matrix.csv row 4, column {column}"
    assert caught.value.value is not None
    assert caught.value.expected
    assert caught.value.remedy


def test_all_findings_are_collected_and_the_first_error_says_how_many_follow(write: Write) -> None:
    rows = good_rows(energy="high", bpm_max="fast")
    rows[1]["daypart"] = "Evening"
    path = write(as_csv(rows))
    _, findings = matrix.check_matrix(path)
    assert [(f.row, f.column) for f in findings] == [(3, "daypart"), (4, "energy"), (4, "bpm_max")]
    with pytest.raises(ConfigError, match=r"row 3, column daypart: Evening.*2 more"):
        matrix.load_matrix(path)


def test_rows_are_numbered_as_a_spreadsheet_does_across_blank_lines_and_quoted_line_breaks(write: Write) -> None:
    lines = as_csv(good_rows(energy="9")).splitlines()
    text = "\n".join([lines[0], lines[1], "", "," * (len(COLUMN_NAMES) - 1), lines[2], lines[3]])
    _, findings = matrix.check_matrix(write(text))
    assert [(f.rule, f.row) for f in findings] == [("L-ENERGY", 6)]


def test_line_endings_of_all_systems_give_the_same_matrix(write: Write) -> None:
    hashes = {matrix.load_matrix(write(GOOD.replace("\n", ending))).content_hash() for ending in ("\n", "\r\n", "\r")}
    assert len(hashes) == 1


def test_a_byte_order_mark_is_accepted_with_a_notice(write: Write) -> None:
    found = matrix.load_matrix(write(b"\xef\xbb\xbf" + GOOD.encode()))
    assert [(f.rule, f.severity) for f in found.findings] == [("M-BOM", "notice")]


def test_semicolons_and_decimal_commas_of_a_spreadsheet_are_understood_with_a_notice(write: Write) -> None:
    rows = [{**row, "target_lufs": "-16,5"} for row in good_rows()]
    found = matrix.load_matrix(write(as_csv(rows, delimiter=";")))
    assert [(f.rule, f.severity, f.value) for f in found.findings] == [("M-SEPARATOR", "notice", "semicolon")]
    assert {row.target_lufs for row in found.rows} == {-16.5}


def test_tabs_are_understood_with_a_notice(write: Write) -> None:
    found = matrix.load_matrix(write(as_csv(good_rows(), delimiter="\t")))
    assert [f.value for f in found.findings] == ["tab"]


def test_the_order_of_columns_does_not_matter(write: Write) -> None:
    one = matrix.load_matrix(write(GOOD))
    other = matrix.load_matrix(write(as_csv(good_rows(), columns=COLUMN_NAMES[::-1])))
    assert one.rows == other.rows


def test_empty_fields_take_their_defaults(write: Write) -> None:
    optional = (
        "takes_per_prompt",
        "takes_limit",
        "tracks_per_prompt",
        "vocal",
        "target_lufs",
        "ceiling_dbtp",
        "allow_unstable",
    )
    rows = good_rows(**dict.fromkeys(optional, ""), style_tier="niche")
    row = matrix.load_matrix(write(as_csv(rows))).rows[2]
    assert (row.takes_per_prompt, row.takes_limit, row.tracks_per_prompt) == (4, 8, 1)
    assert (row.vocal, row.target_lufs, row.ceiling_dbtp, row.allow_unstable) == ("instrumental", -16.0, -1.0, False)


def test_trailing_separators_of_a_spreadsheet_are_ignored(write: Write) -> None:
    assert len(matrix.load_matrix(write("\n".join(line + ",," for line in LINES))).rows) == 3


def test_keys_and_metres_are_understood_in_their_usual_spellings(write: Write) -> None:
    row = matrix.load_matrix(write(as_csv(good_rows(keys="Am | C | e minor", time_signature="4/4")))).rows[2]
    assert row.keys == ("A minor", "C major", "E minor")
    assert row.time_signature == "4"
    assert normalised_key("H major") is None


FOREIGN = [
    b"\xff" * 300_000,
    b"a" * 300_000 + b"\xff",
    b"zone\rgenre\r\xe9",
    b"\r\x00\x80",
    b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 900,
]


@pytest.mark.parametrize("content", FOREIGN)
def test_large_or_foreign_files_are_findings_too(content: bytes, write: Write) -> None:
    with pytest.raises(ConfigError, match=r"genre_matrix\.csv"):
        matrix.load_matrix(write(content))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=400))
def test_no_bytes_whatsoever_cause_anything_but_findings(write: Write, content: bytes) -> None:
    found, findings = matrix.check_matrix(write(content))
    assert found is None
    assert any(f.severity == "error" for f in findings)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(column=st.sampled_from(COLUMN_NAMES), value=st.text(max_size=60))
def test_no_text_in_a_field_causes_anything_but_findings_of_its_row(write: Write, column: str, value: str) -> None:
    try:
        content = as_csv([{**GOOD_ROW, column: value}]).encode()
    except UnicodeEncodeError:  # a lone surrogate has no UTF-8
        return
    found, findings = matrix.check_matrix(write(content))
    assert (found is None) == any(f.severity == "error" for f in findings)
    for finding in findings:
        assert "\n" not in finding.line()
