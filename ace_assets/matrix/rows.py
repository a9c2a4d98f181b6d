"""The rows of a genre matrix: its columns, what type each has, and one frozen `MatrixRow` per cell.

How a file becomes rows is `reading`'s; what a row may ask for is `lint`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Literal

from ace_assets.identity import hash_id
from ace_assets.matrix.findings import MATRIX_NAME, Finding
from ace_assets.matrix.lexicon import Lexicon

LIST_SEPARATOR = "|"
INSTRUMENTAL, WORDLESS = "instrumental", "wordless"
COMMON, NICHE = "common", "niche"
DEFAULT_TARGET_LUFS = -16.0
DEFAULT_CEILING_DBTP = -1.0
DEFAULT_TAKES_PER_PROMPT = {COMMON: 3, NICHE: 4}
DEFAULT_TAKES_LIMIT = 8

Kind = Literal["slug", "text", "whole", "real", "list", "flag", "key list"]


@dataclass(frozen=True)
class Column:
    """A column of the file.

    Attributes:
        name: its heading.
        kind: what its fields hold.
        expected: what an error says was expected.
        default: what an empty field means, as text; None where it must be filled in.
    """

    name: str
    kind: Kind
    expected: str
    default: str | None = None


COLUMNS: tuple[Column, ...] = (
    Column("zone", "slug", "a kind of place: lobby, retail or spa"),
    Column("genre", "slug", "a genre in lower case, with hyphens, e.g. bossa-nova"),
    Column("daypart", "slug", "a part of the day, e.g. morning"),
    Column("mood", "slug", "a mood in lower case, with hyphens, e.g. warm"),
    Column("energy", "whole", "a whole number from 1 (calm) to 5 (driving)"),
    Column("bpm_min", "whole", "a whole number of beats per minute"),
    Column("bpm_max", "whole", "a whole number of beats per minute"),
    Column("keys", "key list", "keys separated by |, e.g. C major | A minor"),
    Column("time_signature", "text", "4, 3, 2 or 6 (4 is the most reliable)", "4"),
    Column("instruments_core", "list", "instruments separated by |, e.g. grand piano | upright bass"),
    Column("instruments_colour", "list", "instruments separated by |, or nothing", ""),
    Column("texture", "list", "textures separated by |, e.g. airy and relaxed | silky"),
    Column("production", "list", "productions separated by |, e.g. warm vintage tone"),
    Column("duration_min_s", "whole", "a whole number of seconds"),
    Column("duration_max_s", "whole", "a whole number of seconds"),
    Column("vocal", "text", "instrumental, wordless or a language code such as en", INSTRUMENTAL),
    Column("style_tier", "text", "common or niche", COMMON),
    Column("takes_per_prompt", "whole", "a whole number, 1 or more", ""),
    Column("takes_limit", "whole", "a whole number, takes_per_prompt or more", ""),
    Column("tracks_per_prompt", "whole", "a whole number, 1 or more", "1"),
    Column("target_tracks", "whole", "a whole number, 0 or more"),
    Column("target_lufs", "real", "a loudness in LUFS, e.g. -16", str(DEFAULT_TARGET_LUFS)),
    Column("ceiling_dbtp", "real", "a true peak in dBTP, e.g. -1", str(DEFAULT_CEILING_DBTP)),
    Column("brand_include", "list", "brands separated by |, or nothing for any", ""),
    Column("brand_exclude", "list", "brands separated by |, or nothing", ""),
    Column("allow_unstable", "flag", "yes or no", "no"),
)
COLUMN_NAMES = tuple(column.name for column in COLUMNS)


@dataclass(frozen=True, kw_only=True)
class MatrixRow:
    """One cell as people wrote it. Attributes are the columns; `row` is where it stands, the header being row 1."""

    row: int
    zone: str
    genre: str
    daypart: str
    mood: str
    energy: int
    bpm_min: int
    bpm_max: int
    keys: tuple[str, ...]
    instruments_core: tuple[str, ...]
    texture: tuple[str, ...]
    production: tuple[str, ...]
    duration_min_s: int
    duration_max_s: int
    target_tracks: int
    time_signature: str = "4"
    instruments_colour: tuple[str, ...] = ()
    vocal: str = INSTRUMENTAL
    style_tier: str = COMMON
    takes_per_prompt: int = 3
    takes_limit: int = DEFAULT_TAKES_LIMIT
    tracks_per_prompt: int = 1
    target_lufs: float = DEFAULT_TARGET_LUFS
    ceiling_dbtp: float = DEFAULT_CEILING_DBTP
    brand_include: tuple[str, ...] = ()
    brand_exclude: tuple[str, ...] = ()
    allow_unstable: bool = False

    @property
    def cell(self) -> str:
        """The partition key, e.g. `lobby.bossa-nova.morning.warm`."""
        return f"{self.zone}.{self.genre}.{self.daypart}.{self.mood}"

    @property
    def instrumental(self) -> bool:
        """No sung words are wanted (a wordless voice is none)."""
        return self.vocal in {INSTRUMENTAL, WORDLESS}

    @property
    def target_prompts(self) -> int:
        """Prompts that yield the target: tracks wanted, divided by the tracks kept of each, rounded up."""
        return -(-self.target_tracks // self.tracks_per_prompt)


@dataclass(frozen=True)
class Matrix:
    """A matrix that may be planned.

    Attributes:
        rows: one per cell, in the order of the file.
        file: name of the file, for messages.
        findings: warnings and notices that ride along.
        lexicon: the words that it was linted with.
    """

    rows: tuple[MatrixRow, ...]
    file: str = MATRIX_NAME
    findings: tuple[Finding, ...] = ()
    lexicon: Lexicon | None = field(default=None, repr=False)

    def content_hash(self) -> str:
        """Return a hash of what the matrix says; order and numbering of its rows do not matter."""
        names = [f.name for f in fields(MatrixRow) if f.name != "row"]
        rows = {row.cell: {name: getattr(row, name) for name in names} for row in self.rows}
        return hash_id("matrix", rows)

    def warnings_of_row(self, row: int) -> list[str]:
        """Return the warnings of one row, as texts that ride along."""
        return [f.ride_along() for f in self.findings if f.severity == "warning" and f.row == row]
