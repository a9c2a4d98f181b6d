"""What a server's bytes mean. Nothing here trusts them: sizes, depths and types are bounded, a surprise is an error.

Two styles are understood: wrapped `{data, code, error, ...}` (unwrapped only where `data` and `code` are both there)
and plain. `result` of a task may be a JSON string, a list, an object, a path or a URL. Text that the server wrote about
other jobs (`progress_text`) is never read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ace_assets.acestep.models import PROVIDER_PREFIX
from ace_assets.errors import ServerAuthError, ServerBusyError, ServerError, ServerRefusedError, shorten

MAX_REPLY_BYTES = 8 * 1024 * 1024
MAX_DEPTH = 64  # real replies nest five deep
MAX_ITEMS = 64  # a batch holds at most eight
MAX_TEXT_CHARS = 2048
SAFE_INTEGER = 2**53


class TaskState(StrEnum):
    """Where a task stands, as one answer of the server shows it."""

    UNKNOWN = "unknown"  # the server does not know the id: status 0 and an empty result
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True)
class ResultItem:
    """One file of a finished task.

    Attributes:
        reference: where the audio is, as the server wrote it; resolve it with `client.audio_url`.
        seed_value: seeds that the server reports; not necessarily the ones it used.
        dit_model, lm_model: models that it reports; None where it says nothing.
        metas: what it says of the music; an echo of the request, not a measurement.
    """

    reference: str
    seed_value: str | None = None
    dit_model: str | None = None
    lm_model: str | None = None
    metas: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TaskReply:
    """One task's entry in an answer of `/query_result`.

    `items` holds only entries that name a file; a task that SUCCEEDED without one is FAILED, and `reason` says so.
    """

    task_id: str
    state: TaskState
    stage: str = ""
    progress: float = 0.0
    items: tuple[ResultItem, ...] = ()
    reason: str = ""

    @property
    def finished(self) -> bool:
        """The server is done with it, well or badly."""
        return self.state in {TaskState.SUCCEEDED, TaskState.FAILED}


@dataclass(frozen=True)
class Accepted:
    """An accepted task. `done` where the server answered only after generating (the Gradio flavour)."""

    task_id: str
    queue_position: int | None
    done: bool


@dataclass(frozen=True)
class Stats:
    """What `/v1/stats` says. Trust `queue_size`; the count of queued jobs is not true (rejected ones leak into it)."""

    queue_size: int
    queue_maxsize: int | None
    avg_job_s: float | None


@dataclass(frozen=True)
class Formatted:
    """A caption as the language model rewrote it, or the original with the reason why not."""

    caption: str
    lyrics: str
    used_language_model: bool
    note: str = ""
    metas: Mapping[str, Any] = field(default_factory=dict)


# ---- bytes -> JSON -------------------------------------------------------------------------------------------------


def parse_json(data: bytes | str, *, thing: str) -> Any:
    """Return the JSON value in `data`.

    Raises:
        ServerError: too large, not JSON (HTML, say), or nested too deeply.
    """
    if len(data) > MAX_REPLY_BYTES:
        raise ServerError(
            thing, value=f"a reply of {len(data)} bytes", expected=f"at most {MAX_REPLY_BYTES}", remedy=_ASK_WHO
        )
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        problem = "nested too deeply" if isinstance(error, RecursionError) else _glimpse(data)
        value = None
    else:
        problem = "nested too deeply" if _deeper_than(value, MAX_DEPTH) else ""
    if problem:
        raise ServerError(thing, value=problem, expected="JSON of an ACE-Step server", remedy=_ASK_WHO)
    return value


_ASK_WHO = "check what listens at that address: `ace-assets servers probe URL`"


def _glimpse(data: bytes | str) -> str:
    text = data[:200].decode("utf-8", "replace") if isinstance(data, bytes) else data[:200]
    return text.strip() or "an empty reply"


def _deeper_than(value: Any, limit: int) -> bool:
    level: list[Any] = [value]
    for _ in range(limit):
        level = [
            child
            for node in level
            if isinstance(node, (dict, list))
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, (dict, list))
        ]
        if not level:
            return False
    return True


def unwrap(status_code: int, data: bytes, *, thing: str) -> Any:
    """Return what an HTTP answer carries.

    Args:
        status_code: of the answer.
        data: its body.
        thing: what was asked of whom, for the error, e.g. `gpu-1 /release_task`.

    Raises:
        ServerAuthError: 401. ServerBusyError: 429. ServerRefusedError: any other 4xx. ServerError: everything else that
            is not an answer, including a `code` other than 200 inside HTTP 200.
    """
    if status_code != 200:
        raise _http_error(status_code, error_text(data), thing)
    value = parse_json(data, thing=thing)
    if isinstance(value, dict) and "data" in value and "code" in value:
        code = value["code"]
        if code != 200:
            text = shorten(value.get("error") or "no reason given")
            raise _http_error(code if isinstance(code, int) else 500, text, thing)
        return value["data"]
    if isinstance(value, dict) and set(value) == {"detail"}:
        raise ServerError(thing, value=shorten(value["detail"]), expected="an answer", remedy=_ASK_WHO)
    return value


def error_text(data: bytes) -> str:
    """Return the one line that an error body says: `detail`, `error`, or the start of the text."""
    if len(data) > MAX_REPLY_BYTES:
        return f"{len(data)} bytes"
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return shorten(_glimpse(data))
    if isinstance(value, dict):
        for name in ("detail", "error", "message"):
            if isinstance(value.get(name), str) and value[name]:
                return shorten(value[name])
    return shorten(_glimpse(data))


def _http_error(code: int, text: str, thing: str) -> ServerError:
    value = f"{code} {text}".strip()
    if code == 401:
        return ServerAuthError(
            thing,
            value=value,
            expected="a key that this server takes",
            remedy="set the server's key (ACESTEP_API_KEY) and run again",
        )
    if code == 429:
        return ServerBusyError(
            thing, value=value, expected="room in its queue", remedy="wait: the fleet backs off by itself"
        )
    if 400 <= code < 500:
        return ServerRefusedError(
            thing, value=value, expected="an answer", remedy="check the request and the server's version"
        )
    return ServerError(
        thing, value=value, expected="an answer", remedy="look at the server's log; the work goes on elsewhere"
    )


# ---- small, bounded readings ---------------------------------------------------------------------------------------


def text_of(value: Any, limit: int = MAX_TEXT_CHARS) -> str:
    """Return a text field of a reply as printable text of bounded length; anything else as an empty text."""
    return shorten(value, limit) if isinstance(value, str) else ""


def integer_of(value: Any) -> int | None:
    """Return a whole number, also from `"1"` or `1.0`; None for anything else.

    >>> integer_of("2"), integer_of(1.0), integer_of(True), integer_of("two")
    (2, 1, None, None)
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and len(value) <= 20:
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        value = int(value)
    return value if isinstance(value, int) and abs(value) <= SAFE_INTEGER else None


