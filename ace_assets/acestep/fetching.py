"""A finished take's audio: fetched, tried again when it comes badly, decoded, packed as FLAC."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from ace_assets.acestep.audio_check import AudioFacts, as_flac, checked_audio
from ace_assets.acestep.client import AceStepClient, Download, download_cap_bytes
from ace_assets.acestep.fleet_settings import FleetSettings
from ace_assets.acestep.replies import ResultItem
from ace_assets.errors import AudioError, ServerAuthError, ServerError, ServerRefusedError

FIRST_REST_S = 0.4


@dataclass(frozen=True)
class Fetched:
    """A verified FLAC: where it lies, its hash, what it is."""

    path: Path
    sha256: str
    audio: AudioFacts


@dataclass(frozen=True)
class NotFetched:
    """Audio that could not be had: the kind of failure (`download`, `bad_audio`) and its words."""

    kind: str
    why: str


async def fetched(
    client: AceStepClient,
    item: ResultItem,
    path: Path,
    *,
    duration_s: float | None,
    settings: FleetSettings,
    transfers: asyncio.Semaphore,
    in_thread: Callable[[Callable[[Download, str], Fetched], Download, str], Awaitable[Fetched]],
) -> Fetched | NotFetched:
    """Fetch a result's audio and believe it once it decoded to its end.

    A body that breaks off or does not decode is fetched again; what the server refuses (403, 404) is not.

    Args:
        client: the server that made it.
        item: the result.
        path: the file to write; the caller deletes it, and its `.packed.flac` beside it.
        duration_s: length that was asked for; bounds what may arrive.
        settings: tries and limits.
        transfers: how many may run at a time, over all servers.
        in_thread: runs blocking work elsewhere.

    Raises:
        ServerAuthError: the key is wrong. StoreError: the local disk.
    """
    thing = f"audio from {client.server.name}"
    cap_bytes = download_cap_bytes(duration_s)
    failure = NotFetched("download", "never tried")
    for attempt in range(settings.download_tries):
        if attempt:
            await asyncio.sleep(FIRST_REST_S * 2 ** (attempt - 1) * random.uniform(0.5, 1.0))
        async with transfers:
            try:
                download = await client.fetch(item, to=path, cap_bytes=cap_bytes, limit_s=settings.download_limit_s)
                return await in_thread(_verified, download, thing)
            except ServerAuthError:
                raise
            except ServerRefusedError as error:
                return NotFetched("download", str(error))
            except AudioError as error:
                failure = NotFetched("bad_audio", str(error))
            except ServerError as error:
                failure = NotFetched("download", str(error))
    return failure


def _verified(download: Download, thing: str) -> Fetched:
    audio = checked_audio(download.path, thing=thing)
    path, audio = as_flac(download.path, audio, thing=thing)
    if path == download.path:
        return Fetched(path, download.sha256, audio)
    with path.open("rb") as file:
        return Fetched(path, hashlib.file_digest(file, "sha256").hexdigest(), audio)
