"""The lint of a genre matrix: named rules over rows. Errors stop before anything is spent; warnings ride along.

What a file must be to have rows at all is `reading`'s (rules M-). The words that the rules know are `lexicon`'s.

    L-DUPLICATE        a cell twice
    L-ZONE, L-DAYPART  a kind of place or a part of the day that nobody described
    L-ENERGY, L-TIER, L-TAKES, L-TARGET, L-LOUDNESS, L-BRAND, L-VOCAL   a value outside what can be planned
    L-BPM              outside 60-180 (with allow_unstable a warning, down to 30 and up to 300)
    L-KEY              no key; outside C G D Am Em a warning
    L-TIMESIG          no metre; other than 4 a warning
    L-DURATION         outside 10-300 s (with allow_unstable a warning, up to 600); outside 120-240 s a warning
    L-INSTRUMENTS      fewer than two, or one twice
    L-INSTRUMENT-RARE, L-STYLE-NICHE   warnings: what the model renders less reliably
    L-NEVER-<ZONE>     what a zone may never play: words, voices, tempo
    L-ARTIST           somebody's name, or a call to imitate
    L-ASCII, L-CAPTION-LENGTH, L-CAPTION-WORDS   captions that the model would get wrong
    L-CONFLICT         words that contradict each other
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from ace_assets.matrix import captions
from ace_assets.matrix.findings import MATRIX_NAME, Finding, Severity
from ace_assets.matrix.lexicon import Lexicon, plain
from ace_assets.matrix.rows import COMMON, INSTRUMENTAL, NICHE, WORDLESS, MatrixRow

ENERGY_RANGE = (1, 5)
TIME_SIGNATURES = ("2", "3", "4", "6")
STABLE_TIME_SIGNATURE = "4"
KEY_NAME = re.compile(r"[A-G][#b]? (major|minor)")
TARGET_LUFS_RANGE = (-30.0, -8.0)
CEILING_DBTP_RANGE = (-9.0, 0.0)
TAKES_MOST = 64
TRACKS_MOST = 10_000
NAME_RUN = re.compile(r"\b[A-Z][\w'.]*(?:[ -][A-Z][\w'.]*)+")
IMITATING = r"[ -](style|styled|type|inspired|esque|vibes?|soundalike)\b"
TEXT_COLUMNS = ("genre", "mood", "instruments_core", "instruments_colour", "texture", "production")

Rule = Callable[[MatrixRow, Lexicon], Iterator[Finding]]


def lint(rows: Sequence[MatrixRow], lexicon: Lexicon, *, file: str = MATRIX_NAME) -> list[Finding]:
    """Return every finding of every rule, in the order of rows.

    Args:
        rows: rows of the right types.
        lexicon: the words that the rules know.
        file: name of the file, for the findings.
    """
    findings = []
    first_row: dict[str, int] = {}
    for row in rows:
        found = [finding for rule in RULES for finding in rule(row, lexicon)]
        if row.cell in first_row:
            expected = f"each cell once; row {first_row[row.cell]} has it already"
            remedy = "change its genre, daypart or mood, or remove one of the two rows"
            found.append(_at(row, "L-DUPLICATE", "zone+genre+daypart+mood", row.cell, expected, remedy))
        first_row.setdefault(row.cell, row.row)
        findings += found
    return [replace(finding, file=file) for finding in findings]


def _at(
    row: MatrixRow, rule: str, column: str, value: object, expected: str, remedy: str, severity: Severity = "error"
) -> Finding:
    return Finding(
        rule=rule, severity=severity, message=expected, remedy=remedy, row=row.row, column=column, value=value
    )


def _near(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.75)
    return f"did you mean {close[0]}?" if close else ""


def texts_of(row: MatrixRow) -> Iterator[tuple[str, str]]:
    """Yield every text of a row that reaches a caption, with its column."""
    for column in TEXT_COLUMNS:
        value = getattr(row, column)
        for text in (value,) if isinstance(value, str) else value:
            yield column, text


# ---- the cell ------------------------------------------------------------------------------------------------------


def zone_rule(row: MatrixRow, lexicon: Lexicon) -> Iterator[Finding]:
    """L-ZONE: the zone is one that the lexicon describes."""
    if row.zone not in lexicon.zones:
        known = sorted(lexicon.zones)
        remedy = _near(row.zone, known) or f"correct it, or describe the new zone as [zones.{row.zone}] in lexicon.toml"
        yield _at(row, "L-ZONE", "zone", row.zone, "one of " + ", ".join(known), remedy)


def daypart_rule(row: MatrixRow, lexicon: Lexicon) -> Iterator[Finding]:
    """L-DAYPART: the part of the day is one that the lexicon knows."""
    if row.daypart not in lexicon.dayparts:
        remedy = _near(row.daypart, lexicon.dayparts) or "correct it, or add it to dayparts in lexicon.toml"
        yield _at(row, "L-DAYPART", "daypart", row.daypart, "one of " + ", ".join(lexicon.dayparts), remedy)


def counts_rule(row: MatrixRow, lexicon: Lexicon) -> Iterator[Finding]:
    """L-ENERGY, L-TIER, L-TAKES, L-TARGET: numbers and names that the plan counts with."""
    low, high = ENERGY_RANGE
    if not low <= row.energy <= high:
        yield _at(row, "L-ENERGY", "energy", row.energy, f"{low} (calm) to {high} (driving)", "correct it")
    if row.style_tier not in {COMMON, NICHE}:
        yield _at(row, "L-TIER", "style_tier", row.style_tier, f"{COMMON} or {NICHE}", "correct it")
    if not 1 <= row.takes_per_prompt <= TAKES_MOST:
        yield _at(row, "L-TAKES", "takes_per_prompt", row.takes_per_prompt, f"1 to {TAKES_MOST}", "3 is the default")
    if not row.takes_per_prompt <= row.takes_limit <= TAKES_MOST:
        expected = f"takes_per_prompt ({row.takes_per_prompt}) to {TAKES_MOST}"
        yield _at(row, "L-TAKES", "takes_limit", row.takes_limit, expected, "8 is the default")
    if not 1 <= row.tracks_per_prompt <= max(1, row.takes_per_prompt):
        expected = f"1 to takes_per_prompt ({row.takes_per_prompt})"
        yield _at(row, "L-TAKES", "tracks_per_prompt", row.tracks_per_prompt, expected, "1 is the default")
    if not 0 <= row.target_tracks <= TRACKS_MOST:
        yield _at(row, "L-TARGET", "target_tracks", row.target_tracks, f"0 to {TRACKS_MOST}", "correct it")


def loudness_rule(row: MatrixRow, lexicon: Lexicon) -> Iterator[Finding]:
    """L-LOUDNESS: target and ceiling are ones that a master can have."""
    for column, (low, high), unit, usual in (
        ("target_lufs", TARGET_LUFS_RANGE, "LUFS", "-16"),
        ("ceiling_dbtp", CEILING_DBTP_RANGE, "dBTP", "-1"),
    ):
        value = getattr(row, column)
        if not low <= value <= high:
            yield _at(row, "L-LOUDNESS", column, value, f"{low:g} to {high:g} {unit}", f"{usual} is the default")


def brand_rule(row: MatrixRow, lexicon: Lexicon) -> Iterator[Finding]:
    """L-BRAND: no brand is included and excluded."""
    excluded = {brand.lower() for brand in row.brand_exclude}
    for brand in row.brand_include:
        if brand.lower() in excluded:
            yield _at(
                row, "L-BRAND", "brand_exclude", brand, "a brand that brand_include does not name", "remove it from one"
            )


# ---- the music -----------------------------------------------------------------------------------------------------


def bpm_rule(row: MatrixRow, lexicon: Lexicon) -> Iterator[Finding]:
    """L-BPM: the tempo band is one that the model keeps, and not upside down."""
    (stable_low, stable_high), (api_low, api_high) = lexicon.limits["bpm_stable"], lexicon.limits["bpm_api"]
    for column in ("bpm_min", "bpm_max"):
        value = getattr(row, column)
        side = "below" if value < stable_low else "above"
        if not api_low <= value <= api_high or (not stable_low <= value <= stable_high and not row.allow_unstable):
            way = "raise" if side == "below" else "lower"
            remedy = f"{way} it" + (" or set allow_unstable to yes" if api_low <= value <= api_high else "")
            yield _at(row, "L-BPM", column, value, f"{stable_low} to {stable_high} beats per minute", remedy)
        elif not stable_low <= value <= stable_high:
            expected = f"{stable_low} to {stable_high} beats per minute, where the tempo is reliable"
            yield _at(row, "L-BPM", column, value, expected, "expect drift and more rejected takes", "warning")
    if row.bpm_min > row.bpm_max:
        yield _at(row, "L-BPM", "bpm_max", row.bpm_max, f"bpm_min ({row.bpm_min}) or more", "swap the two")


def key_rule(row: MatrixRow, lexicon: Lexicon) -> Iterator[Finding]:
    """L-KEY: every key is one, and one of the reliable ones."""
    for key in row.keys:
        if KEY_NAME.fullmatch(key) is None:
            yield _at(row, "L-KEY", "keys", key, "a note and major or minor, e.g. C major or Am", "correct it")
        elif key not in lexicon.reliable_keys:
            expected = "one of the reliable keys " + ", ".join(lexicon.reliable_keys)
            yield _at(row, "L-KEY", "keys", key, expected, "rare keys may shift: expect more rejected takes", "warning")


def time_signature_rule(row: MatrixRow, lexicon: Lexicon) -> Iterator[Finding]:
    """L-TIMESIG: the metre is one that the server knows, and best the one that is stable."""
    if row.time_signature not in TIME_SIGNATURES:
        remedy = "write the beats alone: 4 for 4/4, 3 for 3/4, 6 for 6/8"
        yield _at(row, "L-TIMESIG", "time_signature", row.time_signature, "4, 3, 2 or 6", remedy)
    elif row.time_signature != STABLE_TIME_SIGNATURE:
        remedy = "expect more rejected takes"
        yield _at(row, "L-TIMESIG", "time_signature", row.time_signature, "4, the most reliable", remedy, "warning")


def duration_rule(row: MatrixRow, lexicon: Lexicon) -> Iterator[Finding]:
    """L-DURATION: the length is one that keeps its structure, and the range is not upside down."""
    good, stable, api = (lexicon.limits[f"duration_{name}_s"] for name in ("good", "stable", "api"))
    for column in ("duration_min_s", "duration_max_s"):
        value = getattr(row, column)
        inside_api, inside_stable = api[0] <= value <= api[1], stable[0] <= value <= stable[1]
        if not inside_api or (not inside_stable and not row.allow_unstable):
            way = "raise" if value < stable[0] else "lower"
            remedy = f"{way} it" + (" or set allow_unstable to yes" if inside_api else "")
            yield _at(row, "L-DURATION", column, value, f"{stable[0]} to {stable[1]} s", remedy)
        elif not good[0] <= value <= good[1]:
            remedy = "expect weaker structure" if value > good[1] else "expect frequent changes of track"
            yield _at(row, "L-DURATION", column, value, f"{good[0]} to {good[1]} s", remedy, "warning")
    if row.duration_min_s > row.duration_max_s:
        expected = f"duration_min_s ({row.duration_min_s}) or more"
        yield _at(row, "L-DURATION", "duration_max_s", row.duration_max_s, expected, "swap the two")


def vocal_rule(row: MatrixRow, lexicon: Lexicon) -> Iterator[Finding]:
    """L-VOCAL: instrumental, wordless, or a language that the model sings."""
    if row.vocal not in {INSTRUMENTAL, WORDLESS} and row.vocal not in lexicon.languages:
        expected = "instrumental, wordless or a language code such as en"
        yield _at(
            row, "L-VOCAL", "vocal", row.vocal, expected, _near(row.vocal, [INSTRUMENTAL, WORDLESS]) or "correct it"
        )


# ---- the words -----------------------------------------------------------------------------------------------------


def instruments_rule(row: MatrixRow, lexicon: Lexicon) -> Iterator[Finding]:
    """L-INSTRUMENTS, L-INSTRUMENT-RARE: enough instruments for a caption, none twice, rare ones named."""
    core = {plain(name) for name in row.instruments_core}
    if len(row.instruments_core) + len(row.instruments_colour) < captions.INSTRUMENTS_MIN:
        value = ", ".join((*row.instruments_core, *row.instruments_colour))
        yield _at(row, "L-INSTRUMENTS", "instruments_core", value, "at least two instruments in all", "add one")
    for name in row.instruments_colour:
        if plain(name) in core:
            expected = "an instrument that instruments_core does not name"
            yield _at(row, "L-INSTRUMENTS", "instruments_colour", name, expected, "remove it from one of the two")
    for column in ("instruments_core", "instruments_colour"):
        for name in getattr(row, column):
            if name in lexicon.common_instruments:
                continue
            remedy = _near(plain(name), lexicon.instrument_names) if name not in lexicon.rare_instruments else ""
            expected = "an instrument that the model renders reliably"
            remedy = remedy or "expect more rejected takes, or choose another"
            yield _at(row, "L-INSTRUMENT-RARE", column, name, expected, remedy, "warning")


def style_rule(row: MatrixRow, lexicon: Lexicon) -> Iterator[Finding]:
    """L-STYLE-NICHE: styles that the model knows less well are named, and have their tier."""
    genre = row.genre.replace("-", " ")
    if genre in lexicon.common_styles and row.style_tier == COMMON:
        return
    known = genre in lexicon.common_styles or genre in lexicon.niche_styles
    expected = "a style that the model plays reliably"
    if row.style_tier == COMMON:
        remedy = "set style_tier to niche and plan more takes"
        if not known:
            remedy = _near(genre, lexicon.style_names) or remedy
    else:
        remedy = "more takes are planned; listen before you trust it"
    yield _at(row, "L-STYLE-NICHE", "genre", row.genre, expected, remedy, "warning")


def never_rule(row: MatrixRow, lexicon: Lexicon) -> Iterator[Finding]:
    """L-NEVER-<ZONE>: the zone's never-list: its words, its voices, its tempo limits."""
    zone = lexicon.zones.get(row.zone)
    if zone is None:
        return
    rule = f"L-NEVER-{row.zone.upper()}"
    for column, text in texts_of(row):
        for word in zone.never.found_in(text):
            yield _at(
                row,
                rule,
                column,
                text,
                f"nothing of the never-list of {row.zone}: {word}",
                "choose another word or instrument",
            )
    voice = row.vocal if row.vocal in {INSTRUMENTAL, WORDLESS} else "sung"
    if voice not in zone.vocals:
        yield _at(
            row,
            rule,
            "vocal",
            row.vocal,
            " or ".join(sorted(zone.vocals)) + f" in {row.zone}",
            "set it to instrumental",
        )
    if zone.bpm_min is not None and row.bpm_min < zone.bpm_min:
        yield _at(
            row, rule, "bpm_min", row.bpm_min, f"{zone.bpm_min} beats per minute or more in {row.zone}", "raise it"
        )
    if zone.bpm_max is not None and row.bpm_max > zone.bpm_max:
        yield _at(
            row, rule, "bpm_max", row.bpm_max, f"{zone.bpm_max} beats per minute or less in {row.zone}", "lower it"
        )


