"""Everything that is measured of one piece, and how it becomes a score."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from ace_assets.audio.codecs import Audio
from ace_assets.errors import AudioError, ConfigError
from ace_assets.scoring import SCORE_BASIS, analyze, policy_for
from ace_assets.scoring.score import COMPONENTS, signal_score
from ace_assets.tables import TakeScores, from_rows
from tests.music import judge

FIELDS = {
    "duration_s", "sample_rate_hz", "channels", "integrated_loudness_lufs", "loudness_range_lu", "momentary_max_lufs",
    "short_term_max_lufs", "true_peak_dbtp", "tempo_bpm", "tempo_match", "key", "gate_failures", "fit_failures", "signal_score",
}  # fmt: skip


@pytest.fixture(scope="module")
def clip() -> judge.Sample:
    return next(judge.previewed([3], 30.0))


@pytest.fixture(scope="module")
def audio(clip) -> Audio:
    return Audio(clip.samples, clip.sample_rate_hz)


def test_a_sound_take_passes_and_every_promised_field_is_there(audio, clip):
    result = analyze(audio, requested_bpm=clip.bpm, requested_key=clip.key, requested_duration_s=audio.duration_s)
    assert result.gate_failures == ()
    assert result.fit_failures == ()
    assert set(result.as_json()) >= FIELDS
    assert json.loads(json.dumps(result.as_json()))["signal_score"] == pytest.approx(result.signal_score, abs=1e-3)
    assert 50 < (result.signal_score or 0) <= 100
    assert result.score_basis == SCORE_BASIS
    assert result.why == "passed every gate and fit rule"


def test_what_was_not_requested_is_not_measured(audio):
    result = analyze(audio)
    assert result.tempo_match is None
    assert result.key_match is None
    assert result.tempo_bpm is not None
    assert "wrong_duration" not in result.gate_failures


def test_the_columns_fit_the_table(audio):
    row = {"take_id": "t", "prompt_id": "p", "cell": "c", "take_index": 0, "fate": "kept", "why": "x",
           "scored_at": __import__("datetime").datetime(2026, 1, 1, tzinfo=__import__("datetime").UTC)}  # fmt: skip
    assert from_rows(TakeScores, [row | analyze(audio).as_columns()]).height == 1


def test_a_wrong_tempo_and_a_strange_key_are_matters_of_fit_not_defects(audio, clip):
    result = analyze(audio, requested_bpm=clip.bpm * 1.13, requested_key="F# major")
    assert result.gate_failures == ()
    assert set(result.fit_failures) == {"wrong_tempo", "wrong_key"}
    assert "tempo match" in result.why


def test_a_jump_in_loudness_is_a_matter_of_fit(audio, clip):
    samples = clip.samples.copy()
    samples[len(samples) // 2 :] *= np.float32(0.2)
    result = analyze(Audio(samples, clip.sample_rate_hz))
    assert "loudness_jump" in result.fit_failures
    assert "loudness_jump" not in result.gate_failures


def test_not_a_number_leaves_everything_unmeasured(audio):
    samples = audio.samples.copy()
    samples[100, 0] = np.nan
    result = analyze(Audio(samples, audio.sample_rate_hz), requested_duration_s=5.0)
    assert result.gate_failures == ("wrong_duration", "non_finite")
    assert result.signal_score is None
    assert result.integrated_loudness_lufs is None


@pytest.mark.parametrize("frames", [1, 10, 480, 4_800, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_however_short_a_piece_is_it_gets_a_result(frames, channels):
    samples = (0.1 * np.random.default_rng(0).standard_normal((frames, channels))).astype(np.float32)
    assert analyze(Audio(samples, 48_000)).duration_s == frames / 48_000


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 96_000, 192_000])
def test_every_rate_gets_a_result(rate_hz):
    t = np.arange(8 * rate_hz) / rate_hz
    tone = (0.3 * np.sin(2 * np.pi * 220 * t) * np.exp(-t / 3))[:, None].astype(np.float32)
    result = analyze(Audio(tone, rate_hz))
    assert result.sample_rate_hz == rate_hz
    assert result.integrated_loudness_lufs is not None


def test_no_frames_many_channels_and_no_key_are_one_clear_error(audio):
    with pytest.raises(AudioError, match="0 frames"):
        analyze(Audio(np.zeros((0, 2), np.float32), 48_000))
    with pytest.raises(AudioError, match="channels"):
        analyze(Audio(np.zeros((48_000, 8), np.float32), 48_000))
    with pytest.raises(AudioError, match="key"):
        analyze(audio, requested_key="X")


def test_zones_differ_and_an_unknown_one_takes_the_default():
    assert policy_for("spa").tempo_match_min is None
    assert policy_for("retail").loudness_range_max_lu < policy_for("spa").loudness_range_max_lu
    assert policy_for("museum") == policy_for(None)
    with pytest.raises(ConfigError):
        policy_for(" ")


def test_the_score_rises_with_what_is_wanted_and_ignores_what_was_not_measured():
    base = dict.fromkeys(COMPONENTS)
    assert signal_score(base) is None
    assert (signal_score(base | {"tempo_match": 0.9}) or 0) > (signal_score(base | {"tempo_match": 0.4}) or 0)
    assert signal_score(base | {"tempo_match": 1.0}) == 100.0
    assert sum(component.weight for component in COMPONENTS.values()) == 100.0


def test_an_analysis_cannot_be_changed(audio):
    with pytest.raises(dataclasses.FrozenInstanceError):
        analyze(audio).duration_s = 1.0  # type: ignore[misc]
