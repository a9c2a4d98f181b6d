"""The preview server: an ACE-Step 1.5 look-alike on loopback, with its manners, the bad ones included.

Replies are made in `messages.py`, jobs run in `jobs.py`; here are the routes, authentication, the injected faults of
the wire and the process's start and end. Every fault needs an explicit switch, except what the real server does anyway.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from ace_assets.errors import ConfigError, ServerError
from ace_assets.preview.encode import CONTENT_TYPES
from ace_assets.preview.faults import Faults, parse_faults
from ace_assets.preview.jobs import JobStore, QueueFullError
from ace_assets.preview.messages import (
    MODEL_NAME,
    SERVICE_NAME,
    audio_address,
    form_result,
    models_reply,
    openapi_reply,
    query_entry,
    read_task,
    wrap,
)

KEY_VARIABLE = "ACE_PREVIEW_API_KEY"
DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8001
MOST_AUDIO_BYTES = 2_000_000_000
_LOOPBACK = frozenset({"127.0.0.1", "::1", "testclient"})
_HUGE_BYTES = 10_000_000_000
_HANG_S = 3600.0
_PART_BYTES = 65_536
_JSON_TYPES = ("application/json", "")
_FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")
_connections: dict[tuple[str, int], asyncio.Transport] = {}


class _TraceableProtocol(H11Protocol):
    """An HTTP connection that can be cut off by its peer's address, for the fault `drop`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.client:
            _connections[self.client] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self.client:
            _connections.pop(self.client, None)
        super().connection_lost(exc)


