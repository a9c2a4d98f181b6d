"""What a server can do, measured: flavour, models, language model, LoRA routes, queue, seeds, tier, seconds per take.

What a server says of itself is only half of it: seeds may be ignored, lengths and batches silently clamped, so short
clips are generated and measured. `probe` is what `ace-assets servers probe` prints; the fleet uses its parts.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import json
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf

from ace_assets.acestep.audio_check import checked_audio
from ace_assets.acestep.client import AceStepClient, open_http
from ace_assets.acestep.messages import BATCH_RANGE, DURATION_RANGE_S, ReleaseRequest
from ace_assets.acestep.replies import TaskReply, TaskState
from ace_assets.acestep.server_facts import ServerFacts
from ace_assets.acestep.servers import Server, server_at
from ace_assets.errors import AudioError, ServerAuthError, ServerBusyError, ServerError
from ace_assets.store import Store

ACESTEP_API = "acestep-api"
GRADIO = "gradio"
PREVIEW = "preview"
CLIP_S = 10.0
CLIP_SEED = 20_251_125
CLIP_LIMIT_S = 900.0
SAME_AUDIO_MAX_RMS_SHARE = 0.01
LORA_MARK = "/lora"


@dataclass(frozen=True)
class Capabilities:
    """What is known of a server. None everywhere means: not measured.

    Attributes:
        flavour: acestep-api, gradio (answers a release only when the music is made) or preview.
        models: DiT models, the default first.
        lm_model: language model that it reported; None where it reported none or was not asked.
        lm_answers: `/format_input` worked.
        lora_routes: its routes for adapters.
        queue_size, queue_maxsize: jobs waiting, and how many may.
        latency_ms: median time of a small answer.
        seed_trusted: one seed gave the same audio twice.
        max_duration_s: longest take that came back at full length, or the length that it was clamped to.
        max_batch: files that came back of a batch of eight.
        seconds_per_take: server time of a 10-s clip.
        measured_at: UTC, ISO 8601.
    """

    server: str
    url: str
    flavour: str
    models: tuple[str, ...] = ()
    lm_model: str | None = None
    lm_answers: bool | None = None
    lora_routes: tuple[str, ...] = ()
    queue_size: int | None = None
    queue_maxsize: int | None = None
    latency_ms: float | None = None
    seed_trusted: bool | None = None
    max_duration_s: float | None = None
    max_batch: int | None = None
    seconds_per_take: float | None = None
    measured_at: str = ""

    @property
    def snapshot_id(self) -> str:
        """A hash of what takes depend on; queue, latency and speed come and go."""
        passing = {"queue_size", "latency_ms", "seconds_per_take", "measured_at"}
        lasting = {name: value for name, value in asdict(self).items() if name not in passing}
        return hashlib.sha256(json.dumps(lasting, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def blocking_release(self) -> bool:
        """A release is answered only when the music is made."""
        return self.flavour == GRADIO

    def to_facts(self) -> dict[str, Any]:
        """Return it as JSON values, with the snapshot's id."""
        return {**asdict(self), "snapshot_id": self.snapshot_id}

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Capabilities:
        """Return it from JSON values; unknown names are left out.

        >>> Capabilities.from_facts({"server": "a", "url": "http://a", "flavour": "preview", "new": 1}).flavour
        'preview'
        """
        known = {field.name for field in fields(cls)}
        chosen: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in facts.items() if name in known
        }
        return cls(**chosen)


def as_table(found: Sequence[Capabilities]) -> list[tuple[str, ...]]:
    """Return capabilities as rows of text, the first naming the servers: one column per server."""
    rows: list[tuple[str, ...]] = [("", *(one.server for one in found))]
    for label, show in _LABELS:
        rows.append((label, *(show(one) for one in found)))
    return rows


def _said(value: Any, unit: str = "") -> str:
    if value is None:
        return "not measured"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3g}{unit}" if isinstance(value, float) else f"{value}{unit}"


_LABELS: tuple[tuple[str, Callable[[Capabilities], str]], ...] = (
    ("address", lambda one: one.url),
    ("flavour", lambda one: one.flavour),
    ("models", lambda one: ", ".join(one.models) or "none listed"),
    ("language model", lambda one: one.lm_model or ("answers" if one.lm_answers else _said(one.lm_answers))),
    ("LoRA routes", lambda one: ", ".join(one.lora_routes) or "none"),
    ("queue", lambda one: f"{_said(one.queue_size)} of {_said(one.queue_maxsize)}"),
    ("latency", lambda one: _said(one.latency_ms, " ms")),
    ("seeds honoured", lambda one: _said(one.seed_trusted)),
    ("longest take", lambda one: _said(one.max_duration_s, " s")),
    ("largest batch", lambda one: _said(one.max_batch)),
    ("seconds per 10-s clip", lambda one: _said(one.seconds_per_take, " s")),
)