def _means_the_artist(name: str, text: str) -> bool:
    """Say whether a name that is also a word is meant as a name: with its capitals, or as in "prince-style"."""
    spelt = rf"(?<![\w']){re.escape(name)}"
    return bool(re.search(rf"{spelt}(?![\w'])", text) or re.search(rf"{spelt}{IMITATING}", text, re.IGNORECASE))


def artist_rule(row: MatrixRow, lexicon: Lexicon) -> Iterator[Finding]:
    """L-ARTIST: no artist's name, nothing that asks for an imitation, nothing that looks like a person's name."""
    remedy = "describe the sound instead: nobody's name or work may be asked for"
    for column, text in texts_of(row):
        found = [*lexicon.artists.found_in(text), *lexicon.imitation.found_in(text)]
        if found:
            yield _at(row, "L-ARTIST", column, text, f"no artist's name and no imitation: {found[0]}", remedy)
            continue
        words = [name for name in lexicon.artists_like_words if _means_the_artist(name, text)]
        if words:
            either = "describe the sound instead, or write the word in lower case if it is no name"
            yield _at(row, "L-ARTIST", column, text, f"no artist's name: {words[0]}", either)
            continue
        for run in NAME_RUN.findall(text):
            if not all(word in lexicon.vocabulary for word in plain(run).split()):
                yield _at(
                    row,
                    "L-ARTIST",
                    column,
                    text,
                    f"no name of a person or work: {run}",
                    "write it in lower case if it is no name",
                )
                break


