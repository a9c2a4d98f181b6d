"""A hostile server writes nothing outside the store, hangs nothing, shows no traceback and learns no secret."""

from __future__ import annotations

import asyncio
import logging
import pickle
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ace_assets.acestep import client as client_module
from ace_assets.acestep.client import AceStepClient, audio_url, download_cap_bytes, open_http
from ace_assets.acestep.fleet import generate
from ace_assets.acestep.replies import ResultItem
from ace_assets.acestep.servers import ApiKey, Server, checked_url, key_from, load_servers, server_at, servers_at
from ace_assets.errors import AceAssetsError, ConfigError, ServerError, ServerRefusedError
from ace_assets.preview.process import running_preview
from ace_assets.store import Store
from tests.acestep.plans import CELL, QUICK, know, leftovers, plan, quick, stored_flacs

Serving = Callable[[str], str]
SERVER = Server("http://gpu.example:8001", "gpu-1")
SECRET = "sk-very-secret-7c1f"


@pytest.mark.parametrize(
    ("reference", "address"),
    [
        ("/v1/audio?path=%2Fsrv%2Fa%20b.flac", "http://gpu.example:8001/v1/audio?path=%2Fsrv%2Fa%20b.flac"),
        ("/srv/a b.flac", "http://gpu.example:8001/v1/audio?path=%2Fsrv%2Fa%20b.flac"),
        ("/srv/100%.flac", "http://gpu.example:8001/v1/audio?path=%2Fsrv%2F100%25.flac"),
        ("outputs/a.flac", "http://gpu.example:8001/v1/audio?path=outputs%2Fa.flac"),
        ("http://gpu.example:8001/v1/audio?path=%2Fa.flac", "http://gpu.example:8001/v1/audio?path=%2Fa.flac"),
        ("http://GPU.example:8001/files/a.flac", "http://GPU.example:8001/files/a.flac"),
    ],
)
def test_a_reference_leads_to_the_same_server_and_is_quoted_once(reference: str, address: str) -> None:
    assert audio_url(SERVER, reference) == address


@pytest.mark.parametrize(
    "reference",
    [
        "http://evil.example/v1/audio?path=%2Fa.flac", "https://gpu.example:8001/v1/audio?path=a",
        "http://gpu.example:9999/v1/audio?path=a", "http://gpu.example:8001@evil.example/a",
        "http://user:pw@gpu.example:8001/v1/audio?path=a", "//evil.example/a", "file:///etc/passwd", "ftp://gpu.example/a",
        "../../etc/passwd", "/v1/audio?path=..%2F..%2Fetc%2Fpasswd", "/v1/audio?path=%252e%252e%2Fetc", "/srv/../etc/passwd",
        "/v1/../admin", "http://gpu.example:8001/v1/%2e%2e/admin", "\\\\evil\\a", "a\nb", "http://[::1", "x" * 5000, " ",
        "javascript:alert(1)", "http://gpu.example:99999/a",
    ],
)  # fmt: skip
def test_a_reference_that_leads_elsewhere_is_refused(reference: str) -> None:
    with pytest.raises(ServerError) as caught:
        audio_url(SERVER, reference)
    assert "\n" not in str(caught.value)


def fetched(answer: Callable[[httpx.Request], httpx.Response], target: Path, **how: Any) -> Any:
    async def run() -> Any:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            return await AceStepClient(SERVER, http).fetch(ResultItem("/srv/a.flac"), to=target, **how)

    return asyncio.run(run())


def endless() -> Iterator[bytes]:
    while True:
        yield bytes(65_536)


class Endless(httpx.AsyncByteStream):
    def __init__(self, pause_s: float = 0.0) -> None:
        self.pause_s = pause_s

    async def __aiter__(self) -> Any:
        while True:
            yield bytes(65_536)
            await asyncio.sleep(self.pause_s)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda r: httpx.Response(302, headers={"location": "http://evil.example/"}), "redirect 302"),
        (lambda r: httpx.Response(200, stream=Endless()), "a body of more than 1000000 bytes"),
        (lambda r: httpx.Response(200, headers={"content-length": str(10**10)}, stream=Endless()), "10000000000 bytes"),
        (lambda r: httpx.Response(200, stream=Endless(0.05)), "did not end within 0.5 s"),
        (lambda r: httpx.Response(200, headers={"content-encoding": "br"}, stream=Endless()), "encoded body"),
        (lambda r: httpx.Response(404, json={"detail": "Audio file not found"}), "404 Audio file not found"),
        (lambda r: httpx.Response(500, text="x" * 1_000_000), "500 xxx"),
    ],
    ids=["redirect", "endless", "claims 10 GB", "slow", "encoded", "404", "1 MB of error"],
)
def test_a_body_that_is_no_take_leaves_no_file(
    answer: Callable[[httpx.Request], httpx.Response], says: str, tmp_path: Path
) -> None:
    target = tmp_path / "take.part"
    with pytest.raises(ServerError) as caught:
        fetched(answer, target, cap_bytes=1_000_000, limit_s=0.5)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 700
    assert list(tmp_path.iterdir()) == []


