"""What a server can do is measured; what is no server is one clear error."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable

import pytest

from ace_assets.acestep.capabilities import Capabilities, as_table, probe
from ace_assets.acestep.identify import identify
from ace_assets.acestep.servers import server_at
from ace_assets.errors import ConfigError, ServerAuthError, ServerError
from ace_assets.preview.process import running_preview
from tests.acestep.plans import MODEL, QUICK

Serving = Callable[[str], str]


def test_a_probe_tells_flavour_models_seeds_tier_and_speed(serving: Serving) -> None:
    found = probe(serving(f"{QUICK},clamp_s=240,batch_max=4"))
    assert (found.flavour, found.models) == ("preview", (MODEL,))
    assert found.seed_trusted is True
    assert found.max_duration_s == 240.0
    assert found.max_batch == 4
    assert found.lm_answers is True
    assert found.queue_maxsize == 200
    assert found.latency_ms is not None
    assert found.seconds_per_take is not None
    assert 0.03 < found.seconds_per_take < 3.0
    assert Capabilities.from_facts(json.loads(json.dumps(found.to_facts()))) == found


def test_a_server_that_ignores_seeds_or_has_no_language_model_is_found_out(serving: Serving) -> None:
    found = probe(serving(f"{QUICK},seeds_ignored=1,no_lm=1"), tier=False)
    assert found.seed_trusted is False
    assert found.lm_answers is False
    assert found.max_duration_s is None


def test_a_gradio_server_is_recognised_and_asked_patiently(serving: Serving) -> None:
    url = serving(f"{QUICK},flavour=gradio,models=list,service_s=0.3")
    found = probe(url, tier=False)
    assert found.models == (MODEL,)
    assert found.queue_size is None
    assert found.seed_trusted is True


def test_a_table_has_a_column_per_server_and_says_what_was_not_measured(serving: Serving) -> None:
    url = serving(QUICK)
    found = probe(url, clips=False, tier=False)
    rows = {row[0]: row[1:] for row in as_table([found, found])}
    assert rows["address"] == (url, url)
    assert rows["seeds honoured"] == ("not measured", "not measured")
    assert rows["LoRA routes"] == ("none", "none")


def test_the_snapshot_changes_with_what_matters_only() -> None:
    one = Capabilities("a", "http://a", "acestep-api", ("m",), queue_size=0, latency_ms=1.0)
    same = Capabilities("a", "http://a", "acestep-api", ("m",), queue_size=9, latency_ms=2.0)
    other = Capabilities("a", "http://a", "acestep-api", ("m", "n"))
    assert one.snapshot_id == same.snapshot_id != other.snapshot_id


def test_no_server_at_the_address_is_one_clear_error() -> None:
    with pytest.raises(ServerError, match=r"http://127.0.0.1:9 .*nothing listens there.*start it"):
        probe("http://127.0.0.1:9")
    with pytest.raises(ConfigError, match="http://HOST:PORT"):
        probe("127.0.0.1:8001")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n<html></html>",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"220 smtp ready\r\n",
        b"",
    ],
)
def test_something_else_at_the_address_is_one_clear_error(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with pytest.raises(ServerError) as caught:
            identify(server_at(f"http://127.0.0.1:{listener.getsockname()[1]}", environ={}))
    thread.join(timeout=10)
    assert "\n" not in str(caught.value)


def test_a_server_that_wants_another_key_says_so() -> None:
    with (
        running_preview(faults=QUICK, api_key="right") as server,
        pytest.raises(ServerAuthError, match="ACESTEP_API_KEY"),
    ):
        probe(server_at(server.url, environ={}))
