"""What makes a prompt, a take and a plan the ones they are. How facts become an id is `ace_assets.identity`'s.

A prompt is everything that it asks for. A take is its prompt, the engine and model as the profile declares them
(never as a probe reports them), its variation index and every request field that can change the sound. Formats, batch
sizes and the order of work are no part of it; its seed is derived from it.
"""

from __future__ import annotations

from typing import Any

from ace_assets.identity import canonical_json, hash_id, hash_text, without_defaults
from ace_assets.matrix.campaigns import Profile

# Values at identity version 1. A field that is added later enters here with the value that it had had: no id changes.
PROMPT_DEFAULTS: dict[str, Any] = {
    "lyrics": "[Instrumental]",
    "vocal_language": "unknown",
    "time_signature": "4",
}
SOUND_DEFAULTS: dict[str, Any] = {
    "task_type": "text2music",
    "inference_steps": 8,
    "guidance_scale": 7.0,
    "shift": 3.0,
    "infer_method": "ode",
    "thinking": False,
    "use_cot_caption": False,
    "use_cot_language": False,
    "lm_model": "none",
    "lm_temperature": 0.85,
    "lm_cfg_scale": 2.5,
    "lm_top_p": 0.9,
    "adapter": "",
}
SEED_PLACE = "\x00"


def prompt_id(
    *,
    cell: str,
    prompt_index: int,
    caption: str,
    lyrics: str,
    vocal_language: str,
    bpm: int,
    key: str,
    time_signature: str,
    duration_s: float,
) -> str:
    """Return the id of a prompt: a hash of everything that it asks for, and of its place."""
    facts = {
        "cell": cell,
        "index": prompt_index,
        "caption": caption,
        "lyrics": lyrics,
        "vocal_language": vocal_language,
        "bpm": bpm,
        "key": key,
        "time_signature": time_signature,
        "duration_s": duration_s,
    }
    return hash_id("prompt", facts, defaults=PROMPT_DEFAULTS)


def sound_fields(profile: Profile) -> dict[str, Any]:
    """Return the profile's request fields that can change the sound, at whatever value."""
    return {
        "task_type": "text2music",
        "inference_steps": profile.inference_steps,
        "guidance_scale": profile.guidance_scale,
        "shift": profile.shift,
        "infer_method": profile.infer_method,
        "thinking": profile.thinking,
        "use_cot_caption": False,
        "use_cot_language": False,
        "lm_model": profile.lm_model,
        "lm_temperature": profile.lm_temperature,
        "lm_cfg_scale": profile.lm_cfg_scale,
        "lm_top_p": profile.lm_top_p,
        "adapter": profile.adapter,
    }


def take_id(prompt: str, profile: Profile, take_index: int) -> str:
    """Return the id of one take of a prompt.

    Args:
        prompt: the prompt's id.
        profile: engine, model and request fields.
        take_index: 0-based variation index.
    """
    return TakeIds(profile).of(prompt, take_index)


class TakeIds:
    """The ids of many takes of one profile: the profile's part of the canonical JSON is written once."""

    def __init__(self, profile: Profile) -> None:
        request = canonical_json(without_defaults(sound_fields(profile), SOUND_DEFAULTS))
        engine, model = canonical_json(profile.engine), canonical_json(profile.model)
        self._head = f'{{"engine":{engine},"model":{model},"prompt":"'
        self._middle = f'","request":{request},"variation":'

    def of(self, prompt: str, take_index: int) -> str:
        """Return the id of a prompt's take."""
        return hash_text("take", f"{self._head}{prompt}{self._middle}{take_index}}}")


class Requests:
    """The requests of many takes of one profile: canonical JSON of the fields sent to `/release_task`.

    Every field that the server would otherwise choose itself is there: its own defaults are two takes, a random seed
    and a caption rewritten by a language model.
    """

    def __init__(self, profile: Profile) -> None:
        fields: dict[str, Any] = {
            "model": profile.model,
            "task_type": "text2music",
            "inference_steps": profile.inference_steps,
            "guidance_scale": profile.guidance_scale,
            "shift": profile.shift,
            "infer_method": profile.infer_method,
            "use_random_seed": False,
            "batch_size": 1,
            "audio_format": "flac",
            "thinking": profile.thinking,
            "use_format": False,
            "sample_mode": False,
            "use_cot_caption": False,
            "use_cot_language": False,
            "lm_model_path": profile.lm_model,
            "lm_temperature": profile.lm_temperature,
            "lm_cfg_scale": profile.lm_cfg_scale,
            "lm_top_p": profile.lm_top_p,
        }
        self._profile_fields = fields

    def of_prompt(
        self,
        *,
        caption: str,
        lyrics: str,
        vocal_language: str,
        bpm: int,
        key: str,
        time_signature: str,
        duration_s: float,
    ) -> tuple[str, str]:
        """Return the canonical JSON of a prompt's requests in two halves; the seed goes between them."""
        fields = {
            **self._profile_fields,
            "prompt": caption,
            "lyrics": lyrics,
            "vocal_language": vocal_language,
            "bpm": bpm,
            "key_scale": key,
            "time_signature": time_signature,
            "audio_duration": duration_s,
            "seed": SEED_PLACE,
        }
        head, tail = canonical_json(fields).split(canonical_json(SEED_PLACE))
        return head, tail


def request_json(halves: tuple[str, str], seed: int) -> str:
    """Return the request of one take: the prompt's halves around the take's seed."""
    return f"{halves[0]}{seed}{halves[1]}"
