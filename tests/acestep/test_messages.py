"""A request says everything, breaks no rule, and names the rule that it would break."""

from __future__ import annotations

import contextlib
import json
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace_assets.acestep.messages import LANGUAGES, ReleaseRequest, normalised_key
from ace_assets.acestep.models import EDITING_TASKS, TASK_TYPES
from ace_assets.errors import RequestError

GOOD: dict[str, Any] = {"prompt": "calm piano, warm room", "audio_duration": 120}
EDIT: dict[str, Any] = {"src_audio_path": "/srv/a.wav", "model": "base", "inference_steps": 50, "instruction": "drums"}


def test_every_field_is_sent_so_that_no_default_of_the_server_applies() -> None:
    sent = ReleaseRequest(**GOOD).payload()
    assert sent["batch_size"] == 1
    assert sent["use_random_seed"] is False
    assert sent["seed"] == 0
    assert sent["audio_format"] == "flac"
    for name in ("thinking", "use_format", "sample_mode", "use_cot_caption", "use_cot_language"):
        assert sent[name] is False
    optional = {field.name for field in fields(ReleaseRequest) if field.default is None}
    assert set(sent) == {field.name for field in fields(ReleaseRequest)} - optional | {"audio_duration"}
    json.dumps(sent, allow_nan=False)


@pytest.mark.parametrize(
    ("given", "sent"),
    [({"time_signature": "4/4"}, "4"), ({"time_signature": "6/8"}, "6"), ({"time_signature": "3"}, "3")],
)
def test_time_signatures_are_spelt_as_the_server_wants_them(given: dict[str, str], sent: str) -> None:
    assert ReleaseRequest(**GOOD, **given).payload()["time_signature"] == sent


def test_names_of_models_are_completed_and_a_providers_prefix_is_dropped() -> None:
    assert ReleaseRequest(**GOOD, model="turbo").model == "acestep-v15-turbo"
    assert ReleaseRequest(**GOOD, model="acestep/acestep-v15-sft", inference_steps=50).model == "acestep-v15-sft"
    assert ReleaseRequest(**GOOD, model="a-model-of-2027").model == "a-model-of-2027"
    assert ReleaseRequest(**GOOD, lm_model_path="1.7B").payload()["lm_model_path"] == "acestep-5Hz-lm-1.7B"
    assert "lm_model_path" not in ReleaseRequest(**GOOD, lm_model_path="none").payload()


@pytest.mark.parametrize(
    ("changes", "rule", "field"),
    [
        ({"bpm": 20}, "A-BPM", "bpm"),
        ({"bpm": 301}, "A-BPM", "bpm"),
        ({"bpm": "90"}, "A-TYPE", "bpm"),
        ({"bpm": 88.6}, "A-TYPE", "bpm"),
        ({"bpm": True}, "A-TYPE", "bpm"),
        ({"audio_duration": 9.9}, "A-DURATION", "audio_duration"),
        ({"audio_duration": 601}, "A-DURATION", "audio_duration"),
        ({"audio_duration": float("nan")}, "A-DURATION", "audio_duration"),
        ({"audio_duration": None}, "A-DURATION", "audio_duration"),
        ({"time_signature": "7"}, "A-TIMESIG", "time_signature"),
        ({"time_signature": "5/4"}, "A-TIMESIG", "time_signature"),
        ({"key_scale": "H dur"}, "A-KEY", "key_scale"),
        ({"vocal_language": "xx"}, "A-LANGUAGE", "vocal_language"),
        ({"prompt": ""}, "A-CAPTION", "prompt"),
        ({"prompt": "x" * 513}, "A-CAPTION", "prompt"),
        ({"prompt": "a\x00b"}, "A-TEXT", "prompt"),
        ({"prompt": "a\ud800b"}, "A-TEXT", "prompt"),
        ({"prompt": 5}, "A-TYPE", "prompt"),
        ({"lyrics": "x" * 4097}, "A-LYRICS", "lyrics"),
        ({"batch_size": 0}, "A-BATCH", "batch_size"),
        ({"batch_size": 9}, "A-BATCH", "batch_size"),
        ({"seed": -1}, "A-SEED", "seed"),
        ({"seed": 2**32}, "A-SEED", "seed"),
        ({"seed": 7, "use_random_seed": True}, "A-SEED", "seed"),
        ({"audio_format": "ogg"}, "A-FORMAT", "audio_format"),
        ({"audio_format": "WAV"}, "A-FORMAT", "audio_format"),
        ({"model": "turbo", "inference_steps": 50}, "A-STEPS", "inference_steps"),
        ({"model": "sft", "inference_steps": 101}, "A-STEPS", "inference_steps"),
        ({"inference_steps": 0}, "A-STEPS", "inference_steps"),
        ({"guidance_scale": 16}, "A-GUIDANCE", "guidance_scale"),
        ({"shift": 0.5}, "A-SHIFT", "shift"),
        ({"infer_method": "euler"}, "A-INFER", "infer_method"),
        ({"timesteps": "0.1,0.5"}, "A-TIMESTEPS", "timesteps"),
        ({"timesteps": "a,b"}, "A-TIMESTEPS", "timesteps"),
        ({"use_adg": True, "model": "turbo"}, "A-ADG", "use_adg"),
        ({"cfg_interval_start": 0.8, "cfg_interval_end": 0.2}, "A-CFG-INTERVAL", "cfg_interval_start"),
        ({"model": "../etc"}, "A-MODEL", "model"),
        ({"task_type": "remix"}, "A-TASK", "task_type"),
        ({"task_type": "cover"}, "A-SOURCE", "src_audio_path"),
        ({"src_audio_path": "/srv/a.wav"}, "A-SOURCE", "src_audio_path"),
        ({"task_type": "cover", "src_audio_path": "../a.wav"}, "A-SOURCE", "src_audio_path"),
        ({"reference_audio_path": "a.wav"}, "A-SOURCE", "reference_audio_path"),
        ({"task_type": "lego", **EDIT, "model": "sft"}, "A-TASK-MODEL", "task_type"),
        ({"task_type": "extract", **EDIT, "model": None}, "A-TASK-MODEL", "model"),
        ({"task_type": "extract", **EDIT, "instruction": None}, "A-INSTRUCTION", "instruction"),
        ({"task_type": "repaint", **EDIT, "repainting_start": 9, "repainting_end": 3}, "A-REPAINT", "repainting_end"),
        ({"task_type": "repaint", **EDIT, "repainting_start": -1}, "A-REPAINT", "repainting_start"),
        ({"repainting_start": 3}, "A-REPAINT", "repainting_start"),
        ({"audio_cover_strength": 1.5}, "A-COVER-STRENGTH", "audio_cover_strength"),
        ({"thinking": True, "lm_model_path": "none"}, "A-LM-NEEDED", "thinking"),
        ({"lm_model_path": "a/b"}, "A-LM-MODEL", "lm_model_path"),
        ({"lm_backend": "onnx"}, "A-LM-BACKEND", "lm_backend"),
        ({"lm_temperature": 3}, "A-LM-TEMPERATURE", "lm_temperature"),
        ({"lm_cfg_scale": 0.5}, "A-LM-CFG", "lm_cfg_scale"),
        ({"lm_top_k": -1}, "A-LM-TOP-K", "lm_top_k"),
        ({"lm_top_p": 0}, "A-LM-TOP-P", "lm_top_p"),
        ({"lm_repetition_penalty": 0.5}, "A-LM-REPETITION", "lm_repetition_penalty"),
        ({"sample_mode": True}, "A-SAMPLE", "sample_mode"),
        ({"thinking": "maybe"}, "A-TYPE", "thinking"),
    ],
)  # fmt: skip
def test_a_broken_rule_is_named_with_its_field_and_what_to_do(changes: dict[str, Any], rule: str, field: str) -> None:
    with pytest.raises(RequestError) as caught:
        ReleaseRequest(**{**GOOD, **changes})
    error = caught.value
    assert error.rule == rule
    assert error.thing == f"request field {field}"
    assert error.expected
    assert error.remedy
    assert f"(rule {rule})" in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize("task", sorted(EDITING_TASKS))