def real_of(value: Any) -> float | None:
    """Return a finite number, or None."""
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or (isinstance(value, int) and abs(value) > SAFE_INTEGER)
    ):
        return None
    return float(value) if math.isfinite(value) else None


# ---- the answers ---------------------------------------------------------------------------------------------------


def accepted(value: Any, *, thing: str) -> Accepted:
    """Read the answer of `/release_task`.

    Raises:
        ServerError: no usable task id in it.
    """
    task_id = value.get("task_id") if isinstance(value, dict) else None
    if not isinstance(task_id, str) or not task_id or len(task_id) > 200 or not task_id.isprintable():
        raise ServerError(thing, value=shorten(value), expected="a task_id", remedy=_ASK_WHO)
    return Accepted(task_id, integer_of(value.get("queue_position")), done=value.get("status") in {"succeeded", 1})


def task_replies(value: Any, *, thing: str) -> dict[str, TaskReply]:
    """Read the answer of `/query_result`, by task id. Ids that the server left out are simply missing.

    Raises:
        ServerError: not a list of tasks.
    """
    if isinstance(value, dict) and isinstance(value.get("results"), list):
        value = value["results"]
    if not isinstance(value, list):
        raise ServerError(thing, value=shorten(value), expected="a list of tasks", remedy=_ASK_WHO)
    found = {}
    for entry in value:
        task_id = entry.get("task_id") if isinstance(entry, dict) else None
        if isinstance(task_id, str):
            found[task_id] = task_reply(task_id, entry)
    return found


def task_reply(task_id: str, entry: Mapping[str, Any]) -> TaskReply:
    """Read one task's entry.

    A status of 2 whose stage is not `failed` means that the job is merely old: it still runs and can succeed. A status
    of 1 without a file is a failure.
    """
    status = integer_of(entry.get("status"))
    items = _result_items(entry.get("result"))
    records = [item for item in items if isinstance(item, dict)]
    stage = next((text_of(record.get("stage"), 80) for record in records if record.get("stage")), "")
    progress = next((p for record in records if (p := real_of(record.get("progress"))) is not None), 0.0)
    if status == 0:
        if not items:
            return TaskReply(task_id, TaskState.UNKNOWN)
        state = TaskState.QUEUED if stage == "queued" or not records else TaskState.RUNNING
        return TaskReply(task_id, state, stage, progress)
    if status == 1:
        files = tuple(item for item in map(_result_item, items[:MAX_ITEMS]) if item is not None)
        if not files:
            return TaskReply(
                task_id, TaskState.FAILED, stage, progress, reason="succeeded without a file: silent or not saved"
            )
        return TaskReply(task_id, TaskState.SUCCEEDED, stage, 1.0, files)
    if status == 2:
        if stage and stage != "failed":
            return TaskReply(task_id, TaskState.QUEUED if stage == "queued" else TaskState.RUNNING, stage, progress)
        said = next((text_of(r.get("error"), 200) for r in records if r.get("error")), "")
        said = said or next((shorten(item) for item in items if isinstance(item, str) and item.strip()), "")
        return TaskReply(
            task_id, TaskState.FAILED, stage, progress, reason=said or "the server says failed and gives no reason"
        )
    return TaskReply(task_id, TaskState.FAILED, reason=f"unreadable status {shorten(entry.get('status'), 40)}")


