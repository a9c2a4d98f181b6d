"""The same fleet with its store on S3: takes, journal, slots and what is known of servers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer

from ace_assets.acestep.fleet import generate
from ace_assets.acestep.server_facts import RATE, ServerFacts
from ace_assets.acestep.servers import servers_at
from ace_assets.store import Store
from tests.acestep.plans import CELL, QUICK, know, plan, quick, stats_of

Serving = Callable[[str], str]


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    boto3.client("s3").create_bucket(Bucket="music")
    yield "s3://music/night"
    server.stop()


@pytest.mark.distributed
def test_takes_go_to_s3_and_nothing_is_left_behind(bucket: str, serving: Serving) -> None:
    store = Store.open(bucket)
    url = serving(QUICK)
    know(store, url)
    first = generate(plan(5), servers=servers_at(url), store=store, cell=CELL, settings=quick())
    again = generate(plan(6), servers=servers_at(url), store=store, cell=CELL, settings=quick())
    assert (first.stored, again.reused, again.stored) == (5, 5, 1)
    assert stats_of(url)["submitted_jobs"] == 6
    keys = list(store.blobs.keys(""))
    assert sum(key.endswith(".flac") for key in keys) == 6
    assert not [key for key in keys if key.startswith("journal/")]
    assert b'"count"' not in (store.blobs.get(ServerFacts(store, servers_at(url)[0]).key("slots")) or b"")
    assert ServerFacts(store, servers_at(url)[0]).recall(RATE) is not None