def test_the_cap_leaves_room_for_the_largest_honest_file() -> None:
    assert download_cap_bytes(600) > 600 * 48_000 * 2 * 4
    assert download_cap_bytes(10) < 10_000_000


@pytest.mark.parametrize(
    "fault",
    [
        "hostile_host=1",
        "hostile_path=1",
        "hostile_huge=1",
        "hostile_html=1",
        "hostile_nested=1",
        "hostile_error=1",
        "audio_nan=1",
    ],
)
@pytest.mark.timeout(60)
def test_a_hostile_server_costs_its_takes_and_nothing_else(
    fault: str, serving: Serving, store: Store, tmp_path: Path
) -> None:
    bad, good = serving(f"{QUICK},{fault}"), serving(QUICK)
    know(store, bad, good)
    began_s = time.monotonic()
    outside = set(Path("/tmp").glob("passwd*")) | set(tmp_path.parent.glob("*"))
    settings = quick(download_tries=2)
    result = generate(plan(6), servers=servers_at([bad, good]), store=store, cell=CELL, settings=settings)
    assert (result.stored, result.failed) == (6, 0)
    assert {row["server"] for row in result.rows} == {servers_at(good)[0].name}
    assert time.monotonic() - began_s < 45
    assert len(stored_flacs(tmp_path)) == 6
    assert leftovers(tmp_path) == []
    assert set(Path("/tmp").glob("passwd*")) | set(tmp_path.parent.glob("*")) == outside


@pytest.mark.parametrize("fault", ["hostile_path=1", "hostile_html=1", "hostile_error=1", "audio_nan=1"])
def test_alone_a_hostile_server_is_one_line_of_error_or_a_reason_per_take(
    fault: str, serving: Serving, store: Store
) -> None:
    url = serving(f"{QUICK},{fault}")
    know(store, url)
    settings = quick(max_attempts=2, gone_after_s=0.3, download_tries=2)
    try:
        result = generate(plan(2), servers=servers_at(url), store=store, cell=CELL, settings=settings)
    except AceAssetsError as error:
        texts = [str(error)]
    else:
        assert (result.stored, result.failed) == (0, 2)
        texts = [str(row["failure_message"]) for row in result.rows]
    assert all(text and "\n" not in text and len(text) < 1500 and "Traceback" not in text for text in texts)


# ---- the key -------------------------------------------------------------------------------------------------------


def test_a_key_shows_in_no_text_and_in_no_pickle() -> None:
    key = ApiKey(SECRET)
    server = Server("http://127.0.0.1:8001", "gpu-1", key=key)
    for shown in (repr(key), str(key), f"{key}", repr(server), str(server), repr(vars(server))):
        assert SECRET not in shown
    with pytest.raises(TypeError, match="never written"):
        pickle.dumps(key)