def flavour_of(health: Mapping[str, Any]) -> str:
    """Return the flavour that `/health` shows; its version says nothing.

    >>> flavour_of({"status": "ok", "service": "ACE-Step Gradio API"})
    'gradio'
    """
    words = " ".join(str(health.get(name, "")) for name in ("service", "engine", "flavour")).lower()
    if "preview" in words or health.get("preview") is True:
        return PREVIEW
    return GRADIO if "gradio" in words else ACESTEP_API


async def look(client: AceStepClient) -> Capabilities:
    """Return what a server says of itself, without generating anything.

    Raises:
        ServerError: nothing listens there, or something that is not an ACE-Step server.
    """
    loop = asyncio.get_running_loop()
    times_s = []
    health: Mapping[str, Any] = {}
    for _ in range(3):
        started_s = loop.time()
        health = await client.health()
        times_s.append(loop.time() - started_s)
    models = await client.models()
    size = longest = None
    try:
        stats = await client.stats()
        size, longest = stats.queue_size, stats.queue_maxsize
    except ServerAuthError:
        raise
    except ServerError:
        pass  # the Gradio flavour has no statistics
    routes = await client.routes()
    return Capabilities(
        server=client.server.name,
        url=client.server.url,
        flavour=flavour_of(health),
        models=models,
        lora_routes=tuple(sorted(route for route in routes if LORA_MARK in route)),
        queue_size=size,
        queue_maxsize=longest,
        latency_ms=round(statistics.median(times_s) * 1000, 2),
        measured_at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    )


def clip_request(found: Capabilities, *, duration_s: float = CLIP_S, batch_size: int = 1) -> ReleaseRequest:
    """Return the request of a test clip for a server."""
    return ReleaseRequest(
        prompt="calm solo piano, soft, warm room, clean recording",
        audio_duration=duration_s,
        bpm=80,
        key_scale="C major",
        time_signature="4",
        model=found.models[0] if found.models else None,
        seed=CLIP_SEED,
        batch_size=batch_size,
    )


async def finished_clip(client: AceStepClient, request: ReleaseRequest, *, limit_s: float = CLIP_LIMIT_S) -> TaskReply:
    """Submit a request and wait until it is done.

    Raises:
        ServerError: refused, failed, forgotten, or not done within `limit_s`.
    """
    thing = f"{client.server.name} test clip"
    last = "nothing seen"
    try:
        async with asyncio.timeout(limit_s):
            task = await _accepted(client, request, limit_s)
            unknown = 0
            pause_s = 0.1
            while True:
                answer = (await client.query([task])).get(task)
                if answer is not None and answer.finished:
                    break
                unknown = unknown + 1 if answer is None or answer.state is TaskState.UNKNOWN else 0
                if unknown >= 3:
                    raise ServerError(thing, value="forgotten", expected="a finished clip", remedy="probe again")
                last = "unknown" if answer is None else f"{answer.state} {answer.stage}".strip()
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 1.3, 2.0)
    except TimeoutError:
        answer = None
    if answer is None or answer.state is TaskState.FAILED:
        value = f"{last} after {limit_s:g} s" if answer is None else answer.reason
        raise ServerError(thing, value=value, expected="a finished clip", remedy="look at the server's log")
    return answer


async def _accepted(client: AceStepClient, request: ReleaseRequest, limit_s: float) -> str:
    while True:
        try:
            return (await client.release(request, limit_s=limit_s)).task_id
        except ServerBusyError:
            await asyncio.sleep(2.0)


async def clip_samples(client: AceStepClient, answer: TaskReply, folder: Path) -> np.ndarray[Any, Any]:
    """Return a finished clip's first file as samples `(frames, 2)` float32.

    Raises:
        ServerError: it cannot be fetched. AudioError: it is not audio.
    """
    path = folder / f"{answer.task_id[:40].replace('/', '_')}.audio"
    await client.fetch(answer.items[0], to=path)
    await asyncio.to_thread(checked_audio, path, thing=f"{client.server.name} test clip")
    samples, _ = await asyncio.to_thread(sf.read, path, dtype="float32", always_2d=True)
    array: np.ndarray[Any, Any] = samples
    return array