class PreviewServer:
    """The routes and what they share.

    Args:
        folder: where audio and the disk cache lie; the caller removes it.
        faults: what to inject.
        api_key: the key that clients must send; empty for none.
        most_audio_bytes: the oldest audio is deleted beyond this.
    """

    def __init__(
        self, folder: Path, faults: Faults, *, api_key: str = "", most_audio_bytes: int = MOST_AUDIO_BYTES
    ) -> None:
        self.jobs = JobStore(folder, faults, most_audio_bytes=most_audio_bytes)
        self._key = api_key
        self._created_s = int(time.time())

    @property
    def faults(self) -> Faults:
        """The faults in force."""
        return self.jobs.faults

    def app(self) -> ASGIApp:
        """Return the ASGI application."""
        routes: list[tuple[str, tuple[str, ...], Callable[[Request], Awaitable[Response]]]] = [
            ("/health", ("GET",), self._health),
            ("/v1/models", ("GET",), self._models),
            ("/v1/stats", ("GET",), self._stats),
            ("/v1/audio", ("GET",), self._audio),
            ("/release_task", ("POST",), self._release),
            ("/query_result", ("POST",), self._query),
            ("/format_input", ("POST",), self._format),
        ]
        self._paths = {path: methods for path, methods, _ in routes}
        routes += [
            ("/openapi.json", ("GET",), self._openapi),
            ("/_preview/stats", ("GET", "POST"), self._preview_stats),
            ("/_preview/faults", ("GET", "POST"), self._preview_faults),
            ("/_preview/forget", ("POST",), self._preview_forget),
        ]
        app = Starlette(
            routes=[Route(path, handler, methods=list(methods)) for path, methods, handler in routes],
            exception_handlers={HTTPException: _http_error, Exception: _crash},
            lifespan=self._lifespan,
        )
        return _Wire(app, self)

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        del app
        forgetting = asyncio.create_task(self._forget_regularly())
        yield
        forgetting.cancel()
        await asyncio.to_thread(self.jobs.close)

    async def _forget_regularly(self) -> None:
        last = time.monotonic()
        while True:
            await asyncio.sleep(0.05 if self.faults.quantity("forget_every_s") else 0.2)
            every_s = self.faults.quantity("forget_every_s")
            if not every_s:
                last = time.monotonic()
            elif time.monotonic() - last >= every_s:
                last += every_s
                self.jobs.forget()
                self.faults.injected["forget_every_s"] += 1

    # Authentication: the body's token beats the header

    def _check_header(self, request: Request, *, missing: str = "Missing Authorization header") -> None:
        if not self._key:
            return
        header = request.headers.get("authorization")
        if not header:
            raise HTTPException(401, missing)
        token = header.removeprefix("Bearer ").strip()
        if not hmac.compare_digest(token.encode(), self._key.encode()):
            raise HTTPException(401, "Invalid API key")

    def _check(self, request: Request, body: dict[str, Any]) -> None:
        if not self._key:
            return
        token = body.get("ai_token")
        if token:
            if not hmac.compare_digest(str(token).encode(), self._key.encode()):
                raise HTTPException(401, "Invalid ai_token")
            return
        self._check_header(request, missing="Missing ai_token or Authorization header")

    def _reply(self, data: object, *, code: int = 200, error: str | None = None) -> Response:
        return JSONResponse(wrap(data, code=code, error=error, style=self.faults.word("style")))

    # Routes

    async def _health(self, request: Request) -> Response:
        del request
        return self._reply({"status": "ok", "service": SERVICE_NAME, "version": "1.0"})

    async def _models(self, request: Request) -> Response:
        del request
        name = self.faults.texts.get("model", MODEL_NAME)
        form = "list" if self.faults.word("flavour") == "gradio" else self.faults.word("models")
        return JSONResponse(models_reply([name], self._created_s, form))

    async def _stats(self, request: Request) -> Response:
        if self.faults.word("flavour") == "gradio":
            raise HTTPException(404, "Not Found")
        self._check_header(request)
        return self._reply(self.jobs.stats())

    async def _release(self, request: Request) -> Response:
        kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if kind in _FORM_TYPES:
            raise RuntimeError("forms crash the real server")
        if kind not in _JSON_TYPES:
            told = ", ".join(("application/json", "application/x-www-form-urlencoded", "or multipart/form-data"))
            raise HTTPException(415, f"Unsupported Content-Type: {kind}; use {told}")
        body = json.loads(await request.body())
        if not isinstance(body, dict):
            raise HTTPException(400, "JSON payload must be an object")
        self._check(request, body)
        task = read_task(body)
        if not task.is_backend_known:
            raise RuntimeError(task.lm_backend)
        if self.faults.strikes("hostile_error"):
            return self._reply(None, code=500, error="generation failed: " + "x" * 1_000_000)
        try:
            job, position = self.jobs.submit(task)
        except QueueFullError:
            raise HTTPException(429, "Server busy: queue is full") from None
        if self.faults.word("flavour") == "gradio":
            while not job.done.is_set():
                await asyncio.sleep(0.02)
            if job.state != "succeeded":
                raise HTTPException(500, "generation failed in service_generate")
            return self._reply({"task_id": job.task_id, "status": "succeeded"})
        if self.faults.strikes("drop_after"):
            _cut(request)
        return self._reply({"task_id": job.task_id, "status": "queued", "queue_position": position})

    async def _query(self, request: Request) -> Response:
        raw = await request.body()
        if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            body: Any = {name: values[-1] for name, values in parse_qs(raw.decode()).items()}
        else:
            body = json.loads(raw)
        if not isinstance(body, dict):
            raise TypeError("the real server crashes on a list")
        self._check(request, body)
        if self.faults.strikes("hostile_html"):
            return HTMLResponse("<html><body><h1>502 Bad Gateway</h1></body></html>")
        if self.faults.strikes("hostile_nested"):
            return Response("[" * 100_000 + "]" * 100_000, media_type="application/json")
        ids = body.get("task_id_list") or []
        if isinstance(ids, str):
            try:
                ids = json.loads(ids)
            except ValueError:
                ids = []
        ids = [str(task_id) for task_id in ids] if isinstance(ids, list) else []
        self.jobs.counters.polled_ids += len(ids)
        return self._reply([self._entry(task_id) for task_id in ids])

    def _entry(self, task_id: str) -> dict[str, Any]:
        found = self.jobs.find(task_id)
        if found is None:
            return query_entry(task_id, 0, "[]", None)
        status, items = found
        form = self.faults.word("result")
        if self.faults.word("flavour") == "gradio" and form == "string":
            form = "path"
        if status == 1 and items and items[0].get("file"):
            if self.faults.strikes("hostile_host"):
                items = [{**item, "file": "http://192.0.2.1/v1/audio?path=%2Fx.flac"} for item in items]
            elif self.faults.strikes("hostile_path"):
                items = [{**item, "file": audio_address("../../../../etc/passwd")} for item in items]
        return query_entry(task_id, status, form_result(items, form), self.jobs.log_line)

    async def _format(self, request: Request) -> Response:
        body = json.loads(await request.body())
        if not isinstance(body, dict):
            raise TypeError("not an object")
        self._check(request, body)
        if self.faults.strikes("no_lm"):
            raise HTTPException(
                500, "LLM init failed: LLM not initialized at startup. To enable LLM, set ACESTEP_INIT_LLM=true"
            )
        task = read_task({**body, "lyrics": body.get("lyrics") or ""})
        from ace_assets.preview.lexicon import read_caption
        from ace_assets.preview.styles import STYLES

        style = read_caption(task.prompt).style
        return self._reply({
            "caption": task.prompt,
            "lyrics": task.lyrics or "[Instrumental]",
            "bpm": task.bpm or STYLES[style].bpm,
            "key_scale": task.key or "C major",
            "time_signature": task.told_time_signature or "4",
            "duration": float(task.duration_s or 30.0),
            "vocal_language": "en",
        })  # fmt: skip

    async def _audio(self, request: Request) -> Response:
        if request.method == "HEAD":
            raise HTTPException(405, "Method Not Allowed")
        self._check_header(request)
        told = request.query_params.get("path")
        if told is None:
            detail = [{"type": "missing", "loc": ["query", "path"], "msg": "Field required", "input": None}]
            return JSONResponse({"detail": detail}, status_code=422)
        folder = self.jobs.audio_folder.resolve()
        path = Path(os.path.normpath(told))
        if not path.is_absolute() or (path != folder and folder not in path.parents):
            raise HTTPException(403, "Access denied: path outside allowed directory")
        if path == folder:
            raise IsADirectoryError(path)
        if not path.is_file() or self.faults.strikes("gone"):
            raise HTTPException(404, "Audio file not found")
        kind = CONTENT_TYPES.get(path.suffix[1:].lower(), "application/octet-stream")
        self.jobs.counters.audio_bytes += path.stat().st_size
        return self._harmed_audio(request, path, kind) or FileResponse(path, media_type=kind)

    def _harmed_audio(self, request: Request, path: Path, kind: str) -> Response | None:
        """Return the answer with a fault of the body, None where there is none."""
        faults = self.faults
        if faults.strikes("hostile_huge"):
            return StreamingResponse(_endless(), media_type=kind, headers={"content-length": str(_HUGE_BYTES)})
        if faults.strikes("short"):
            data = path.read_bytes()
            return StreamingResponse(
                _part_of(data[: len(data) // 2], request), media_type=kind, headers={"content-length": str(len(data))}
            )
        if faults.strikes("truncated"):
            data = path.read_bytes()
            return Response(data[: len(data) // 2], media_type=kind)
        if faults.strikes("slow"):
            data = path.read_bytes()
            speed = faults.quantity("slow_bytes_per_s")
            return StreamingResponse(_slowly(data, speed), media_type=kind, headers={"content-length": str(len(data))})
        return None

    async def _openapi(self, request: Request) -> Response:
        del request
        return JSONResponse(openapi_reply(self._paths))

    # For tests

    async def _preview_stats(self, request: Request) -> Response:
        _loopback_only(request)
        if request.method == "POST":
            self.jobs.counters.reset()
            self.faults.injected.clear()
        return JSONResponse(self.jobs.counters.as_json() | {"injected": dict(self.faults.injected)})

    async def _preview_faults(self, request: Request) -> Response:
        _loopback_only(request)
        if request.method == "POST":
            try:
                self.jobs.with_faults(parse_faults(str(json.loads(await request.body()).get("spec", ""))))
            except ConfigError as error:
                raise HTTPException(400, str(error)) from error
        return JSONResponse({"spec": self.faults.spec})

    async def _preview_forget(self, request: Request) -> Response:
        _loopback_only(request)
        self.jobs.forget()
        return JSONResponse({"forgotten": self.jobs.counters.forgotten})


class _Wire:
    """What happens to a request before a route sees it: latency, drops, hangs, crashes, counting."""

    def __init__(self, app: ASGIApp, server: PreviewServer) -> None:
        self._app = app
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/_preview/"):
            await self._app(scope, receive, send)
            return
        faults = self._server.faults
        self._server.jobs.counters.calls[scope["path"].strip("/").replace("/", ".")] += 1
        if latency := faults.quantity("latency_s"):
            await asyncio.sleep(latency)
        if faults.strikes("hang"):
            await asyncio.sleep(_HANG_S)
        if faults.strikes("drop"):
            _cut(Request(scope))
            await asyncio.sleep(0.01)  # the loop tells the connection that it is lost
            return
        if faults.strikes("http500"):
            await PlainTextResponse("Internal Server Error", status_code=500)(scope, receive, send)
            return
        with suppress(Exception):  # answered as 500 text/plain already, as the real server's crashes are
            await self._app(scope, receive, send)


def _cut(request: Request, *, gently: bool = False) -> None:
    """Reset the connection of a request; gently: close it after what was already written."""
    transport = _connections.get((request.client.host, request.client.port)) if request.client else None
    if transport and gently:
        transport.close()
    elif transport:
        transport.abort()


def _loopback_only(request: Request) -> None:
    if not request.client or request.client.host not in _LOOPBACK:
        raise HTTPException(404, "Not Found")


async def _http_error(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, HTTPException)
    return JSONResponse({"detail": error.detail}, status_code=error.status_code, headers=error.headers)


async def _crash(request: Request, error: Exception) -> Response:
    del request, error
    return PlainTextResponse("Internal Server Error", status_code=500)


async def _part_of(data: bytes, request: Request) -> AsyncIterator[bytes]:
    """Yield the data, then end the connection although more was promised."""
    for start in range(0, len(data), _PART_BYTES):
        yield data[start : start + _PART_BYTES]
    _cut(request, gently=True)
    await asyncio.sleep(_HANG_S)


async def _slowly(data: bytes, bytes_per_s: float) -> AsyncIterator[bytes]:
    step = max(1, int(bytes_per_s / 10))
    for start in range(0, len(data), step):
        yield data[start : start + step]
        await asyncio.sleep(0.1)


async def _endless() -> AsyncIterator[bytes]:
    part = bytes(_PART_BYTES)
    while True:
        yield part
        await asyncio.sleep(0.001)


def serve(
    host: str = DEFAULT_HOST,
    port: int = DEFAULT_PORT,
    faults: str = "",
    *,
    folder: Path | None = None,
    remove_folder: bool = False,
    on_ready: Callable[[str], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    most_audio_bytes: int = MOST_AUDIO_BYTES,
) -> None:
    """Run the preview server until it is interrupted.

    The key, where one is wanted, comes from the environment variable ACE_PREVIEW_API_KEY, never from an argument.

    Args:
        host: address to listen on; loopback unless you mean it.
        port: port to listen on; 0 takes a free one.
        faults: specification of the faults to inject, see `faults.parse_faults`.
        folder: keeps audio and the disk cache there, over restarts; None for a temporary folder.
        remove_folder: remove that folder at the end; a temporary one is always removed.
        on_ready: called once with the server's address when it accepts connections.
        should_stop: asked twice a second; True ends the server.
        most_audio_bytes: the oldest audio is deleted beyond this.

    Raises:
        ConfigError: the specification of faults cannot be read.
        ServerError: the port is taken or may not be used.
    """
    parsed = parse_faults(faults)
    listener = _listen(host, port)
    place = folder or Path(tempfile.mkdtemp(prefix="ace-preview-"))
    try:
        place.mkdir(parents=True, exist_ok=True)
        key = os.environ.get(KEY_VARIABLE, "")
        server = PreviewServer(place.resolve(), parsed, api_key=key, most_audio_bytes=most_audio_bytes)
        config = uvicorn.Config(
            server.app(),
            http=_TraceableProtocol,
            ws="none",
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=1,
        )
        runner = uvicorn.Server(config)
        if threading.current_thread() is threading.main_thread():
            # uvicorn raises the signal again once it has shut down: by then there is nothing left to end
            signal.signal(signal.SIGTERM, lambda *_: setattr(runner, "should_exit", True))
        asyncio.run(_run(runner, listener, on_ready, should_stop))
    finally:
        listener.close()
        if folder is None or remove_folder:
            shutil.rmtree(place, ignore_errors=True)


async def _run(
    runner: uvicorn.Server,
    listener: socket.socket,
    on_ready: Callable[[str], None] | None,
    should_stop: Callable[[], bool] | None,
) -> None:
    serving = asyncio.create_task(runner.serve(sockets=[listener]))
    told = False
    while not serving.done():
        if runner.started and not told and on_ready:
            host, port = listener.getsockname()[:2]
            on_ready(f"http://{host}:{port}")
            told = True
        if should_stop and should_stop():
            runner.should_exit = True
        await asyncio.wait([serving], timeout=0.5 if told or not on_ready else 0.02)
    await serving


def _listen(host: str, port: int) -> socket.socket:
    try:
        listener = socket.create_server((host, port), backlog=256)
    except OSError as error:
        raise ServerError(
            "preview server",
            value=f"{host}:{port}",
            expected="a free port",
            remedy=f"choose another with --port ({error.strerror})",
        ) from error
    # accepted connections inherit it; asyncio sets it only on sockets that name their protocol, and without it every
    # answer waits 40 ms for a delayed acknowledgement
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.setblocking(False)
    return listener
