"""The pictures of the Dagster UI: valid, small, and true."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import polars as pl
from PIL import Image

from ace_assets.assets import pictures

MOST_BYTES = 1_600


def png_of(markdown: str) -> bytes:
    found = re.search(r"data:image/png;base64,([A-Za-z0-9+/=]+)", markdown)
    assert found is not None
    return base64.b64decode(found[1])


def drawn(data: bytes) -> np.ndarray:
    """Return red, green, blue and opacity of every pixel, as another library reads them."""
    image = Image.open(io.BytesIO(data))
    return np.asarray(image.convert("RGBA"))


def frame(*loudness_lufs: float, seed: int = 7) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    waveform = np.sort(rng.integers(-127, 127, (400, 2)), axis=1).astype(np.int8).tobytes()
    return pl.DataFrame(
        {
            "track_id": [f"ACE-{number:010d}" for number in range(len(loudness_lufs))],
            "title": "Slow Morning",
            "waveform": waveform,
            "integrated_loudness_lufs": loudness_lufs,
            "target_lufs": -16.0,
        }
    )


def test_a_waveform_is_a_picture_of_its_extremes() -> None:
    half = np.tile(np.array([-64, 64], np.int8), (400, 1)).tobytes()
    markdown = pictures.waveforms(frame(-16.0).with_columns(waveform=pl.lit(half))).value
    assert markdown is not None
    assert "ACE-0000000000  Slow Morning" in markdown
    pixels = drawn(png_of(markdown))
    assert pixels.shape == (pictures.WAVEFORM_HEIGHT_PX, pictures.WAVEFORM_WIDTH_PX, 4)
    opaque = (pixels[:, :, 3] > 0).mean()
    assert 0.45 < opaque < 0.55


def test_the_loudness_picture_has_a_dot_per_track_and_says_the_range() -> None:
    markdown = pictures.loudness(frame(-16.0, -15.5, -30.0)).value
    assert markdown is not None
    assert "-30.00 to -15.50 LUFS" in markdown
    pixels = drawn(png_of(markdown))[:, :, :3].reshape(-1, 3)
    red, ink = ((pixels == np.array(colour)).all(axis=1).sum() for colour in ((220, 38, 38), (79, 70, 229)))
    assert red == 9
    assert ink == 18


def test_no_track_is_said_in_words() -> None:
    assert pictures.loudness(frame()).value == "no track yet"
    assert pictures.waveforms(frame()).value == "no track yet"


def test_pictures_stay_small_because_they_live_in_the_event_log() -> None:
    many = frame(*np.linspace(-17, -15, 50))
    assert len(str(pictures.loudness(many).value)) < MOST_BYTES
    assert len(str(pictures.waveforms(many, most=1).value)) < MOST_BYTES