def test_every_editing_task_can_be_asked_of_a_base_model(task: str) -> None:
    request = ReleaseRequest(prompt="p", task_type=task, **EDIT)
    assert request.payload()["task_type"] == task
    assert "audio_duration" not in request.payload()


def test_turbo_covers_and_repaints_but_separates_nothing() -> None:
    source = {"src_audio_path": "/srv/a.wav", "model": "turbo"}
    for task in ("cover", "repaint"):
        assert ReleaseRequest(prompt="p", task_type=task, **source).task_type == task
    assert set(TASK_TYPES) == EDITING_TASKS | {"text2music"}


def test_sampling_needs_no_caption() -> None:
    assert ReleaseRequest(sample_query="quiet lobby piano", audio_duration=30).payload()["sample_query"]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("[]", "A-JSON"),
        ("{", "A-JSON"),
        ("[" * 100_000, "A-JSON"),
        ('{"promt":"a"}', "A-FIELD"),
        ('{"prompt":"a","caption":"b","audio_duration":30}', "A-FIELD"),
        ('{"prompt":"a","audio_duration":30,"ai_token":"sk-secret"}', "A-TOKEN"),
    ],
)
def test_a_plan_with_a_wrong_request_is_refused_by_rule(text: str, rule: str) -> None:
    with pytest.raises(RequestError) as caught:
        ReleaseRequest.from_json(text)
    assert caught.value.rule == rule
    assert "sk-secret" not in str(caught.value)


def test_the_servers_own_aliases_are_understood() -> None:
    spelt = {"caption": "a", "duration": 30, "keyScale": "F minor", "inferenceSteps": 4, "cot-language": True}
    request = ReleaseRequest.from_fields(spelt)
    assert (request.prompt, request.audio_duration, request.key_scale) == ("a", 30.0, "F minor")
    assert (request.inference_steps, request.use_cot_language) == (4, True)


requests = st.builds(
    ReleaseRequest,
    prompt=st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=60).filter(str.strip),
    audio_duration=st.floats(10, 600),
    bpm=st.none() | st.integers(30, 300),
    key_scale=st.sampled_from(["", "C major", "Am", "F# minor", "Bb"]),
    time_signature=st.sampled_from(["", "4/4", "3", "6/8"]),
    vocal_language=st.sampled_from(sorted(LANGUAGES)),
    seed=st.integers(0, 2**32 - 1),
    thinking=st.booleans(),
)


@given(requests)
def test_a_request_survives_its_json(request: ReleaseRequest) -> None:
    text = request.to_json()
    assert ReleaseRequest.from_json(text) == request
    assert ReleaseRequest.from_json(text).to_json() == text
    assert ReleaseRequest.from_fields(request.payload()).payload() == request.payload()


@given(st.text(max_size=12))
def test_any_text_is_a_key_or_is_refused_by_name(text: str) -> None:
    with contextlib.suppress(RequestError):
        key = normalised_key(text)
        assert normalised_key(key) == key