def _result_items(result: Any) -> list[Any]:
    """Return the entries of a `result`, whatever its form: JSON in a string, list, object, path or URL."""
    for _ in range(3):  # a string in a string happens; more than that is no server of ours
        if not isinstance(result, str):
            break
        text = result.strip()
        if not text:
            return []
        if text[0] not in '[{"':
            return [text]
        if len(text) > MAX_REPLY_BYTES:
            return []
        try:
            result = json.loads(text)
        except (ValueError, RecursionError):
            return [text]
    if isinstance(result, list):
        return result
    return [] if result is None else [result]


def _result_item(item: Any) -> ResultItem | None:
    if isinstance(item, str):
        return ResultItem(item) if item.strip() else None
    if not isinstance(item, dict) or integer_of(item.get("status", 1)) == 2:
        return None
    names = ("url", "file", "path", "audio_path")
    reference = next((item[name] for name in names if isinstance(item.get(name), str) and item[name].strip()), None)
    if reference is None:
        return None
    seed = item.get("seed_value")
    metas = item.get("metas")
    return ResultItem(
        reference,
        seed_value=text_of(str(seed), 200) if isinstance(seed, (str, int)) and not isinstance(seed, bool) else None,
        dit_model=text_of(item.get("dit_model"), 200).removeprefix(PROVIDER_PREFIX) or None,
        lm_model=text_of(item.get("lm_model"), 200) or None,
        metas=metas if isinstance(metas, dict) else {},
    )


def model_names(value: Any, *, thing: str) -> tuple[str, ...]:
    """Read `/v1/models`, the default model first; both the server's own and the OpenRouter-style list.

    Raises:
        ServerError: neither.
    """
    if isinstance(value, dict):
        entries = value.get("models", value.get("data"))
        default = value.get("default_model")
    else:
        entries, default = value, None
    if not isinstance(entries, list):
        raise ServerError(thing, value=shorten(value), expected="a list of models", remedy=_ASK_WHO)
    names: list[str] = [default] if isinstance(default, str) and default else []
    for entry in entries:
        name = (
            entry.get("name" if "is_default" in entry else "id", entry.get("name"))
            if isinstance(entry, dict)
            else entry
        )
        if isinstance(name, str) and name:
            names.append(name)
    return tuple(dict.fromkeys(text_of(name, 200).removeprefix(PROVIDER_PREFIX) for name in names[:200]))


def stats(value: Any, *, thing: str) -> Stats:
    """Read `/v1/stats`.

    Raises:
        ServerError: no queue in it.
    """
    size = integer_of(value.get("queue_size")) if isinstance(value, dict) else None
    if size is None:
        raise ServerError(thing, value=shorten(value), expected="queue_size", remedy=_ASK_WHO)
    return Stats(size, integer_of(value.get("queue_maxsize")), real_of(value.get("avg_job_seconds")))


def formatted(value: Any, *, caption: str, lyrics: str, thing: str) -> Formatted:
    """Read `/format_input`.

    Raises:
        ServerError: no caption in it.
    """
    new_caption = text_of(value.get("caption")) if isinstance(value, dict) else ""
    if not new_caption.strip():
        raise ServerError(thing, value=shorten(value), expected="a caption", remedy="the original caption is used")
    names = ("bpm", "key_scale", "time_signature", "duration", "vocal_language")
    metas = {name: value[name] for name in names if isinstance(value.get(name), (str, int, float))}
    new_lyrics = value.get("lyrics")
    return Formatted(new_caption, new_lyrics[:4096] if isinstance(new_lyrics, str) else lyrics, True, metas=metas)


def route_names(value: Any) -> frozenset[str]:
    """Read `/openapi.json`: the paths that a server has; empty where it does not say."""
    paths = value.get("paths") if isinstance(value, dict) else None
    names: Iterable[Any] = paths if isinstance(paths, dict) else ()
    return frozenset(text_of(name, 200) for name in list(names)[:1000])
