"""Small matrices to break, and the shipped one."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ace_assets import matrix
from ace_assets.matrix.lexicon import Lexicon, load_lexicon
from ace_assets.matrix.rows import COLUMN_NAMES, Matrix

GOOD_ROW = {
    "zone": "lobby",
    "genre": "bossa-nova",
    "daypart": "morning",
    "mood": "warm",
    "energy": "2",
    "bpm_min": "108",
    "bpm_max": "126",
    "keys": "C major | G major | A minor",
    "time_signature": "4",
    "instruments_core": "nylon guitar | upright bass | brushed drums",
    "instruments_colour": "flute | vibraphone | grand piano",
    "texture": "airy and relaxed | silky and swaying",
    "production": "close acoustic recording | warm vintage tone",
    "duration_min_s": "150",
    "duration_max_s": "200",
    "vocal": "instrumental",
    "style_tier": "common",
    "takes_per_prompt": "3",
    "takes_limit": "8",
    "tracks_per_prompt": "1",
    "target_tracks": "6",
    "target_lufs": "-16.0",
    "ceiling_dbtp": "-1.0",
    "brand_include": "",
    "brand_exclude": "",
    "allow_unstable": "no",
}
assert tuple(GOOD_ROW) == COLUMN_NAMES


def good_rows(**changes: str) -> list[dict[str, str]]:
    """Three rows, the third one with changes: it stands in row 4."""
    first = dict(GOOD_ROW)
    second = {**GOOD_ROW, "genre": "lounge", "daypart": "evening", "mood": "stylish"}
    third = {
        **GOOD_ROW,
        "zone": "spa",
        "genre": "ambient",
        "daypart": "midday",
        "mood": "serene",
        "energy": "1",
        "bpm_min": "60",
        "bpm_max": "72",
        "instruments_core": "warm pads | airy pads",
        "instruments_colour": "harp | felt piano | cello",
        **changes,
    }
    return [first, second, third]


def as_csv(rows: Sequence[dict[str, str]], *, delimiter: str = ",", columns: Sequence[str] = COLUMN_NAMES) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, delimiter=delimiter, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


Write = Callable[[bytes | str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def _write(content: bytes | str) -> Path:
        path = tmp_path / "genre_matrix.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return _write


@pytest.fixture(scope="session")
def lexicon() -> Lexicon:
    return load_lexicon()


@pytest.fixture(scope="session")
def shipped_matrix() -> Matrix:
    return matrix.load_matrix()


@pytest.fixture(scope="session")
def campaigns() -> matrix.Campaigns:
    return matrix.load_campaigns()


@pytest.fixture(scope="session")
def first_test(shipped_matrix: Matrix, campaigns: matrix.Campaigns) -> matrix.Plan:
    return plan_of(shipped_matrix, campaigns, "first_test")


@pytest.fixture(scope="session")
def full_catalog(shipped_matrix: Matrix, campaigns: matrix.Campaigns) -> matrix.Plan:
    return plan_of(shipped_matrix, campaigns, "full_catalog")


def plan_of(rows: Matrix, campaigns: matrix.Campaigns, name: str, **options: object) -> matrix.Plan:
    campaign = campaigns.campaign(name)
    profile = campaigns.profile(campaign.profile)
    return matrix.make_plan(rows, campaign=campaign, profile=profile, engine=profile.engine, **options)  # type: ignore[arg-type]
