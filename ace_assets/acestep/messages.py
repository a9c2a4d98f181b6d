"""One request to `/release_task`: every field that the API knows, checked before anything is sent.

The real server turns wrong types into defaults and lets wrong values pass, so nothing leaves here unchecked. Every
rule has a name; its error says field, value, range and what to do. Field names are the API's own. Every field is sent,
because the server's defaults (two takes, a random seed, a caption rewritten by a language model) are not ours.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, NoReturn, get_type_hints

from ace_assets.acestep.models import (
    BASE_ONLY_TASKS,
    EDITING_TASKS,
    NO_LANGUAGE_MODEL,
    TASK_TYPES,
    family_of,
    full_language_model_name,
    full_name,
)
from ace_assets.errors import RequestError

CAPTION_MAX_CHARS = 512
LYRICS_MAX_CHARS = 4096
BPM_RANGE = (30, 300)
DURATION_RANGE_S = (10.0, 600.0)
BATCH_RANGE = (1, 8)
SEED_RANGE = (0, 2**32 - 1)
RANDOM_SEED = -1
GUIDANCE_RANGE = (1.0, 15.0)
SHIFT_RANGE = (1.0, 5.0)
AUDIO_FORMATS = ("flac", "wav", "mp3")
INFER_METHODS = ("ode", "sde")
LM_BACKENDS = ("vllm", "pt")
TO_THE_END = -1.0
TIME_SIGNATURES = {"2/4": "2", "3/4": "3", "4/4": "4", "6/8": "6", "2": "2", "3": "3", "4": "4", "6": "6"}
LANGUAGES = frozenset(
    # acestep/constants.py, VALID_LANGUAGES
    "ar az bg bn ca cs da de el en es fa fi fr he hi hr ht hu id is it ja ko la lt ms ne nl no pa pl pt ro ru sa sk sr "  # noqa: SIM905 - as words
    "sv sw ta te th tl tr uk ur vi yue zh unknown".split()
)
KEY_PATTERN = re.compile(r"([A-Ga-g])([#b♯♭]?) ?(m|maj|min|major|minor)?", re.IGNORECASE)

# Other spellings that the server takes for the same field
ALIASES = {
    "caption": "prompt",
    "duration": "audio_duration",
    "target_duration": "audio_duration",
    "keyscale": "key_scale",
    "timesignature": "time_signature",
    "description": "sample_query",
    "desc": "sample_query",
    "format": "use_format",
    "cot_caption": "use_cot_caption",
    "cot_language": "use_cot_language",
    "constrained": "constrained_decoding",
}


@dataclass(frozen=True, kw_only=True)
class ReleaseRequest:
    """A generation request. Fields carry the API's names; durations and positions are seconds.

    Construction normalises spellings (`4/4` to `4`, `Am` to `A minor`, `turbo` to `acestep-v15-turbo`) and checks every
    rule.

    Raises:
        RequestError: a rule does not hold; `rule` names it.

    >>> ReleaseRequest(prompt="calm piano", audio_duration=120, time_signature="4/4", key_scale="Am").time_signature
    '4'
    """

    # what is wanted
    prompt: str = ""
    lyrics: str = "[Instrumental]"
    vocal_language: str = "unknown"
    audio_duration: float | None = None
    bpm: int | None = None
    key_scale: str = ""
    time_signature: str = ""
    # how it is made
    model: str | None = None
    task_type: str = "text2music"
    seed: int = 0
    use_random_seed: bool = False
    batch_size: int = 1
    audio_format: str = "flac"
    inference_steps: int = 8
    guidance_scale: float = 7.0
    shift: float = 3.0
    infer_method: str = "ode"
    timesteps: str | None = None
    use_adg: bool = False
    cfg_interval_start: float = 0.0
    cfg_interval_end: float = 1.0
    use_tiled_decode: bool = True
    # the language model
    thinking: bool = False
    use_format: bool = False
    sample_mode: bool = False
    sample_query: str = ""
    use_cot_caption: bool = False
    use_cot_language: bool = False
    constrained_decoding: bool = True
    constrained_decoding_debug: bool = False
    allow_lm_batch: bool = True
    lm_model_path: str | None = None
    lm_backend: str | None = None
    lm_temperature: float = 0.85
    lm_cfg_scale: float = 2.5
    lm_negative_prompt: str = "NO USER INPUT"
    lm_top_k: int | None = None
    lm_top_p: float = 0.9
    lm_repetition_penalty: float = 1.0
    audio_code_string: str = ""
    # other audio: absolute paths on the server
    reference_audio_path: str | None = None
    src_audio_path: str | None = None
    instruction: str | None = None
    repainting_start: float = 0.0
    repainting_end: float = TO_THE_END
    audio_cover_strength: float = 1.0

    def __post_init__(self) -> None:
        _check_types(self)
        self._normalise()
        self._check_text()
        self._check_music()
        self._check_diffusion()
        self._check_language_model()
        self._check_task()

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def _normalise(self) -> None:
        for name in _REAL_FIELDS:
            value = getattr(self, name)
            if isinstance(value, int):
                self._set(name, float(value))
        if self.model is not None:
            self._set("model", full_name(self.model))
        if self.lm_model_path is not None:
            self._set("lm_model_path", full_language_model_name(self.lm_model_path))
        if self.time_signature:
            spelt = self.time_signature.strip()
            if spelt not in TIME_SIGNATURES:
                _refuse(
                    "A-TIMESIG", "time_signature", self.time_signature, "4/4, 3/4, 2/4 or 6/8 (4 is the most reliable)"
                )
            self._set("time_signature", TIME_SIGNATURES[spelt])
        if self.key_scale:
            self._set("key_scale", normalised_key(self.key_scale))

    def _check_text(self) -> None:
        for name in ("prompt", "lyrics", "sample_query", "instruction", "lm_negative_prompt"):
            text = getattr(self, name) or ""
            if any(ord(c) < 32 and c not in "\n\r\t" for c in text) or any(0xD800 <= ord(c) <= 0xDFFF for c in text):
                _refuse("A-TEXT", name, text, "text without control characters", "remove them")
        if len(self.prompt) > CAPTION_MAX_CHARS:
            _refuse(
                "A-CAPTION",
                "prompt",
                f"{len(self.prompt)} characters",
                f"at most {CAPTION_MAX_CHARS}",
                "shorten the caption",
            )
        if not self.prompt.strip() and not self.sample_mode and not self.sample_query:
            _refuse("A-CAPTION", "prompt", "empty", "a caption", "describe the music, or set sample_mode")
        if len(self.lyrics) > LYRICS_MAX_CHARS:
            _refuse(
                "A-LYRICS",
                "lyrics",
                f"{len(self.lyrics)} characters",
                f"at most {LYRICS_MAX_CHARS}",
                "shorten the lyrics",
            )
        if self.vocal_language not in LANGUAGES:
            _refuse(
                "A-LANGUAGE",
                "vocal_language",
                self.vocal_language,
                "an ISO code of the 50 languages, e.g. en, or unknown",
            )

    def _check_music(self) -> None:
        if self.audio_duration is None:
            if self.task_type == "text2music":
                _refuse(
                    "A-DURATION",
                    "audio_duration",
                    "missing",
                    "10 to 600 s",
                    "set it: a server makes up a length otherwise",
                )
        else:
            _within(
                "A-DURATION",
                "audio_duration",
                self.audio_duration,
                DURATION_RANGE_S,
                unit=" s",
                remedy="choose 30 to 240 s, the stable range",
            )
        if self.bpm is not None:
            _within(
                "A-BPM",
                "bpm",
                self.bpm,
                BPM_RANGE,
                unit=" beats per minute",
                remedy="choose 60 to 180, the stable range",
            )
        _within("A-BATCH", "batch_size", self.batch_size, BATCH_RANGE, remedy="plan more takes instead")
        if self.use_random_seed:
            if self.seed not in (RANDOM_SEED, 0):
                _refuse(
                    "A-SEED",
                    "seed",
                    self.seed,
                    "-1 beside use_random_seed",
                    "set use_random_seed to false to use the seed",
                )
        else:
            _within("A-SEED", "seed", self.seed, SEED_RANGE, remedy="set use_random_seed to true for a random one")
        _one_of(
            "A-FORMAT",
            "audio_format",
            self.audio_format,
            AUDIO_FORMATS,
            "ask for flac: unknown formats become flac anyway",
        )

    def _check_diffusion(self) -> None:
        family = family_of(self.model or "")
        steps = (family.steps_min, family.steps_max)
        model = self.model or "the default model"
        _within(
            "A-STEPS",
            "inference_steps",
            self.inference_steps,
            steps,
            unit=f" for {model}",
            remedy="8 for turbo, 50 for sft, 32 to 100 for base",
        )
        _within("A-GUIDANCE", "guidance_scale", self.guidance_scale, GUIDANCE_RANGE, remedy="7.0 is the default")
        _within("A-SHIFT", "shift", self.shift, SHIFT_RANGE, remedy="3.0 is the default, 1.0 for sft and base")
        _one_of("A-INFER", "infer_method", self.infer_method, INFER_METHODS, "ode is the default")
        if self.timesteps is not None:
            _check_timesteps(self.timesteps)
        if self.use_adg and not family.guided:
            _refuse(
                "A-ADG",
                "use_adg",
                "true",
                f"false with {model}",
                "adaptive dual guidance needs a guided model such as base",
            )
        for name in ("cfg_interval_start", "cfg_interval_end"):
            _within("A-CFG-INTERVAL", name, getattr(self, name), (0.0, 1.0), remedy="0.0 to 1.0 is the default")
        if self.cfg_interval_start > self.cfg_interval_end:
            _refuse(
                "A-CFG-INTERVAL",
                "cfg_interval_start",
                self.cfg_interval_start,
                "at most cfg_interval_end",
                "swap the two",
            )

    def _check_language_model(self) -> None:
        if self.lm_model_path == NO_LANGUAGE_MODEL:
            for name in ("thinking", "use_format", "sample_mode", "use_cot_caption", "use_cot_language"):
                if getattr(self, name):
                    _refuse(
                        "A-LM-NEEDED",
                        name,
                        "true",
                        "false without a language model",
                        "choose a language model or switch it off",
                    )
            if self.sample_query:
                _refuse(
                    "A-LM-NEEDED",
                    "sample_query",
                    self.sample_query,
                    "none without a language model",
                    "write a caption instead",
                )
        elif self.lm_model_path is not None and not re.fullmatch(r"[\w.\-]+", self.lm_model_path):
            _refuse(
                "A-LM-MODEL", "lm_model_path", self.lm_model_path, "a model's name, e.g. acestep-5Hz-lm-1.7B, or none"
            )
        if self.lm_backend is not None:
            _one_of("A-LM-BACKEND", "lm_backend", self.lm_backend, LM_BACKENDS, "leave it out to use the server's")
        _within("A-LM-TEMPERATURE", "lm_temperature", self.lm_temperature, (0.0, 2.0), remedy="0.85 is the default")
        _within(
            "A-LM-CFG", "lm_cfg_scale", self.lm_cfg_scale, (1.0, 10.0), remedy="2.5 is the default, 1.0 switches it off"
        )
        if self.lm_top_k is not None:
            _within(
                "A-LM-TOP-K", "lm_top_k", self.lm_top_k, (0, 100_000), remedy="leave it out, or 0, to switch it off"
            )
        if not 0.0 < self.lm_top_p <= 1.0:
            _refuse("A-LM-TOP-P", "lm_top_p", self.lm_top_p, "above 0 and at most 1", "0.9 is the default")
        _within(
            "A-LM-REPETITION",
            "lm_repetition_penalty",
            self.lm_repetition_penalty,
            (1.0, 2.0),
            remedy="1.0 switches it off",
        )
        if self.sample_mode and self.prompt.strip():
            _refuse(
                "A-SAMPLE",
                "sample_mode",
                "true",
                "false beside a prompt",
                "drop one of the two: sampling makes up its own caption",
            )

    def _check_task(self) -> None:
        _one_of("A-TASK", "task_type", self.task_type, TASK_TYPES, "choose one of them: a server takes any word")
        if self.model is not None and not re.fullmatch(r"[\w.\-]+", self.model):
            _refuse(
                "A-MODEL",
                "model",
                self.model,
                "a model's name, e.g. acestep-v15-turbo",
                "see `ace-assets servers probe`",
            )
        if self.model is not None and self.task_type not in family_of(self.model).tasks:
            _refuse("A-TASK-MODEL", "task_type", self.task_type, f"a task that {self.model} can do", "use a base model")
        if self.model is None and self.task_type in BASE_ONLY_TASKS:
            _refuse(
                "A-TASK-MODEL",
                "model",
                "missing",
                f"a base model for {self.task_type}",
                "name one, e.g. acestep-v15-base",
            )
        if self.task_type in EDITING_TASKS:
            if not self.src_audio_path:
                _refuse(
                    "A-SOURCE",
                    "src_audio_path",
                    "missing",
                    f"the source of a {self.task_type}",
                    "name a file that the server has",
                )
        elif self.src_audio_path is not None:
            _refuse("A-SOURCE", "src_audio_path", self.src_audio_path, "none for text2music", "use cover or repaint")
        for name in ("src_audio_path", "reference_audio_path"):
            _check_server_path(name, getattr(self, name))
        if self.task_type in BASE_ONLY_TASKS and not (self.instruction or "").strip():
            _refuse(
                "A-INSTRUCTION",
                "instruction",
                "missing",
                f"what to {self.task_type}",
                "write it out, e.g. Extract the DRUMS track",
            )
        if self.repainting_start < 0.0 or not math.isfinite(self.repainting_start):
            _refuse(
                "A-REPAINT",
                "repainting_start",
                self.repainting_start,
                "0 s or later",
                "count from the start of the source",
            )
        if self.repainting_end != TO_THE_END and not self.repainting_start < self.repainting_end <= DURATION_RANGE_S[1]:
            _refuse(
                "A-REPAINT",
                "repainting_end",
                self.repainting_end,
                "after repainting_start, or -1 for the end",
                "correct the range",
            )
        if self.task_type == "text2music" and (self.repainting_start != 0.0 or self.repainting_end != TO_THE_END):
            _refuse("A-REPAINT", "repainting_start", self.repainting_start, "unset for text2music", "use repaint")
        _within(
            "A-COVER-STRENGTH",
            "audio_cover_strength",
            self.audio_cover_strength,
            (0.0, 1.0),
            remedy="0.2 suits a change of style",
        )

    def payload(self) -> dict[str, Any]:
        """Return the JSON object for `/release_task`: every field but None, no model `none`."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        if found["lm_model_path"] == NO_LANGUAGE_MODEL:
            found["lm_model_path"] = None
        return {name: value for name, value in found.items() if value is not None}

    def to_json(self) -> str:
        """Return the request as canonical JSON: sorted, no spaces, fields at their default left out.

        >>> ReleaseRequest(prompt="a", audio_duration=30).to_json()
        '{"audio_duration":30.0,"prompt":"a"}'
        """
        changed = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        return json.dumps(changed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> ReleaseRequest:
        """Return the request that a planned take carries; missing fields have this class's defaults.

        Raises:
            RequestError: not a JSON object (A-JSON), an unknown field (A-FIELD), a key among the fields (A-TOKEN), or
                any other rule.
        """
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            _refuse("A-JSON", "request_json", text, "a JSON object", "plan again: `ace-assets plan`")
        return cls.from_fields(found)

    @classmethod
    def from_fields(cls, given: Mapping[str, Any]) -> ReleaseRequest:
        """Return the request that named fields make; camelCase and the server's aliases are understood.

        >>> ReleaseRequest.from_fields({"caption": "calm", "audioDuration": 60, "timeSignature": "6/8"}).time_signature
        '6'
        """
        known = {field.name for field in fields(cls)}
        chosen: dict[str, Any] = {}
        for spelt, value in given.items():
            name = re.sub(r"(?<=[a-z])([A-Z])", lambda match: f"_{match[1].lower()}", str(spelt)).replace("-", "_")
            name = ALIASES.get(name, name)
            if name in {"ai_token", "api_key"}:
                _refuse(
                    "A-TOKEN",
                    name,
                    "(hidden)",
                    "no key among the fields",
                    "keep it in ACESTEP_API_KEY; it travels as a header",
                )
            if name not in known:
                _refuse("A-FIELD", str(spelt), value, "a field of /release_task", "correct its name")
            if name in chosen:
                _refuse("A-FIELD", str(spelt), value, f"{name} once", "name it once")
            chosen[name] = value
        return cls(**chosen)


def normalised_key(key: str) -> str:
    """Return a key as the server spells it.

    >>> normalised_key("Am"), normalised_key("c Major"), normalised_key("F#"), normalised_key("B♭ minor")
    ('A minor', 'C major', 'F# major', 'Bb minor')

    Raises:
        RequestError: not a key (A-KEY).
    """
    match = KEY_PATTERN.fullmatch(" ".join(key.split()))
    if match is None:
        _refuse(
            "A-KEY",
            "key_scale",
            key,
            "a note and major or minor, e.g. C major or Am",
            "C, G, D, Am and Em are the most reliable",
        )
    note, accidental, mode = match.groups()
    minor = mode is not None and (mode == "m" or mode.lower().startswith("min"))
    accidental = accidental.replace("♯", "#").replace("♭", "b").lower()
    return f"{note.upper()}{accidental} {'minor' if minor else 'major'}"


def _refuse(rule: str, field: str, value: object, expected: str, remedy: str = "correct the value") -> NoReturn:
    raise RequestError(f"request field {field}", value=value, expected=expected, remedy=remedy, rule=rule)


def _within(rule: str, field: str, value: float, limits: tuple[float, float], *, remedy: str, unit: str = "") -> None:
    low, high = limits
    if not (math.isfinite(value) and low <= value <= high):
        _refuse(rule, field, value, f"{low:.12g} to {high:.12g}{unit}", remedy)


def _one_of(rule: str, field: str, value: str, allowed: tuple[str, ...], remedy: str) -> None:
    if value not in allowed:
        _refuse(rule, field, value, "one of " + ", ".join(allowed), remedy)


def _check_timesteps(text: str) -> None:
    try:
        steps = [float(part) for part in text.split(",")]
    except ValueError:
        steps = []
    falling = all(a > b for a, b in itertools.pairwise(steps))
    if not steps or not falling or not all(0.0 <= step <= 1.0 for step in steps):
        _refuse(
            "A-TIMESTEPS",
            "timesteps",
            text,
            "falling numbers between 1 and 0, e.g. 0.97,0.5,0",
            "leave it out for the model's own",
        )


def _check_server_path(field: str, path: str | None) -> None:
    if path is None:
        return
    parts = path.split("/")
    if not path.startswith("/") or ".." in parts or "\0" in path:
        _refuse(
            "A-SOURCE",
            field,
            path,
            "an absolute path on the server without ..",
            "upload the file first, then name its path there",
        )


def _check_types(request: ReleaseRequest) -> None:
    for name, kinds in _FIELD_KINDS.items():
        value = getattr(request, name)
        if value is None and type(None) in kinds:
            continue
        allowed = tuple(kind for kind in kinds if kind is not type(None))
        right = isinstance(value, (int, float)) if float in allowed else isinstance(value, allowed)
        if not right or (isinstance(value, bool) and bool not in allowed):
            words = " or ".join(
                {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false"}[k.__name__]
                for k in allowed
            )
            _refuse("A-TYPE", name, repr(value), words, "a server would silently take its default instead")


def _field_kinds() -> dict[str, tuple[type, ...]]:
    hints = get_type_hints(ReleaseRequest)
    return {name: getattr(hint, "__args__", (hint,)) for name, hint in hints.items()}


_FIELD_KINDS = _field_kinds()
_REAL_FIELDS = tuple(name for name, kinds in _FIELD_KINDS.items() if float in kinds)
