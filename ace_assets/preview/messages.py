"""What the preview server reads and writes: requests with every alias, replies in the real server's shapes.

Measured on ACE-Step 1.5 (February 2026): wrong types silently become defaults, unknown formats become FLAC, `result`
is a JSON string, an unknown task is status 0 with "[]" for ever.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ace_assets.preview.request import BEATS_PER_BAR

MODEL_NAME = "ace-assets-preview"
SERVICE_NAME = "ace-assets preview engine (not ACE-Step)"
LM_NAME = "none (preview engine)"
Json = dict[str, Any]

_ALIASES = {  # every spelling is compared without case, "_" and "-"
    "prompt": ("prompt", "caption"),
    "lyrics": ("lyrics",),
    "duration_s": ("audioduration", "duration", "targetduration"),
    "bpm": ("bpm",),
    "key": ("keyscale", "key"),
    "time_signature": ("timesignature",),
    "audio_format": ("audioformat", "format"),
    "seed": ("seed",),
    "use_random_seed": ("userandomseed",),
    "batch_size": ("batchsize",),
    "model": ("model", "ditmodel"),
    "task_type": ("tasktype",),
    "steps": ("inferencesteps",),
    "thinking": ("thinking",),
    "lm_backend": ("lmbackend",),
}
_CANONICAL = {spelling: name for name, spellings in _ALIASES.items() for spelling in spellings}
_LM_BACKENDS = ("vllm", "pt", "mlx")
_DEFAULT_BATCH, _MOST_BATCH = 2, 8
_FORMATS = ("mp3", "wav", "flac")


@dataclass(frozen=True)
class Task:
    """A request as the server understood it; the `told_` fields echo what was sent."""

    prompt: str
    lyrics: str
    duration_s: float | None
    bpm: int | None
    key: str
    told_time_signature: str
    audio_format: str
    extension: str
    seeds: tuple[int, ...]
    use_random_seed: bool
    batch_size: int
    model: str
    steps: int
    lm_backend: str

    @property
    def beats_per_bar(self) -> int:
        """2, 3, 4 or 6; whatever else was told counts as 4."""
        head = self.told_time_signature.split("/")[0].strip()
        return int(head) if head in {str(beats) for beats in BEATS_PER_BAR} else 4

    @property
    def is_backend_known(self) -> bool:
        """False for a language-model backend that makes the real server crash."""
        return self.lm_backend in ("", *_LM_BACKENDS)


def read_task(body: Json) -> Task:
    """Return the task in a request's body; fields at the top win over those in `param_obj` and `metas`."""
    fields: Json = {}
    for source in (_nested(body.get("metas")), _nested(body.get("param_obj") or body.get("paramObj")), body):
        for name, value in source.items():
            canonical = _CANONICAL.get(re.sub(r"[_-]", "", str(name)).lower())
            if canonical and value is not None:
                fields[canonical] = value
    told_format = str(fields.get("audio_format", "mp3"))
    known = told_format.lower() in _FORMATS
    batch_size = _whole(fields.get("batch_size"))
    return Task(
        prompt=str(fields.get("prompt", "")),
        lyrics=str(fields.get("lyrics", "")),
        duration_s=_number(fields.get("duration_s")),
        bpm=_whole(fields.get("bpm")),
        key=str(fields.get("key", "")),
        told_time_signature=str(fields.get("time_signature", "")),
        audio_format=told_format.lower() if known else "flac",
        extension=told_format if known else "flac",
        seeds=_seeds(fields.get("seed")),
        use_random_seed=_flag(fields.get("use_random_seed"), default=True),
        batch_size=_DEFAULT_BATCH if batch_size is None else min(batch_size, _MOST_BATCH),
        model=str(fields.get("model", "")),
        steps=_whole(fields.get("steps")) or 8,
        lm_backend=str(fields.get("lm_backend", "")),
    )


def _nested(value: object) -> Json:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, dict) else {}


SEEDS = 2.0**32


def _number(value: object, *, below: float = 1e9) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if abs(number) < below else None


def _whole(value: object, *, below: float = 1e9) -> int | None:
    number = _number(value, below=below)
    return int(number) if number is not None and number == int(number) else None


def _flag(value: object, *, default: bool) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).lower()
    return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(text, default)


def _seeds(value: object) -> tuple[int, ...]:
    """Return the seeds told: one number or a list like "1,2,3"; none where they cannot be read or are negative."""
    parts = [part.strip() for part in value.split(",")] if isinstance(value, str) else [value]
    numbers = [_whole(part, below=SEEDS) for part in parts]
    return tuple(number for number in numbers if number is not None and number >= 0)


