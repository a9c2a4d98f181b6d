"""Captions and lyrics tags: the words that a prompt sends to the model.

A caption names at least four dimensions (mood, genre, two to four instruments, texture, production), is ASCII and
says nothing of tempo, key or length: those have fields of their own. What words a row may use is `lint`'s.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from ace_assets.matrix.lexicon import Lexicon
from ace_assets.matrix.rows import INSTRUMENTAL, WORDLESS, MatrixRow

INSTRUMENTS_MIN, INSTRUMENTS_MAX = 2, 4
CORE_MOST = 2
INSTRUMENTAL_LYRICS = "[Instrumental]"
WORDLESS_LYRICS = "[Intro]\n[Humming]\n[Instrumental Break]\n[Humming]\n[Outro]"
SUNG_LYRICS = "[Intro]\n[Verse 1]\n[Chorus]\n[Verse 2]\n[Chorus]\n[Bridge]\n[Chorus]\n[Outro]"
NO_LANGUAGE = "unknown"


def core_size(row: MatrixRow) -> int:
    """Return how many core instruments a caption of the row names."""
    core, colour = len(row.instruments_core), len(row.instruments_colour)
    if colour == 0:
        return min(core, 3 if core > 3 else INSTRUMENTS_MIN)
    return min(core, CORE_MOST)


def colour_sizes(row: MatrixRow) -> Iterator[int]:
    """Yield how many colour instruments each prompt's caption names: one and two in turn."""
    least = max(1, INSTRUMENTS_MIN - core_size(row))
    most = max(least, min(len(row.instruments_colour), INSTRUMENTS_MAX - core_size(row)))
    return itertools.cycle(sorted({least, min(most, least + 1)}))


def compose(row: MatrixRow, lexicon: Lexicon, *, instruments: Sequence[str], texture: str, production: str) -> str:
    """Return the caption of one prompt."""
    kind = "instrumental" if row.vocal == INSTRUMENTAL else "with a wordless voice" if row.vocal == WORDLESS else "song"
    style = f"{row.mood.replace('-', ' ')} {lexicon.style_caption(row.genre)} {kind}"
    zone = lexicon.zones.get(row.zone)
    return ", ".join([style, *instruments, texture, production, *(() if zone is None else zone.caption)])


def longest(row: MatrixRow, lexicon: Lexicon) -> str:
    """Return the longest caption that the row can make."""

    def by_length(words: Sequence[str], most: int) -> list[str]:
        return sorted(words, key=len, reverse=True)[:most]

    colours = max(itertools.islice(colour_sizes(row), 2)) if row.instruments_colour else 0
    instruments = by_length(row.instruments_core, core_size(row)) + by_length(row.instruments_colour, colours)
    return compose(
        row,
        lexicon,
        instruments=instruments,
        texture=max(row.texture, key=len),
        production=max(row.production, key=len),
    )


def lyrics_of(row: MatrixRow) -> str:
    """Return the lyrics tag: `[Instrumental]`, or sections that end in an outro."""
    if row.vocal == INSTRUMENTAL:
        return INSTRUMENTAL_LYRICS
    return WORDLESS_LYRICS if row.vocal == WORDLESS else SUNG_LYRICS


def language_of(row: MatrixRow) -> str:
    """Return the language that is sung, `unknown` for instrumental music."""
    return NO_LANGUAGE if row.instrumental else row.vocal
