"""The store publishes whole or not at all, leases keep writers apart, and tables of other versions are told from ours."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import polars as pl
import pytest

from ace_assets import leases, tables
from ace_assets.blobs import LocalBlobs, open_blobs
from ace_assets.errors import LeaseHeldError, SchemaError, StoreError
from ace_assets.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(str(tmp_path / "data"))


def event_rows(number: int) -> list[dict[str, object]]:
    import datetime as dt

    moment = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    common = {"happened_at": moment, "kind": "kept", "track_id": "ACE-0000000000", "take_id": "t", "prompt_id": "p"}
    return [{**common, "event_id": f"{n:03d}", "cell": "a.b.c.d", "actor": "test"} for n in range(number)]


class TestBlobs:
    def test_what_is_put_if_absent_is_put_once(self, store: Store) -> None:
        assert store.blobs.put("a/b", b"first", if_absent=True)
        assert not store.blobs.put("a/b", b"second", if_absent=True)
        assert store.blobs.get("a/b") == b"first"

    def test_compare_and_put_refuses_what_changed_meanwhile(self, store: Store) -> None:
        assert store.blobs.compare_and_put("pointer", b"1", expected_etag=None)
        found = store.blobs.get_versioned("pointer")
        assert found is not None
        assert store.blobs.compare_and_put("pointer", b"2", expected_etag=found[1])
        assert not store.blobs.compare_and_put("pointer", b"3", expected_etag=found[1])

    def test_of_many_writers_at_once_exactly_one_wins(self, store: Store) -> None:
        wins: list[int] = []
        barrier = threading.Barrier(8)

        def write(number: int) -> None:
            barrier.wait()
            if store.blobs.compare_and_put("pointer", str(number).encode(), expected_etag=None):
                wins.append(number)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(wins) == 1
        assert store.blobs.get("pointer") == str(wins[0]).encode()

    def test_partial_files_are_never_listed_and_are_swept_when_old(self, store: Store) -> None:
        store.blobs.put("takes/ab/x.flac", b"audio")
        root = store.local_root
        assert root is not None
        (root / "takes" / "ab" / ".y.flac.0.partial").write_bytes(b"half")
        assert list(store.blobs.keys("takes/")) == ["takes/ab/x.flac"]
        assert store.sweep_partials(older_than_s=0.0) == 1
        assert list(store.blobs.keys("takes/")) == ["takes/ab/x.flac"]

    @pytest.mark.parametrize("key", ["../out", "a//b", "/etc/passwd", "a/./b", ""])
    def test_a_key_never_leaves_the_folder(self, tmp_path: Path, key: str) -> None:
        with pytest.raises(StoreError):
            LocalBlobs(tmp_path).path(key)

    def test_an_address_that_is_neither_folder_nor_bucket_is_refused(self) -> None:
        with pytest.raises(StoreError, match="folder or s3"):
            open_blobs("ftp://somewhere/else")


class TestLeases:
    def test_a_second_holder_is_refused_and_told_who_has_it(self, store: Store) -> None:
        held = store.cell_lease("a.b.c.d")
        with held, pytest.raises(LeaseHeldError, match="being written by process"), store.cell_lease("a.b.c.d"):
            pass

    def test_fencing_numbers_grow_from_holder_to_holder(self, store: Store) -> None:
        fences = []
        for _ in range(3):
            with store.cell_lease("a.b.c.d") as lease:
                fences.append(lease.fence)
        assert fences == [1, 2, 3]

    def test_a_holder_whose_process_is_gone_is_taken_over_at_once(self, store: Store) -> None:
        code = (
            "import os, sys; from ace_assets.store import Store\n"
            "with Store.open(sys.argv[1]).cell_lease('a.b.c.d'): os._exit(9)"
        )
        subprocess.run([sys.executable, "-c", code, store.uri], check=False)
        started_s = time.monotonic()
        with store.cell_lease("a.b.c.d") as lease:
            assert lease.fence == 2
        assert time.monotonic() - started_s < leases.DEFAULT_TERM_S / 2

    def test_a_holder_elsewhere_that_fell_silent_loses_its_lease_after_the_term(self, store: Store) -> None:
        document = {"token": "x", "machine": "elsewhere", "pid": 1, "fence": 7, "expires_at_s": time.time() + 0.6}
        store.blobs.put("leases/cell-a.b.c.d.json", json.dumps(document).encode())
        with pytest.raises(LeaseHeldError), store.cell_lease("a.b.c.d"):
            pass
        with store.cell_lease("a.b.c.d", wait_s=5.0) as lease:
            assert lease.fence == 8

    def test_a_lease_that_was_taken_over_writes_no_manifest(self, store: Store) -> None:
        with store.lease("cell-a.b.c.d", what="cell", term_s=0.5) as lease:
            stolen = {"token": "thief", "machine": "elsewhere", "pid": 1, "fence": 9, "expires_at_s": time.time() + 60}
            store.blobs.put("leases/cell-a.b.c.d.json", json.dumps(stolen).encode())
            time.sleep(0.8)
            with pytest.raises(LeaseHeldError, match="lost"):
                store.publish_manifest(
                    "a.b.c.d", tables.Events, tables.from_rows(tables.Events, event_rows(1)), lease=lease, plan_id="p"
                )
        assert store.blobs.get("cells/a.b.c.d/events.parquet") is None


class TestTables:
    def test_a_table_comes_back_as_it_was_with_its_facts(self) -> None:
        frame = tables.from_rows(tables.Events, event_rows(3))
        found, facts = tables.from_parquet(
            tables.Events, tables.to_parquet(tables.Events, frame, facts={"n": 3}), name="x"
        )
        assert found.equals(frame)
        assert facts == {"n": 3}

    def test_a_newer_version_is_refused_by_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tables.Events, "VERSION", tables.Events.VERSION + 1)
        data = tables.to_parquet(tables.Events, tables.from_rows(tables.Events, event_rows(1)))
        monkeypatch.undo()
        with pytest.raises(SchemaError, match=r"events\.parquet: schema version .* update ace_assets"):
            tables.from_parquet(tables.Events, data, name="events.parquet")

    def test_another_table_or_a_damaged_one_is_refused(self) -> None:
        data = tables.to_parquet(tables.Events, tables.empty(tables.Events))
        with pytest.raises(SchemaError, match="expected table takes"):
            tables.from_parquet(tables.Takes, data, name="x")
        with pytest.raises(SchemaError, match="unreadable"):
            tables.from_parquet(tables.Events, data[: len(data) // 2], name="x")

    def test_a_row_that_breaks_the_schema_is_refused(self) -> None:
        rows = event_rows(1)
        rows[0]["kind"] = None
        with pytest.raises(SchemaError, match="kind"):
            tables.from_rows(tables.Events, rows)

    def test_every_column_says_what_it_means(self) -> None:
        for table in tables.ALL_TABLES:
            for name, meaning in tables.column_docs(table).items():
                assert meaning, f"{table.TABLE}.{name}"

    def test_every_quantity_names_its_unit(self) -> None:
        units = ("_s", "_hz", "_lufs", "_dbtp", "_lu", "_db", "_usd", "_bytes", "_bpm")
        plain = {"tempo_match", "stereo_correlation", "repetition", "signal_score", "text_alignment"}
        for table in tables.ALL_TABLES:
            for name, dtype in tables.polars_schema(table).items():
                if dtype == pl.Float64 and name not in plain and not name.startswith("audiobox"):
                    assert name.endswith(units), f"{table.TABLE}.{name}"
