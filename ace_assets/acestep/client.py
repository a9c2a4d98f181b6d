"""One ACE-Step server over HTTP: submit, query, fetch. Every wait has a limit, every size a cap.

What belongs here: one request and its answer. What does not: what an answer means (`replies`), what follows (`lane`).
An httpx exception holds its request and so the key: none leaves this module, not even as a cause.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import httpx

from ace_assets.acestep import replies
from ace_assets.acestep.messages import ReleaseRequest
from ace_assets.acestep.replies import MAX_REPLY_BYTES, Accepted, Formatted, ResultItem, Stats, TaskReply
from ace_assets.acestep.servers import Server
from ace_assets.errors import (
    RequestError,
    ServerAuthError,
    ServerBusyError,
    ServerError,
    ServerRefusedError,
    StoreError,
)

AUDIO_ROUTE = "/v1/audio"
CONNECT_LIMIT_S = 5.0
ANSWER_LIMIT_S = 15.0
BLOCKING_RELEASE_LIMIT_S = 3600.0  # the Gradio flavour answers only when the music is made
DOWNLOAD_LIMIT_S = 180.0
CHUNK_BYTES = 256 * 1024
BYTES_PER_SECOND_MAX = 48_000 * 2 * 4  # stereo float WAV, the largest that a server writes


def download_cap_bytes(requested_duration_s: float | None) -> int:
    """Return the largest body that a take of that length can honestly have, in bytes, with room to spare."""
    return int((1.25 * (requested_duration_s or 600.0) + 10.0) * BYTES_PER_SECOND_MAX)


@dataclass(frozen=True)
class Download:
    """A body that arrived whole: where it lies, its hash and size. It is not yet known to be audio."""

    path: Path
    sha256: str
    size_bytes: int


def audio_url(server: Server, reference: str) -> str:
    """Return the address of a result's audio on the server that made it.

    Understood are `/v1/audio?path=...` (already quoted, never quoted again), a path on the server's disk, and a whole
    URL of the same origin. Everything else is refused: another host or scheme, user names, `..`, control characters.

    Raises:
        ServerError: the reference leads elsewhere.
    """
    refused = ServerError(
        f"{server.name} result file",
        value=reference,
        expected="audio on the same server",
        remedy="do not use this server until you know why it points elsewhere",
    )
    text = reference.strip()
    if not text or len(text) > 4096 or not text.isprintable() or "\\" in text or text.startswith("//"):
        raise refused
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise refused from None
    if parts.scheme or parts.netloc:
        origin = (parts.scheme, (parts.hostname or "").lower(), port or (443 if parts.scheme == "https" else 80))
        if "@" in parts.netloc or origin != server.origin:
            raise refused
        address = text
    elif text.startswith((AUDIO_ROUTE + "?", AUDIO_ROUTE + "/")):
        address = server.url + text
    else:
        address = f"{server.url}{AUDIO_ROUTE}?path={quote(text, safe='')}"
    parts = urlsplit(address)
    named = [part for value in parse_qs(parts.query).get("path", []) for part in unquote(value).split("/")]
    if ".." in named or ".." in unquote(parts.path).split("/"):
        raise refused
    return address


@asynccontextmanager
async def open_http(servers: Iterable[Server], *, connections: int = 64) -> AsyncIterator[httpx.AsyncClient]:
    """Give the HTTP client that servers share: no redirects, no proxies or credentials from the environment."""
    secure = any(server.url.startswith("https://") for server in servers)
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=30.0)
    async with httpx.AsyncClient(
        verify=ssl.create_default_context() if secure else False,
        limits=limits,
        timeout=httpx.Timeout(None, connect=CONNECT_LIMIT_S),
        follow_redirects=False,
        trust_env=False,
    ) as http:
        yield http


class AceStepClient:
    """One server. What a server can cause is always a ServerError or one of its kinds."""

    def __init__(self, server: Server, http: httpx.AsyncClient) -> None:
        self.server = server
        self._http = http

    # ---- the exchange ----------------------------------------------------------------------------------------------

    def _headers(self) -> dict[str, str]:
        headers = {"Accept-Encoding": "identity"}
        if self.server.key is not None:
            headers["Authorization"] = self.server.key.header()
        return headers

    def _thing(self, route: str) -> str:
        return f"{self.server.in_words} {route}"

    def _unreachable(self, route: str, problem: str) -> ServerError:
        if self.server.key is not None:
            problem = self.server.key.hidden_in(problem)
        return ServerError(
            self._thing(route),
            value=problem,
            expected="an ACE-Step server that answers",
            remedy="start it, or correct its address",
        )

    def _told(self, error: ServerError) -> ServerError:
        """Return an error without the key, should the server have said it back to us."""
        if self.server.key is not None:
            error.value = self.server.key.hidden_in(str(error.value))
            error.args = (self.server.key.hidden_in(str(error)),)
        return error

    async def _exchange(self, method: str, route: str, *, limit_s: float, **what: Any) -> tuple[int, bytes]:
        """Return status and body of one exchange; the body is capped, the whole of it limited in time."""
        problem = ""
        try:
            async with asyncio.timeout(limit_s):
                request = self._http.stream(method, self.server.url + route, headers=self._headers(), **what)
                async with request as response:
                    body = bytearray()
                    async for chunk in response.aiter_bytes(CHUNK_BYTES):
                        body += chunk
                        if len(body) > MAX_REPLY_BYTES:
                            problem = f"a reply of more than {MAX_REPLY_BYTES} bytes"
                            break
                    else:
                        return response.status_code, bytes(body)
        except TimeoutError:
            problem = f"no answer within {limit_s:g} s"
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            problem = _plainly(error)
        raise self._unreachable(route, problem)

    async def _ask(self, method: str, route: str, *, limit_s: float = ANSWER_LIMIT_S, **what: Any) -> Any:
        status, body = await self._exchange(method, route, limit_s=limit_s, **what)
        told: ServerError
        try:
            return replies.unwrap(status, body, thing=self._thing(route))
        except ServerError as error:
            told = self._told(error)
        raise told

    # ---- what a server can be asked --------------------------------------------------------------------------------

    async def health(self) -> Mapping[str, Any]:
        """Return what `/health` says; it answers even while the worker hangs.

        Raises:
            ServerError: nothing listens there, or something that is not an ACE-Step server.
        """
        value = await self._ask("GET", "/health", limit_s=CONNECT_LIMIT_S + ANSWER_LIMIT_S)
        if not isinstance(value, dict) or not isinstance(value.get("status"), str):
            raise ServerError(
                f"{self.server.name} ({self.server.url})",
                value=value,
                expected="an ACE-Step server",
                remedy="something else listens there: correct the address",
            )
        return value

    async def models(self) -> tuple[str, ...]:
        """Return the DiT models that the server offers, the default first."""
        value = await self._ask("GET", "/v1/models")
        return replies.model_names(value, thing=self._thing("/v1/models"))

    async def stats(self) -> Stats:
        """Return its queue. The Gradio flavour has none: ServerRefusedError."""
        return replies.stats(await self._ask("GET", "/v1/stats"), thing=self._thing("/v1/stats"))

    async def routes(self) -> frozenset[str]:
        """Return the paths that `/openapi.json` names; empty where the server does not say."""
        try:
            return replies.route_names(await self._ask("GET", "/openapi.json"))
        except ServerAuthError:
            raise
        except ServerError:
            return frozenset()

    async def release(
        self,
        request: ReleaseRequest | Mapping[str, Any],
        *,
        limit_s: float = ANSWER_LIMIT_S,
        source: Path | None = None,
    ) -> Accepted:
        """Submit a request; return its task.

        Args:
            request: a checked request, or its payload.
            limit_s: longest wait; the Gradio flavour needs `BLOCKING_RELEASE_LIMIT_S`.
            source: a local file to upload as the source; where the server takes no uploads, the path in the request is
                used.

        Raises:
            RequestError: the source file is missing (A-SOURCE).
            ServerBusyError: the queue is full. ServerAuthError: the key is wrong. ServerError: any other failure.
        """
        payload = request.payload() if isinstance(request, ReleaseRequest) else dict(request)
        route = "/release_task"
        value = None if source is None else await self._upload(route, payload, source, limit_s)
        if value is None:
            value = await self._ask("POST", route, limit_s=limit_s, json=payload)
        return replies.accepted(value, thing=self._thing(route))

    async def _upload(self, route: str, payload: Mapping[str, Any], source: Path, limit_s: float) -> Any:
        """Return the answer to a form with a file, or None where this server takes none (it crashes with 500)."""
        if not source.is_file():
            raise RequestError(
                "request field src_audio",
                value=source,
                expected="an existing file",
                remedy="check its path: a server makes unrelated audio without it",
                rule="A-SOURCE",
            )
        form = {
            name: json.dumps(value) if isinstance(value, bool) else str(value)
            for name, value in payload.items()
            if name != "src_audio_path"
        }
        with source.open("rb") as file:
            try:
                return await self._ask("POST", route, limit_s=limit_s, data=form, files={"src_audio": file})
            except (ServerAuthError, ServerBusyError):
                raise
            except ServerError:
                return None

    async def query(self, task_ids: Sequence[str]) -> dict[str, TaskReply]:
        """Return what the server says of many tasks at once, by task id; ids that it leaves out are missing."""
        route = "/query_result"
        value = await self._ask("POST", route, json={"task_id_list": list(task_ids)})
        return replies.task_replies(value, thing=self._thing(route))

    async def format_input(
        self, caption: str, lyrics: str = "", *, temperature: float = 0.85, metas: Mapping[str, Any] | None = None
    ) -> Formatted:
        """Return the caption as the language model rewrites it, or the original with a note that says why not.

        Raises:
            ServerAuthError: the key is wrong; every other failure falls back.
        """
        route = "/format_input"
        body = {"prompt": caption, "lyrics": lyrics, "temperature": temperature, "param_obj": dict(metas or {})}
        try:
            value = await self._ask("POST", route, limit_s=60.0, json=body)
            return replies.formatted(value, caption=caption, lyrics=lyrics, thing=self._thing(route))
        except ServerAuthError:
            raise
        except ServerError as error:
            return Formatted(caption, lyrics, used_language_model=False, note=f"original caption kept: {error}")

    async def fetch(
        self,
        item: ResultItem,
        *,
        to: Path,
        cap_bytes: int | None = None,
        limit_s: float = DOWNLOAD_LIMIT_S,
    ) -> Download:
        """Stream a result's audio into a file, hashing it on the way. What arrives is not believed to be audio yet.

        Args:
            item: the result.
            to: the file to write; it is deleted again when the download fails.
            cap_bytes: most that may arrive.
            limit_s: longest time for the whole of it.

        Raises:
            ServerRefusedError: 403, 404 and their like. ServerError: the reference leads elsewhere, a redirect, an
                encoded, short, oversized or slow body. StoreError: the local disk.
        """
        cap_bytes = download_cap_bytes(None) if cap_bytes is None else cap_bytes
        address = audio_url(self.server, item.reference)
        failure: Exception | None = None
        try:
            async with asyncio.timeout(limit_s), self._http.stream("GET", address, headers=self._headers()) as response:
                failure = await self._refusal(response, cap_bytes)
                if failure is None:
                    return await self._receive(response, to, cap_bytes)
        except TimeoutError:
            failure = self._unreachable(AUDIO_ROUTE, f"a body that did not end within {limit_s:g} s")
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            failure = self._unreachable(AUDIO_ROUTE, _plainly(error))
        except _TooLargeError:
            failure = self._unreachable(AUDIO_ROUTE, f"a body of more than {cap_bytes} bytes")
        except OSError as error:
            failure = StoreError(
                f"cannot write {to.name}",
                value=error.strerror,
                expected="free space for downloads",
                remedy="free some space and run again: everything finished is kept",
            )
        raise failure

    async def _refusal(self, response: httpx.Response, cap_bytes: int) -> ServerError | None:
        """Return why a body is not worth reading, or None."""
        thing = self._thing(AUDIO_ROUTE)
        if response.status_code != 200:
            head = bytearray()
            async for chunk in response.aiter_bytes(4096):
                head += chunk
                if len(head) >= 4096:
                    break
            if 300 <= response.status_code < 400:
                return ServerRefusedError(
                    thing,
                    value=f"redirect {response.status_code}",
                    expected="the audio",
                    remedy="redirects are refused",
                )
            try:
                replies.unwrap(response.status_code, bytes(head), thing=thing)
            except ServerError as error:
                return self._told(error)
        if response.headers.get("content-encoding", "identity").lower() not in {"identity", ""}:
            return ServerError(thing, value="an encoded body", expected="plain audio", remedy="the take is made again")
        declared = replies.integer_of(response.headers.get("content-length", ""))
        if declared is not None and declared > cap_bytes:
            return ServerError(
                thing,
                value=f"a body of {declared} bytes",
                expected=f"at most {cap_bytes}",
                remedy="the take is made again",
            )
        return None

    async def _receive(self, response: httpx.Response, to: Path, cap_bytes: int) -> Download:
        digest = hashlib.sha256()
        size = 0
        done = False
        try:
            with to.open("wb") as file:
                async for chunk in response.aiter_bytes(CHUNK_BYTES):
                    size += len(chunk)
                    if size > cap_bytes:
                        raise _TooLargeError
                    digest.update(chunk)
                    file.write(chunk)
            done = True
            return Download(to, digest.hexdigest(), size)
        finally:
            if not done:
                to.unlink(missing_ok=True)


class _TooLargeError(Exception):
    """A body grew past its cap."""


def _plainly(error: Exception) -> str:
    """Return what went wrong on the wire in words, without anything of the request."""
    if isinstance(error, httpx.ConnectError):
        return "nothing listens there"
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    if isinstance(error, httpx.RemoteProtocolError):
        return "the connection broke in the middle of an answer, or what answers does not speak HTTP"
    if isinstance(error, httpx.TransportError):
        return "the connection broke"
    return type(error).__name__