def same_audio(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> bool:
    """Say whether two clips are the same music; a GPU may round differently twice."""
    if one.shape != other.shape:
        return False
    level = float(np.sqrt(np.mean(np.square(one, dtype=np.float64))))
    difference = float(np.sqrt(np.mean(np.square(one.astype(np.float64) - other))))
    return difference <= SAME_AUDIO_MAX_RMS_SHARE * max(level, 1e-9)


async def with_seeds_checked(
    client: AceStepClient, found: Capabilities, *, limit_s: float = CLIP_LIMIT_S
) -> Capabilities:
    """Return the capabilities with what one clip, made twice with one seed, shows: seeds, speed, language model.

    Both clips are submitted at once, so that a busy server is asked for no more than it takes.

    Raises:
        ServerError: a clip failed. AudioError: a clip is not audio.
    """
    loop = asyncio.get_running_loop()
    request = clip_request(found)
    started_s = loop.time()
    first, second = await asyncio.gather(
        finished_clip(client, request, limit_s=limit_s), finished_clip(client, request, limit_s=limit_s)
    )
    seconds = (loop.time() - started_s) / 2
    with tempfile.TemporaryDirectory(prefix="ace-assets-probe-") as folder:
        one = await clip_samples(client, first, Path(folder))
        other = await clip_samples(client, second, Path(folder))
    return replace(
        found,
        seed_trusted=same_audio(one, other),
        seconds_per_take=round(seconds, 3),
        lm_model=first.items[0].lm_model,
    )


async def with_tier_measured(
    client: AceStepClient, found: Capabilities, *, limit_s: float = CLIP_LIMIT_S
) -> Capabilities:
    """Return the capabilities with the length and the batch that the server really delivers.

    Raises:
        ServerError: a clip failed. AudioError: a clip is not audio.
    """
    longest = await finished_clip(client, clip_request(found, duration_s=DURATION_RANGE_S[1]), limit_s=limit_s)
    with tempfile.TemporaryDirectory(prefix="ace-assets-probe-") as folder:
        path = Path(folder) / "longest.audio"
        await client.fetch(longest.items[0], to=path)
        facts = await asyncio.to_thread(checked_audio, path, thing=f"{client.server.name} longest clip")
    batch = await finished_clip(client, clip_request(found, batch_size=BATCH_RANGE[1]), limit_s=limit_s)
    return replace(found, max_duration_s=round(facts.duration_s, 2), max_batch=len(batch.items))


async def probed(
    server: Server, *, clips: bool = True, tier: bool = True, limit_s: float = CLIP_LIMIT_S
) -> Capabilities:
    """Return everything about one server.

    Args:
        server: which one.
        clips: also generate one short clip twice: seeds, speed.
        tier: also generate one take of 600 s and one batch of eight.
        limit_s: longest wait for each clip.

    Raises:
        ServerError: nothing listens there, something else does, or it cannot make a clip.
    """
    async with open_http([server]) as http:
        client = AceStepClient(server, http)
        found = await look(client)
        formatted = await client.format_input("calm piano", "[Instrumental]")
        found = replace(found, lm_answers=formatted.used_language_model)
        try:
            if clips:
                found = await with_seeds_checked(client, found, limit_s=limit_s)
            if tier:
                found = await with_tier_measured(client, found, limit_s=limit_s)
        except AudioError as error:
            raise ServerError(
                f"{server.name} test clip",
                value=error,
                expected="48 kHz stereo audio",
                remedy="look at the server's log",
            ) from error
    return found


def probe(
    server: Server | str,
    *,
    clips: bool = True,
    tier: bool = True,
    limit_s: float = CLIP_LIMIT_S,
    store: Store | None = None,
) -> Capabilities:
    """Return everything about one server; see `probed`. Blocks until it is known.

    With a store, what clips have shown is remembered there: runs need no clips of their own then.

    Raises:
        ConfigError: the address cannot be used. ServerError: as `probed`.
    """
    chosen = server_at(server) if isinstance(server, str) else server
    found = asyncio.run(probed(chosen, clips=clips, tier=tier, limit_s=limit_s))
    if store is not None and clips:
        ServerFacts(store, chosen).remember_capabilities(found.to_facts())
    return found