def caption_words_rule(row: MatrixRow, lexicon: Lexicon) -> Iterator[Finding]:
    """L-ASCII, L-CAPTION-WORDS: captions are ASCII and leave tempo, key, metre and length to their own fields."""
    for column, text in texts_of(row):
        if not text.isascii():
            letter = next(c for c in text if not c.isascii())
            yield _at(
                row,
                "L-ASCII",
                column,
                text,
                f"plain ASCII letters, not {letter}",
                "write it without accents and symbols",
            )
        for word in lexicon.caption_never.found_in(text):
            expected = f"no word for tempo, key, metre or length: {word}"
            yield _at(row, "L-CAPTION-WORDS", column, text, expected, "remove it: these have columns of their own")
        if any(c in text for c in "[]{}<>"):
            yield _at(row, "L-CAPTION-WORDS", column, text, "no brackets", "remove them: they are for lyrics")


def caption_length_rule(row: MatrixRow, lexicon: Lexicon) -> Iterator[Finding]:
    """L-CAPTION-LENGTH: the longest caption that the row can make is one that the server takes whole."""
    most = int(lexicon.limits["caption_max_chars"])
    length = len(captions.longest(row, lexicon))
    if length > most:
        column = max(("texture", "production", "instruments_core"), key=lambda name: max(map(len, getattr(row, name))))
        yield _at(
            row, "L-CAPTION-LENGTH", column, f"a caption of {length} characters", f"at most {most}", "shorten its texts"
        )


def conflict_rule(row: MatrixRow, lexicon: Lexicon) -> Iterator[Finding]:
    """L-CONFLICT: no two words of the row contradict each other."""
    held: dict[str, tuple[str, str]] = {}
    for column, text in texts_of(row):
        for word in lexicon.conflict_words.found_in(text):
            held.setdefault(word, (column, text))
    for one, other in lexicon.conflicts:
        if one in held and other in held:
            (first_column, _), (column, text) = held[one], held[other]
            expected = f"nothing that contradicts {one} (column {first_column}): {other}"
            yield _at(row, "L-CONFLICT", column, text, expected, "keep one of the two")


RULES: tuple[Rule, ...] = (
    zone_rule,
    daypart_rule,
    bpm_rule,
    key_rule,
    time_signature_rule,
    duration_rule,
    counts_rule,
    vocal_rule,
    never_rule,
    artist_rule,
    caption_words_rule,
    conflict_rule,
    instruments_rule,
    style_rule,
    caption_length_rule,
    loudness_rule,
    brand_rule,
)
