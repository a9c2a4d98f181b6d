"""Outlines for pictures."""

from __future__ import annotations

import numpy as np

from ace_assets.audio.waveform import peaks
from tests.signals import music


def test_the_outline_encloses_every_sample():
    samples = music(3.0)
    outline = peaks(samples, 400)
    assert outline.shape == (400, 2)
    assert outline[:, 0].min() == samples.min()
    assert outline[:, 1].max() == samples.max()


def test_short_and_empty_audio_have_an_outline_too():
    assert peaks(np.zeros((0, 2), np.float32), 4).tolist() == [[0, 0]] * 4
    assert peaks(np.full((1, 2), 0.5, np.float32), 3).tolist() == [[0.5, 0.5]] * 3
    assert peaks(np.zeros((5, 2), np.float32), 0).shape == (0, 2)