def wrap(data: object, *, code: int = 200, error: str | None = None, style: str = "wrapped") -> object:
    """Return a reply's body: the real server's envelope, or the bare data in the plain style."""
    if style == "plain":
        return data
    return {"data": data, "code": code, "error": error, "timestamp": int(time.time() * 1000), "extra": None}


def form_result(items: list[Json], form: str) -> object:
    """Return `result` in one of the forms that servers have been seen to send.

    "string" (a JSON string of a list), "list", "dict" (the first item), "path" (raw path, the API's address in `url`),
    "url" (an absolute path of the API as a bare string where there is one file).
    """
    if form == "list":
        return items
    if form == "dict":
        return items[0] if items else {}
    if form == "path":
        return json.dumps([_with_path(item) for item in items])
    if form == "url" and len(items) == 1 and items[0].get("file"):
        return str(items[0]["file"])
    return json.dumps(items)


def _with_path(item: Json) -> Json:
    file = str(item.get("file", ""))
    if not file.startswith("/v1/audio?path="):
        return item
    from urllib.parse import unquote

    return {**item, "file": unquote(file.removeprefix("/v1/audio?path=")), "url": file}


def audio_address(path: str) -> str:
    """Return the address of a file as `result` gives it, the path quoted whole."""
    return "/v1/audio?path=" + quote(path, safe="")


def models_reply(names: list[str], created_s: int, form: str) -> object:
    """Return the body of /v1/models: an OpenRouter-style list, bare; or the wrapped list of the other flavour."""
    if form == "list":
        models = [{"name": name, "is_default": index == 0} for index, name in enumerate(names)]
        return wrap({"models": models, "default_model": names[0]})
    return {
        "object": "list",
        "data": [
            {
                "id": f"acestep/{name}",
                "name": f"ACE-Step {name}" if name != MODEL_NAME else SERVICE_NAME,
                "created": created_s,
                "input_modalities": ["text", "audio"],
                "output_modalities": ["audio", "text"],
                "context_length": 4096,
                "max_output_length": 300,
                "pricing": {"prompt": "0", "completion": "0", "request": "0", "image": "0"},
                "description": "Preview music without a GPU" if name == MODEL_NAME else "AI music generation model",
                "architecture": None,
            }
            for name in names
        ],
    }


def queued_item(create_time_s: int) -> Json:
    """Return the item of a job that waits."""
    return {
        "file": "", "wave": "", "status": 0, "create_time": create_time_s, "env": "development", "prompt": "",
        "lyrics": "", "metas": {}, "progress": 0.0, "stage": "queued", "error": None,
    }  # fmt: skip


def running_item(create_time_s: int, progress: float, stage: str, status: int = 0) -> Json:
    """Return the item of a job that runs, or failed."""
    return {
        "file": "", "wave": "", "status": status, "create_time": create_time_s, "env": "development",
        "progress": progress, "stage": stage,
    }  # fmt: skip


def finished_item(
    task: Task, *, file: str, create_time_s: int, seeds: list[int], metas: Json, model: str, seconds: float, files: int
) -> Json:
    """Return the item of one finished file; every item names all seeds of its job."""
    text = (
        f"**🎯 Average Time per Track: {seconds / max(1, files):.2f}s** ({files} track(s))\n\n"
        f"**🎵 Generation Complete**\n  - **Seeds:** {','.join(map(str, seeds))}\n  - **Steps:** {task.steps}\n"
        f"  - **Audio Count:** {files} audio(s)\n\n**⏱️ Total Time: {seconds:.2f}s**"
    )
    return {
        "file": file, "wave": "", "status": 1, "create_time": create_time_s, "env": "development",
        "prompt": task.prompt, "lyrics": task.lyrics, "metas": metas, "generation_info": text,
        "seed_value": ",".join(map(str, seeds)), "lm_model": LM_NAME, "dit_model": model, "progress": 1.0,
        "stage": "succeeded",
    }  # fmt: skip


def query_entry(task_id: str, status: int, result: object, log_line: str | None) -> Json:
    """Return one entry of /query_result; an unknown task has no log line."""
    entry: Json = {"task_id": task_id, "result": result, "status": status}
    if log_line is not None:
        entry["progress_text"] = log_line
    return entry


def openapi_reply(paths: dict[str, tuple[str, ...]]) -> Json:
    """Return a small /openapi.json: the paths and methods that this server has."""
    return {
        "openapi": "3.1.0",
        "info": {"title": SERVICE_NAME, "version": "1.0"},
        "paths": {
            path: {method.lower(): {"responses": {"200": {"description": "Successful Response"}}} for method in methods}
            for path, methods in paths.items()
        },
    }