@pytest.mark.parametrize("value", ["with space", "line\nbreak", "ümlaut", "x" * 5000])
def test_a_key_that_cannot_travel_is_refused_without_being_shown(value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        key_from("ACESTEP_API_KEY", {"ACESTEP_API_KEY": value})
    assert value not in str(caught.value)
    assert "ACESTEP_API_KEY" in str(caught.value)


def test_each_server_can_have_a_variable_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "servers.toml"
    file.write_text(
        '[[servers]]\nurl = "http://a:8001/"\nkey_env = "KEY_A"\ngpu = "RTX 4090"\nprice_usd_per_hour = 1\n'
        '[[servers]]\nurl = "http://b"\nname = "gpu-b"\n'
    )
    one, other = load_servers(file, environ={"KEY_A": "aaa", "ACESTEP_API_KEY": "bbb"})
    assert (one.url, one.server_id, one.gpu, one.price_usd_per_hour) == ("http://a:8001", "a-8001", "RTX 4090", 1.0)
    assert one.key is not None
    assert one.key.header() == "Bearer aaa"
    assert other.key is not None
    assert other.key.header() == "Bearer bbb"
    assert (other.name, other.server_id) == ("gpu-b", "b-80")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[[servers]]\nurl = "http://a"\nkey = "sk-in-a-file"\n', "key_env"),
        ('[[servers]]\nname = "x"\n', "url"),
        ('[[servers]]\nurl = "http://a"\n[[servers]]\nurl = "http://a/"\n', "once"),
        ("[[servers]]\nurl = 5\n", "url"),
        ('[[servers]]\nurl = "http://a"\nprice = 5\n', "price"),
        ("servers = 1\n", "tables"),
        ("[[", "TOML"),
    ],
)
def test_a_servers_file_with_a_mistake_says_where(text: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "servers.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_servers(file, environ={})
    assert says in str(caught.value)
    assert "servers.toml" in str(caught.value)
    assert "sk-in-a-file" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "gpu:8001",
        "ftp://a",
        "http://",
        "http://u:sk-pw@a",
        "http://a?key=sk-pw",
        "http://a b",
        "http://a:0",
        "http://a:x",
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_its_secrets(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        checked_url(url)
    assert "sk-pw" not in str(caught.value)


def test_the_key_is_nowhere_in_what_a_run_leaves_behind(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    messages: list[str] = []
    with running_preview(faults=f"{QUICK},http500=0.1,drop=0.1,short=0.2", api_key=SECRET) as running:
        (server,) = servers_at(running.url, environ={"ACESTEP_API_KEY": SECRET})
        result = generate(
            plan(4), servers=[server], store=store, cell=CELL, settings=quick(),
            progress=lambda event: messages.append(repr(event)),
        )  # fmt: skip
        arguments = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
        log = running.log_path.read_bytes()
    assert result.stored == 4
    left = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    printed = "".join(capfd.readouterr())
    texts = [caplog.text, printed, repr(result), *messages, *(repr(record.__dict__) for record in caplog.records)]
    assert not [text for text in texts if SECRET in text]
    assert SECRET.encode() not in left + log
    assert not [line for line in arguments if SECRET.encode() in line]


def walk(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("fault", ["drop=1", "http500=1", "hang=1", "style=plain"])
def test_no_exception_carries_the_key_or_the_request_that_holds_it(fault: str, serving: Serving) -> None:
    url = serving(f"{QUICK},{fault}")
    server = server_at(url, environ={"ACESTEP_API_KEY": SECRET})

    async def ask() -> None:
        async with open_http([server]) as http:
            client = AceStepClient(server, http)
            await client.release({"prompt": "p", "audio_duration": 10}, limit_s=0.5)
            await client.fetch(ResultItem("/nope.flac"), to=Path("/nonexistent/x"), limit_s=0.5)

    with pytest.raises((ServerError, AceAssetsError)) as caught:
        asyncio.run(ask())
    for error in walk(caught.value):
        assert not isinstance(error, httpx.HTTPError)
        assert SECRET not in repr(error)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_server_that_says_the_key_back_is_not_quoted(tmp_path: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(401, json={"detail": f"bad {request.headers['authorization']}"})

    async def ask() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            await AceStepClient(Server("http://a", "gpu-1", key=ApiKey(SECRET)), http).stats()

    with pytest.raises(ServerError, match=r"\(hidden\)") as caught:
        asyncio.run(ask())
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value.args)


def test_the_key_never_goes_to_another_host(tmp_path: Path) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url.host))
        return httpx.Response(307, headers={"location": "http://evil.example/"})

    async def ask() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            client = AceStepClient(Server("http://gpu.example", "gpu-1", key=ApiKey(SECRET)), http)
            await client.fetch(ResultItem("/a.flac"), to=tmp_path / "x")

    with pytest.raises(ServerRefusedError):
        asyncio.run(ask())
    assert asked == ["gpu.example"]


def test_a_missing_source_file_is_noticed_before_anything_is_sent(tmp_path: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise AssertionError("nothing may be sent")

    async def ask() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            await AceStepClient(SERVER, http).release({"prompt": "p"}, source=tmp_path / "missing.wav")

    with pytest.raises(AceAssetsError, match="A-SOURCE"):
        asyncio.run(ask())


def test_where_uploads_crash_the_path_on_the_server_is_tried(tmp_path: Path) -> None:
    source = tmp_path / "source.wav"
    source.write_bytes(b"RIFF")
    kinds: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        kind = request.headers["content-type"].split(";")[0]
        kinds.append(kind)
        if kind != "application/json":
            return httpx.Response(500, text="Internal Server Error")
        return httpx.Response(200, json={"task_id": "t", "status": "queued"})

    async def ask() -> str:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            payload = {"prompt": "p", "task_type": "cover", "src_audio_path": "/srv/source.wav"}
            return (await AceStepClient(SERVER, http).release(payload, source=source)).task_id

    assert asyncio.run(ask()) == "t"
    assert kinds == ["multipart/form-data", "application/json"]


def test_nothing_of_the_client_needs_dagster() -> None:
    code = "import sys; import ace_assets.acestep.fleet; sys.exit('dagster' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert client_module.__doc__
