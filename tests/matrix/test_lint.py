"""Each rule names its row, column and value; errors stop, warnings ride along; shipped words raise no false alarm."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from ace_assets import matrix
from ace_assets.errors import ConfigError
from ace_assets.matrix.lexicon import Lexicon, Phrases
from ace_assets.matrix.lint import lint
from ace_assets.matrix.rows import Matrix

from .conftest import Write, as_csv, good_rows

ERRORS = [
    # rule, the change to row 4 (a spa row), the column that is named
    ("L-BPM", {"bpm_max": "300"}, "bpm_max"),
    ("L-BPM", {"bpm_max": "240"}, "bpm_max"),
    ("L-BPM", {"bpm_max": "301", "allow_unstable": "yes"}, "bpm_max"),
    ("L-BPM", {"bpm_min": "59"}, "bpm_min"),
    ("L-BPM", {"bpm_min": "29", "allow_unstable": "yes"}, "bpm_min"),
    ("L-BPM", {"bpm_min": "72", "bpm_max": "60"}, "bpm_max"),
    ("L-KEY", {"keys": "C major | H minor"}, "keys"),
    ("L-KEY", {"keys": "Q"}, "keys"),
    ("L-KEY", {"keys": "C mixolydian"}, "keys"),
    ("L-TIMESIG", {"time_signature": "5/4"}, "time_signature"),
    ("L-TIMESIG", {"time_signature": "7"}, "time_signature"),
    ("L-DURATION", {"duration_max_s": "301"}, "duration_max_s"),
    ("L-DURATION", {"duration_min_s": "9", "allow_unstable": "yes"}, "duration_min_s"),
    ("L-DURATION", {"duration_max_s": "601", "allow_unstable": "yes"}, "duration_max_s"),
    ("L-DURATION", {"duration_min_s": "200", "duration_max_s": "150"}, "duration_max_s"),
    ("L-ZONE", {"zone": "pool"}, "zone"),
    ("L-DAYPART", {"daypart": "mornin"}, "daypart"),
    ("L-ENERGY", {"energy": "6"}, "energy"),
    ("L-ENERGY", {"energy": "0"}, "energy"),
    ("L-TIER", {"style_tier": "rare"}, "style_tier"),
    ("L-TAKES", {"takes_per_prompt": "0"}, "takes_per_prompt"),
    ("L-TAKES", {"takes_limit": "2"}, "takes_limit"),
    ("L-TAKES", {"tracks_per_prompt": "4"}, "tracks_per_prompt"),
    ("L-TARGET", {"target_tracks": "-1"}, "target_tracks"),
    ("L-LOUDNESS", {"target_lufs": "16"}, "target_lufs"),
    ("L-LOUDNESS", {"ceiling_dbtp": "1"}, "ceiling_dbtp"),
    ("L-BRAND", {"brand_include": "Aurora | Boreal", "brand_exclude": "aurora"}, "brand_exclude"),
    ("L-VOCAL", {"vocal": "klingon"}, "vocal"),
    ("L-INSTRUMENTS", {"instruments_core": "harp", "instruments_colour": ""}, "instruments_core"),
    ("L-INSTRUMENTS", {"instruments_colour": "Warm Pads | harp"}, "instruments_colour"),
    ("L-NEVER-SPA", {"instruments_core": "soft drums | harp"}, "instruments_core"),
    ("L-NEVER-SPA", {"texture": "with a gentle beat"}, "texture"),
    ("L-NEVER-SPA", {"vocal": "wordless"}, "vocal"),
    ("L-NEVER-SPA", {"vocal": "en"}, "vocal"),
    ("L-NEVER-SPA", {"bpm_max": "81"}, "bpm_max"),
    ("L-ARTIST", {"texture": "soft like Brian Eno"}, "texture"),
    ("L-ARTIST", {"texture": "soft as brian eno"}, "texture"),
    ("L-ARTIST", {"mood": "norah-jones"}, "mood"),
    ("L-ARTIST", {"production": "Sade on a Sunday"}, "production"),
    ("L-ARTIST", {"production": "a Prince of a mix"}, "production"),
    ("L-ARTIST", {"texture": "in the style of nobody"}, "texture"),
    ("L-ARTIST", {"texture": "prince-style warmth"}, "texture"),
    ("L-ARTIST", {"production": "a Drake type mix"}, "production"),
    ("L-ARTIST", {"instruments_colour": "Zebediah Quartermain harp | cello"}, "instruments_colour"),
    ("L-ASCII", {"texture": "séduisant"}, "texture"),
    ("L-ASCII", {"production": "wide “natural” reverb"}, "production"),
    ("L-CAPTION-WORDS", {"texture": "70 bpm and soft"}, "texture"),
    ("L-CAPTION-WORDS", {"texture": "slow and soft"}, "texture"),
    ("L-CAPTION-WORDS", {"production": "in a minor key"}, "production"),
    ("L-CAPTION-WORDS", {"texture": "[chorus] soft"}, "texture"),
    ("L-CAPTION-LENGTH", {"texture": "soft and " * 50 + "wide"}, "texture"),
    ("L-CONFLICT", {"texture": "soft and sparse | dense and wide"}, "texture"),
]


@pytest.mark.parametrize(("rule", "change", "column"), ERRORS)
def test_an_error_names_rule_row_column_and_value(rule: str, change: dict[str, str], column: str, write: Write) -> None:
    _, findings = matrix.check_matrix(write(as_csv(good_rows(**change))))
    found = [f for f in findings if f.rule == rule and f.severity == "error"]
    assert found, [f.line() for f in findings]
    assert (found[0].row, found[0].column) == (4, column)
    assert found[0].value is not None
    assert found[0].remedy
    with pytest.raises(ConfigError, match=r"genre_matrix\.csv row 4, column "):
        matrix.load_matrix(write(as_csv(good_rows(**change))))


WARNINGS = [
    ("L-BPM", {"bpm_min": "50", "allow_unstable": "yes"}, "bpm_min"),
    ("L-KEY", {"keys": "C major | F# minor"}, "keys"),
    ("L-TIMESIG", {"time_signature": "3"}, "time_signature"),
    ("L-DURATION", {"duration_min_s": "90"}, "duration_min_s"),
    ("L-DURATION", {"duration_max_s": "280"}, "duration_max_s"),
    ("L-DURATION", {"duration_max_s": "400", "allow_unstable": "yes"}, "duration_max_s"),
    ("L-INSTRUMENT-RARE", {"instruments_colour": "kalimba | harp"}, "instruments_colour"),
    ("L-INSTRUMENT-RARE", {"instruments_colour": "grand paino"}, "instruments_colour"),
    ("L-STYLE-NICHE", {"genre": "throat-singing", "style_tier": "niche"}, "genre"),
    ("L-STYLE-NICHE", {"genre": "yodelling"}, "genre"),
]


@pytest.mark.parametrize(("rule", "change", "column"), WARNINGS)
def test_a_warning_does_not_stop_but_rides_along(rule: str, change: dict[str, str], column: str, write: Write) -> None:
    found = matrix.load_matrix(write(as_csv(good_rows(**change))))
    warnings = [f for f in found.findings if f.severity == "warning"]
    assert [(f.rule, f.row, f.column) for f in warnings] == [(rule, 4, column)]
    assert found.warnings_of_row(4)[0].startswith(f"{rule}: {column}: ")
    assert found.warnings_of_row(2) == []


def test_bpm_300_reads_as_the_house_style_wants_it(write: Write) -> None:
    with pytest.raises(ConfigError) as caught:
        matrix.load_matrix(write(as_csv(good_rows(bpm_max="300"))))
    assert str(caught.value).startswith(
        "genre_matrix.csv row 4, column bpm_max: 300, expected 60 to 180 beats per minute (rule L-BPM);"
        " lower it or set allow_unstable to yes"
    )


def test_a_duplicate_cell_names_both_rows_and_the_cell(write: Write) -> None:
    rows = good_rows()
    with pytest.raises(
        ConfigError, match=r"row 5, .*lobby\.bossa-nova\.morning\.warm, .*row 2 has it already.*L-DUPLICATE"
    ):
        matrix.load_matrix(write(as_csv([*rows, rows[0]])))


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"vocal": "en"}, "L-NEVER-LOBBY"),
        ({"texture": "soft with a bass-drop"}, "L-NEVER-LOBBY"),
        ({"zone": "retail", "bpm_min": "88"}, "L-NEVER-RETAIL"),
        ({"zone": "retail", "texture": "harsh and bright"}, "L-NEVER-RETAIL"),
    ],
)
def test_each_zone_has_its_own_never_list(change: dict[str, str], rule: str, write: Write) -> None:
    row = {**good_rows()[0], **change}
    with pytest.raises(ConfigError) as caught:
        matrix.load_matrix(write(as_csv([row])))
    assert caught.value.rule == rule


def test_a_wordless_voice_is_allowed_in_a_lobby(write: Write) -> None:
    assert matrix.load_matrix(write(as_csv([{**good_rows()[0], "vocal": "wordless"}]))).rows[0].instrumental


def test_close_names_are_suggested(write: Write) -> None:
    _, findings = matrix.check_matrix(
        write(as_csv(good_rows(zone="spaa", daypart="midady", instruments_core="grand paino")))
    )
    remedies = {f.rule: f.remedy for f in findings}
    assert remedies["L-ZONE"] == "did you mean spa?"
    assert remedies["L-DAYPART"] == "did you mean midday?"
    assert remedies["L-INSTRUMENT-RARE"] == "did you mean grand piano?"


@pytest.mark.parametrize(
    "text",
    [
        "airy and light",
        "queen-sized warmth",
        "boston fern green",
        "an oasis of calm",
        "free and easy",
        "genuine heart",
        "Grand Piano lead",
    ],
)
def test_everyday_words_are_no_artists(text: str, write: Write) -> None:
    matrix.load_matrix(write(as_csv(good_rows(texture=text))))


def test_whole_words_are_found_and_parts_of_words_are_not() -> None:
    phrases = Phrases(["drum", "rap", "bass drop"])
    assert phrases.found_in("soft drums, wrapped in a drumlin, Bass-Drop") == ["drum", "bass drop"]
    assert phrases.found_in("conundrum") == []


def test_the_shipped_matrix_has_no_error_and_warns_only_of_what_is_niche_or_rare(
    shipped_matrix: Matrix, lexicon: Lexicon
) -> None:
    findings = lint(shipped_matrix.rows, lexicon)
    assert {f.severity for f in findings} == {"warning"}
    assert {f.rule for f in findings} == {"L-INSTRUMENT-RARE", "L-STYLE-NICHE"}


def test_a_report_groups_equal_warnings_keeps_errors_apart_and_gives_the_exit_status(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = good_rows(bpm_max="300")
    rows[0]["keys"] = rows[1]["keys"] = "F major"
    _, findings = matrix.check_matrix(write(as_csv(rows)))
    assert matrix.report(findings) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("error: genre_matrix.csv row 4, column bpm_max: 300")
    assert [line for line in lines if "L-KEY" in line and "(rows 2-3)" in line]
    assert lines[-1] == "2 errors, 2 warnings"  # the tempo is also above the spa's limit
    assert matrix.report([]) == 0


def test_a_report_on_a_terminal_shows_values_with_brackets_as_they_are(write: Write) -> None:
    _, findings = matrix.check_matrix(write(as_csv(good_rows(texture="[bold]soft"))))
    shown = io.StringIO()
    matrix.report(findings, Console(file=shown, force_terminal=True, color_system=None, width=200))
    assert "[bold]soft" in shown.getvalue()
