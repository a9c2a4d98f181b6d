"""The same catalog on an S3 server: built, asked, pulled."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from ace_assets.catalog.build import build_release
from ace_assets.catalog.query import open_file, pull, run_query
from ace_assets.store import Store
from tests.catalog.synthetic import make_store


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    import boto3

    log = tmp_path / "moto.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"], stdout=out, stderr=out
        )
    try:
        deadline = time.monotonic() + 60
        url = ""
        while not url:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            for word in log.read_text().split():
                if word.startswith("http://127.0.0.1:"):
                    url = word
            time.sleep(0.1)
        urllib.request.urlopen(f"{url}/moto-api/", timeout=30).close()
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        boto3.client("s3").create_bucket(Bucket="music")
        yield "s3://music/ace"
    finally:
        process.terminate()
        process.wait(timeout=30)


def test_a_catalog_on_s3_is_built_asked_and_pulled(bucket: str, tmp_path: Path) -> None:
    made = make_store(tmp_path / "local", 6, cells=6, seed=5)
    store = Store.open(bucket)
    for key in made.store.blobs.keys(""):
        data = made.store.blobs.get(key)
        assert data is not None
        store.blobs.put(key, data)
    first = build_release(store, reason="on S3")
    here = build_release(made.store, reason="here")
    assert first.rows == here.rows
    assert first.quarantined == ()
    count = "select count(*) from takes"
    assert run_query(store, count).frame.item() == made.takes.height
    assert not build_release(store, reason="again").changed
    second = build_release(store, reason="forced", force=True, keep=1)
    found = run_query(store, "select count(*) from releases")
    assert (found.frame.item(), found.release_id) == (2, second.release_id)
    assert store.release_ids() == [second.release_id]
    with open_file(pull(store, tmp_path / "pulled" / "catalog.duckdb")) as connection:
        assert connection.execute(count).fetchall() == [(made.takes.height,)]
