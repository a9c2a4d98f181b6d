"""Every planned request is one that the ACE-Step client accepts unchanged, whatever the profile."""

from __future__ import annotations

import json

import polars as pl
import pytest

from ace_assets import matrix
from ace_assets.acestep.messages import ReleaseRequest
from ace_assets.matrix.rows import Matrix

from .conftest import Write, as_csv, good_rows, plan_of

NEEDED = {
    "prompt",
    "lyrics",
    "bpm",
    "key_scale",
    "time_signature",
    "audio_duration",
    "vocal_language",
    "inference_steps",
    "guidance_scale",
    "shift",
    "seed",
    "use_random_seed",
    "batch_size",
    "audio_format",
    "task_type",
    "thinking",
    "use_cot_caption",
    "use_cot_language",
    "model",
}


@pytest.mark.parametrize("profile_name", ["production", "evaluation", "preview"])
def test_the_client_sends_a_planned_request_as_it_is(
    profile_name: str, shipped_matrix: Matrix, campaigns: matrix.Campaigns
) -> None:
    profile = campaigns.profile(profile_name)
    plan = matrix.make_plan(
        shipped_matrix, campaign=campaigns.campaign("quality_eval"), profile=profile, engine=profile.engine
    )
    joined = plan.planned_takes.join(plan.prompts, on="prompt_id")
    for take in joined.iter_rows(named=True):
        fields = json.loads(take["request_json"])
        assert set(fields) >= NEEDED
        sent = ReleaseRequest.from_json(take["request_json"]).payload()
        differing = {name for name, value in fields.items() if sent.get(name) != value} - {"lm_model_path"}
        assert not differing
        assert (sent["use_random_seed"], sent["batch_size"], sent["audio_format"]) == (False, 1, "flac")
        assert (sent["use_cot_caption"], sent["use_cot_language"], sent["task_type"]) == (False, False, "text2music")
        assert sent["model"] == take["model"] == profile.model
        assert sent["seed"] == take["seed"]
        assert (sent["prompt"], sent["bpm"], sent["key_scale"]) == (
            take["caption"],
            take["requested_bpm"],
            take["requested_key"],
        )
        assert (sent["audio_duration"], sent["inference_steps"]) == (
            take["requested_duration_s"],
            profile.inference_steps,
        )


@pytest.mark.parametrize("vocal", ["wordless", "en"])
def test_voices_are_asked_for_in_lyrics_and_language(vocal: str, write: Write, campaigns: matrix.Campaigns) -> None:
    row = {**good_rows()[0], "zone": "retail", "vocal": vocal, "time_signature": "3", "keys": "F# minor | Bb major"}
    plan = plan_of(matrix.load_matrix(write(as_csv([row]))), campaigns, "full_catalog")
    request = ReleaseRequest.from_json(plan.planned_takes["request_json"][0])
    assert request.lyrics.endswith("[Outro]")
    assert request.vocal_language == ("en" if vocal == "en" else "unknown")
    assert request.time_signature == "3"
    assert set(plan.prompts["requested_key"]) == {"F# minor", "Bb major"}
    assert plan.prompts.select(pl.col("instrumental").all()).item() == (vocal == "wordless")


def test_the_preview_profile_names_the_model_that_the_preview_engine_reports(campaigns: matrix.Campaigns) -> None:
    from ace_assets.preview.messages import MODEL_NAME

    assert campaigns.profile("preview").model == MODEL_NAME
