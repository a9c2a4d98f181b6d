"""Building releases: what changes, what does not, what cannot be trusted, and what a killed builder leaves."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import polars as pl
import pyarrow.parquet as pq
import pytest

from ace_assets import tables
from ace_assets.catalog import sql_files, steps
from ace_assets.catalog.build import build_release, memory_limit_mb
from ace_assets.catalog.history import restore, retire
from ace_assets.catalog.query import read_table, run_query
from ace_assets.catalog.stage import claims_frame
from ace_assets.errors import CatalogError, LeaseHeldError, SchemaError
from ace_assets.store import Store
from tests.catalog import synthetic
from tests.catalog.synthetic import Synthetic, make_store


@pytest.fixture
def made(tmp_path: Path) -> Synthetic:
    return make_store(tmp_path / "data", 24, cells=6, seed=3)


def one(store: Store, sql: str) -> object:
    return run_query(store, sql).frame.item()


def manifest_path(made: Synthetic, cell: str, table: str) -> Path:
    root = made.store.local_root
    assert root is not None
    return root / "cells" / cell / f"{table}.parquet"


def kept_cell(made: Synthetic, position: int = 0) -> str:
    return str(made.masters.filter(pl.col("status") == "active")["cell"].unique().sort()[position])


def test_tracks_of_a_zone_are_counted_by_plain_sql(made: Synthetic) -> None:
    build_release(made.store, reason="test")
    kept = made.masters.filter(pl.col("status") != "retired")
    expected = dict(kept.group_by(pl.col("cell").str.split(".").list.first()).len().iter_rows())
    found = run_query(made.store, "select zone, count(*) from tracks group by 1").frame
    assert dict(found.iter_rows()) == expected


def test_an_empty_store_has_an_empty_catalog(tmp_path: Path) -> None:
    store = Store.open(str(tmp_path / "data"))
    result = build_release(store, reason="before anything")
    assert result.rows["tracks"] == 0
    assert result.quarantined == ()
    assert one(store, "select count(*) from ask_gaps_to_target") == 0


def test_nothing_changed_makes_no_new_release_whatever_the_order_of_rows(made: Synthetic) -> None:
    first = build_release(made.store, reason="first")
    cell = kept_cell(made)
    path = manifest_path(made, cell, "takes")
    shuffled = pl.read_parquet(path).reverse()
    path.write_bytes(tables.to_parquet(tables.Takes, shuffled, facts={"cell": cell, "fence": 9}))
    second = build_release(made.store, reason="second")
    assert (second.changed, second.release_id, second.rows) == (False, first.release_id, first.rows)
    assert made.store.release_ids() == [first.release_id]


def test_what_was_not_touched_is_seen_without_building_and_keeps_its_findings(made: Synthetic) -> None:
    manifest_path(made, kept_cell(made), "masters").write_bytes(b"PAR1")
    first = build_release(made.store, reason="first")
    with steps.measured() as found:
        second = build_release(made.store, reason="second")
    assert (second.changed, second.release_id, second.rows) == (False, first.release_id, first.rows)
    assert second.quarantined == first.quarantined != ()
    assert not any(step.name.startswith("tables/") for step in found)


def test_a_changed_row_is_seen_where_size_and_time_of_its_file_stay_the_same(made: Synthetic) -> None:
    build_release(made.store, reason="first")
    cell = kept_cell(made)
    path = manifest_path(made, cell, "takes")
    before = path.read_bytes()
    for server in ("gpu-x", "gpu-y"):  # two that differ in one letter: files of one size
        frame = pl.read_parquet(path).with_columns(server=pl.lit(server))
        path.write_bytes(tables.to_parquet(tables.Takes, frame, facts={"cell": cell}))
        os.utime(path, ns=(1, 1))
        assert build_release(made.store, reason=server).changed
        assert one(made.store, f"select distinct server from takes where cell = '{cell}'") == server
    path.write_bytes(before)
    assert build_release(made.store, reason="as before").changed


def test_audio_that_went_missing_since_is_seen_though_no_manifest_changed(made: Synthetic) -> None:
    build_release(made.store, reason="first")
    row = made.masters.filter(pl.col("status") == "active").row(0, named=True)
    root = made.store.local_root
    assert root is not None
    (root / "masters" / row["master_id"][:2] / f"{row['master_id']}.flac").unlink()
    second = build_release(made.store, reason="second")
    assert (second.changed, second.held_back_cells) == (True, (row["cell"],))


def test_one_changed_row_makes_a_new_release(made: Synthetic) -> None:
    first = build_release(made.store, reason="first")
    cell = kept_cell(made)
    path = manifest_path(made, cell, "takes")
    changed = pl.read_parquet(path).with_columns(attempts=pl.col("attempts") + 1)
    path.write_bytes(tables.to_parquet(tables.Takes, changed, facts={"cell": cell}))
    second = build_release(made.store, reason="second")
    assert second.changed
    assert second.release_id > first.release_id


def test_a_release_id_grows_even_when_the_clock_goes_back(made: Synthetic) -> None:
    late = dt.datetime(2027, 1, 1, tzinfo=dt.UTC)
    first = build_release(made.store, reason="late", now=late)
    second = build_release(made.store, reason="early", now=late - dt.timedelta(days=30), force=True)
    assert second.release_id > first.release_id
    assert made.store.current_release_id() == second.release_id


def test_the_last_releases_are_kept_and_older_ones_deleted(made: Synthetic) -> None:
    ids = [build_release(made.store, reason=str(n), force=True, keep=3).release_id for n in range(5)]
    assert made.store.release_ids() == ids[2:]
    listed = read_table(made.store, "releases")["release_id"].sort().to_list()
    assert listed == ids, "the table of releases remembers those whose files are gone"


def test_the_same_rows_lie_beside_it_as_parquet(made: Synthetic) -> None:
    result = build_release(made.store, reason="test")
    root = made.store.local_root
    assert root is not None
    folder = root / "releases" / result.release_id
    for name in ("tracks", "takes", "gates", "cells", "track_history", "quarantine", "questions"):
        beside = pl.read_parquet(folder / f"{name}.parquet")
        inside = read_table(made.store, name)
        assert beside.columns == inside.columns
        assert beside.height == inside.height == result.rows[name]
        if beside.height:
            assert beside.sort(beside.columns[:2]).equals(inside.sort(inside.columns[:2])), name


def test_the_file_is_read_only_and_older_clients_can_read_it(made: Synthetic) -> None:
    result = build_release(made.store, reason="test")
    root = made.store.local_root
    assert root is not None
    path = root / "releases" / f"{result.release_id}.duckdb"
    assert path.stat().st_mode & 0o222 == 0
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{path}' AS c (READ_ONLY)")
        rows = connection.execute("SELECT tags FROM duckdb_databases() WHERE database_name = 'c'").fetchall()
    assert rows[0][0]["storage_version"].startswith("v1.2")


def test_an_unfinished_cell_is_a_gap_and_no_fault(made: Synthetic) -> None:
    cell = kept_cell(made)
    manifest_path(made, cell, "masters").unlink()
    manifest_path(made, cell, "take_scores").unlink()
    result = build_release(made.store, reason="test")
    assert result.quarantined == ()
    row = run_query(made.store, f"from coverage where cell = '{cell}'").frame.row(0, named=True)
    assert row["kept_tracks"] == 0
    assert row["gap_to_plan_tracks"] == row["planned_tracks"]
    assert not row["held_back"]


@pytest.mark.parametrize("harm", ["truncated", "garbled inside", "not parquet", "empty"])
def test_a_damaged_manifest_is_named_and_only_its_cell_held_back(made: Synthetic, harm: str) -> None:
    cell = kept_cell(made)
    path = manifest_path(made, cell, "masters")
    data = path.read_bytes()
    middle = len(data) // 3
    path.write_bytes(
        {
            "truncated": data[: len(data) // 2],
            "garbled inside": data[:4] + b"\xff" * middle + data[4 + middle :],
            "not parquet": b"PAR1 is what this is not",
            "empty": b"",
        }[harm]
    )
    result = build_release(made.store, reason="test")
    assert [(f.finding, f.cell) for f in result.quarantined] == [("corrupt_manifest", cell)]
    assert result.quarantined[0].thing == f"cells/{cell}/masters.parquet"
    assert result.held_back_cells == (cell,)
    assert one(made.store, f"select count(*) from tracks where cell = '{cell}'") == 0
    others = made.masters.filter((pl.col("status") != "retired") & (pl.col("cell") != cell)).height
    assert one(made.store, "select count(*) from tracks where exportable") == others


def test_a_manifest_damaged_where_only_the_listening_page_looks_is_named_too(made: Synthetic) -> None:
    cell = kept_cell(made)
    path = manifest_path(made, cell, "masters")
    group = pq.read_metadata(path).row_group(0)
    columns = [group.column(number) for number in range(group.num_columns)]
    waveform = next(column for column in columns if column.path_in_schema == "waveform")
    spoilt = bytearray(path.read_bytes())
    start = waveform.dictionary_page_offset or waveform.data_page_offset
    spoilt[start : start + waveform.total_compressed_size] = b"\xff" * waveform.total_compressed_size
    path.write_bytes(bytes(spoilt))
    result = build_release(made.store, reason="test")
    assert [finding.finding for finding in result.quarantined if finding.thing.endswith("masters.parquet")] == [
        "corrupt_manifest"
    ]
    assert result.held_back_cells == (cell,)
    assert result.rows["tracks"] > 0


def test_tracks_of_a_cell_with_damaged_scores_are_kept_but_not_exportable(made: Synthetic) -> None:
    cell = kept_cell(made)
    manifest_path(made, cell, "take_scores").write_bytes(b"PAR1....PAR1")
    build_release(made.store, reason="test")
    rows = run_query(made.store, f"select exportable, why_not_exportable from tracks where cell = '{cell}'").frame
    assert rows.height > 0
    assert not rows["exportable"].any()
    assert rows["why_not_exportable"][0].startswith("its cell is held back")


def test_a_newer_manifest_is_refused_by_name(made: Synthetic, monkeypatch: pytest.MonkeyPatch) -> None:
    cell = kept_cell(made)
    path = manifest_path(made, cell, "takes")
    frame = pl.read_parquet(path)
    with monkeypatch.context() as patch:
        patch.setattr(tables.Takes, "VERSION", 99)
        path.write_bytes(tables.to_parquet(tables.Takes, frame))
    result = build_release(made.store, reason="test")
    (finding,) = result.quarantined
    assert finding.finding == "newer_schema"
    assert "99" in finding.problem
    assert "update ace_assets" in finding.remedy


def test_a_newer_plan_is_refused_by_name_and_the_former_release_stays(
    made: Synthetic, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = build_release(made.store, reason="first")
    with monkeypatch.context() as patch:
        patch.setattr(tables.Cells, "VERSION", 99)
        root = made.store.local_root
        assert root is not None
        (root / "plans" / synthetic.PLAN_ID / "cells.parquet").write_bytes(tables.to_parquet(tables.Cells, made.cells))
    with pytest.raises(SchemaError, match=r"99.*update ace_assets"):
        build_release(made.store, reason="second")
    assert made.store.current_release_id() == first.release_id


def test_an_older_manifest_is_upgraded(made: Synthetic, monkeypatch: pytest.MonkeyPatch) -> None:
    """Older files are read through the upgrade functions; here the present version plays the older one."""
    cell = kept_cell(made)
    path = manifest_path(made, cell, "take_scores")
    old = tables.TakeScores.VERSION
    for other in made.store.manifest_cells():
        if other != cell:
            frame = pl.read_parquet(manifest_path(made, other, "take_scores"))
            with monkeypatch.context() as patch:
                patch.setattr(tables.TakeScores, "VERSION", old + 1)
                manifest_path(made, other, "take_scores").write_bytes(tables.to_parquet(tables.TakeScores, frame))
    assert json.loads(pl.read_parquet_metadata(path)[tables.METADATA_KEY])["version"] == old
    monkeypatch.setattr(tables.TakeScores, "VERSION", old + 1)
    monkeypatch.setitem(tables.UPGRADES, ("take_scores", old), lambda frame: frame.with_columns(why=pl.lit("upgraded")))
    result = build_release(made.store, reason="test")
    assert result.quarantined == ()
    found = run_query(
        made.store,
        f"select distinct cell = '{cell}' as old, why = 'upgraded' as upgraded from takes where scored_at is not null",
    ).frame
    assert set(found.iter_rows()) == {(True, True), (False, False)}


def test_a_track_that_two_cells_claim_stays_with_the_cell_of_the_plan(made: Synthetic) -> None:
    right, wrong = kept_cell(made, 0), kept_cell(made, 1)
    stolen = pl.read_parquet(manifest_path(made, right, "masters")).filter(pl.col("status") == "active").head(1)
    track_id = stolen["track_id"][0]
    path = manifest_path(made, wrong, "masters")
    both = pl.concat([pl.read_parquet(path), stolen.with_columns(cell=pl.lit(wrong))])
    path.write_bytes(tables.to_parquet(tables.Masters, both))
    result = build_release(made.store, reason="test")
    (finding,) = result.quarantined
    assert (finding.finding, finding.cell, finding.thing) == ("claimed_twice", wrong, track_id)
    assert right in finding.problem
    assert one(made.store, f"select cell from tracks where track_id = '{track_id}' and exportable") == right
    assert one(made.store, f"select count(*) from tracks where cell = '{wrong}' and exportable") == 0


def test_a_manifest_with_rows_of_another_cell_is_quarantined(made: Synthetic) -> None:
    right, wrong = kept_cell(made, 0), kept_cell(made, 1)
    manifest_path(made, wrong, "takes").write_bytes(manifest_path(made, right, "takes").read_bytes())
    result = build_release(made.store, reason="test")
    (finding,) = result.quarantined
    assert (finding.finding, finding.cell) == ("foreign_rows", wrong)
    assert right in finding.problem


@pytest.mark.parametrize(("harm", "finding"), [("missing", "missing_audio"), ("short", "damaged_audio")])
@pytest.mark.parametrize("audio_format", ["flac", "mp3"])
def test_a_track_without_its_audio_is_named_and_its_cell_held_back(
    made: Synthetic, harm: str, finding: str, audio_format: str
) -> None:
    row = made.masters.filter(pl.col("status") == "active").row(0, named=True)
    root = made.store.local_root
    assert root is not None
    path = root / "masters" / row["master_id"][:2] / f"{row['master_id']}.{audio_format}"
    if harm == "missing":
        path.unlink()
    else:
        path.write_bytes(b"")
    result = build_release(made.store, reason="test")
    assert [(f.finding, f.cell, f.thing) for f in result.quarantined] == [(finding, row["cell"], row["track_id"])]
    assert one(made.store, f"select count(*) from tracks where exportable and cell = '{row['cell']}'") == 0
    assert "restore the file" in result.quarantined[0].remedy


def test_a_damaged_log_holds_its_cell_back_because_a_retirement_may_be_lost(made: Synthetic) -> None:
    cell = kept_cell(made)
    root = made.store.local_root
    assert root is not None
    next((root / "events" / cell).glob("*.parquet")).write_bytes(b"PAR1")
    result = build_release(made.store, reason="test")
    assert [(f.finding, f.cell, f.held_back) for f in result.quarantined] == [("corrupt_log", cell, True)]


def test_a_damaged_run_costs_a_number_and_no_music(made: Synthetic) -> None:
    cell = kept_cell(made)
    root = made.store.local_root
    assert root is not None
    next((root / "runs" / cell).glob("*.parquet")).write_bytes(b"PAR1")
    result = build_release(made.store, reason="test")
    assert [(f.finding, f.held_back) for f in result.quarantined] == [("corrupt_log", False)]
    assert result.held_back_cells == ()


def test_a_mended_store_has_no_quarantine_any_more(made: Synthetic) -> None:
    cell = kept_cell(made)
    path = manifest_path(made, cell, "masters")
    data = path.read_bytes()
    path.write_bytes(data[:50])
    assert build_release(made.store, reason="harmed").held_back_cells == (cell,)
    path.write_bytes(data)
    mended = build_release(made.store, reason="mended")
    assert mended.changed
    assert mended.quarantined == ()
    back = run_query(made.store, "select change, count(*) from ask_release_difference group by 1").frame
    assert dict(back.iter_rows()) == {
        "added": made.masters.filter((pl.col("cell") == cell) & (pl.col("status") != "retired")).height
    }


def test_a_retired_track_leaves_at_once_with_its_reason_and_comes_back_when_restored(made: Synthetic) -> None:
    build_release(made.store, reason="first")
    track_id = made.masters.filter(pl.col("status") == "active")["track_id"][0]
    retire(made.store, track_id, "the client hates it", actor="ana")
    build_release(made.store, reason="second")
    assert one(made.store, f"select count(*) from tracks where track_id = '{track_id}'") == 0
    gone = run_query(made.store, f"from former_tracks where track_id = '{track_id}'").frame.row(0, named=True)
    assert (gone["status"], gone["status_reason"], gone["exportable"]) == ("retired", "the client hates it", False)
    difference = run_query(made.store, "from ask_release_difference").frame.to_dicts()
    assert [(row["track_id"], row["change"], row["why"]) for row in difference] == [
        (track_id, "removed", "the client hates it")
    ]
    restore(made.store, track_id, "a mistake", actor="ana")
    build_release(made.store, reason="third")
    assert one(made.store, f"select status from tracks where track_id = '{track_id}'") == "active"
    history = run_query(
        made.store, f"from track_history where track_id = '{track_id}' order by valid_from"
    ).frame.to_dicts()
    assert [row["state"] for row in history] == ["active", "retired", "active"]
    assert [row["why"] for row in history][1:] == ["the client hates it", "a mistake"]
    assert [row["valid_to"] for row in history] == [history[1]["valid_from"], history[2]["valid_from"], None]


def test_any_two_releases_can_be_compared_also_when_their_files_are_gone(made: Synthetic) -> None:
    first = build_release(made.store, reason="first", keep=1)
    one_track, other = made.masters.filter(pl.col("status") == "active")["track_id"].head(2)
    retire(made.store, one_track, "no", actor="ana")
    second = build_release(made.store, reason="second", keep=1)
    retire(made.store, other, "no", actor="ana")
    restore(made.store, one_track, "yes", actor="ana")
    third = build_release(made.store, reason="third", keep=1)
    assert made.store.release_ids() == [third.release_id]

    def difference(a: str, b: str) -> dict[str, str]:
        from ace_assets.catalog import ask

        rows = ask.run(made.store, "release_difference", from_release=a, to_release=b).to_dicts()
        return {row["track_id"]: row["change"] for row in rows}

    assert difference(first.release_id, second.release_id) == {one_track: "removed"}
    assert difference(second.release_id, third.release_id) == {one_track: "added", other: "removed"}
    assert difference(first.release_id, third.release_id) == {other: "removed"}


def test_a_prompt_that_left_the_plan_is_still_known_through_the_older_plan(made: Synthetic) -> None:
    root = made.store.local_root
    assert root is not None
    cell = kept_cell(made)
    rest = {
        "cells": made.cells.filter(pl.col("cell") != cell),
        "prompts": made.prompts.filter(pl.col("cell") != cell),
        "planned_takes": made.planned_takes.filter(pl.col("cell") != cell),
    }
    made.store.publish_plan("plan-two", {"campaign": "small_batch"}, **rest)
    result = build_release(made.store, reason="test")
    assert result.quarantined == ()
    row = run_query(made.store, f"select caption, energy, exportable from tracks where cell = '{cell}'").frame.row(0)
    assert row[0] is not None
    assert row[2]
    assert one(made.store, f"select in_plan from cells where cell = '{cell}'") is False
    assert one(made.store, f"select count(*) from ask_gaps_to_target where cell = '{cell}'") == 0


def test_a_superseded_track_stays_exportable_unless_something_now_forbids_it(made: Synthetic) -> None:
    a, b = made.masters.filter(pl.col("status") == "active").head(2).to_dicts()
    for row, details in ((a, None), (b, json.dumps({"forbidden": "drums in a spa"}))):
        now = dt.datetime.now(dt.UTC)
        event = {
            **{name: row[name] for name in ("track_id", "take_id", "prompt_id", "cell")},
            "event_id": f"{now:%Y%m%dT%H%M%S%f}-x",
            "happened_at": now,
            "kind": "superseded",
            "reason": "its prompt changed",
            "actor": "masters",
            "details_json": details,
        }
        made.store.append_events(row["cell"], tables.from_rows(tables.Events, [event]))
    build_release(made.store, reason="test")
    found = read_table(made.store, "tracks").filter(pl.col("track_id").is_in([a["track_id"], b["track_id"]]))
    by_id = {row["track_id"]: row for row in found.to_dicts()}
    assert by_id[a["track_id"]]["exportable"]
    assert by_id[b["track_id"]]["why_not_exportable"] == "forbidden: drums in a spa"


def test_preview_tracks_are_exportable_and_never_deliverable(known) -> None:  # type: ignore[no-untyped-def]
    rows = run_query(known.rows.store, "select distinct preview, exportable, deliverable from tracks").frame
    assert set(rows.iter_rows()) == {(True, True, False), (False, True, True)}


def test_a_check_that_finds_something_keeps_the_release_back(made: Synthetic, monkeypatch: pytest.MonkeyPatch) -> None:
    first = build_release(made.store, reason="first")
    real = sql_files.texts

    def with_a_failing_check(name: str) -> list[tuple[str, str]]:
        return [("99_never", "-- Nothing is ever right.\nSELECT 42 AS answer")] if name == "checks" else real(name)

    monkeypatch.setattr(sql_files, "texts", with_a_failing_check)
    with pytest.raises(CatalogError, match=r"99_never.*42.*Nothing is ever right"):
        build_release(made.store, reason="second", force=True)
    assert made.store.current_release_id() == first.release_id


def test_two_builders_never_build_at_once(made: Synthetic) -> None:
    with made.store.lease("catalog", what="the catalog"), pytest.raises(LeaseHeldError):
        build_release(made.store, reason="test", wait_s=0.0)


def test_a_release_that_somebody_damaged_is_built_again(made: Synthetic) -> None:
    first = build_release(made.store, reason="first")
    root = made.store.local_root
    assert root is not None
    path = root / "releases" / f"{first.release_id}.duckdb"
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(20_000)
        file.write(b"damage")
    second = build_release(made.store, reason="second")
    assert second.changed


BUILDER = """
import sys, time
from ace_assets.catalog import build
from ace_assets.store import Store
stop_after = sys.argv[2]
def stop(*args, **kwargs):
    print("at", stop_after, flush=True)
    time.sleep(60)
if stop_after == "publishing":
    real = Store.publish_release
    def half(self, release_id, database, extras):
        for name in sorted(extras)[:3]:
            self.blobs.put_file(extras[name], f"releases/{release_id}/{name}")
        stop()
    Store.publish_release = half
else:
    setattr(build, stop_after, stop)
build.build_release(Store.open(sys.argv[1]), reason="killed", force=True)
"""


@pytest.mark.parametrize("stage", ["_content_id", "_write_parquet", "publishing"])
def test_kill_9_in_the_middle_of_a_build_leaves_the_old_release_and_the_next_build_clears_up(
    made: Synthetic, stage: str
) -> None:
    first = build_release(made.store, reason="first")
    process = subprocess.Popen(
        [sys.executable, "-c", BUILDER, made.store.uri, stage], stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("at")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert made.store.current_release_id() == first.release_id
    assert one(made.store, "select count(*) from releases") == 1
    started = time.monotonic()
    second = build_release(made.store, reason="second", force=True, wait_s=0.0)
    assert time.monotonic() - started < 60, "a dead builder's lease is taken over at once"
    root = made.store.local_root
    assert root is not None
    assert made.store.release_ids() == [first.release_id, second.release_id]
    assert {p.name for p in (root / "releases").iterdir() if p.is_dir()} == {first.release_id, second.release_id}


def test_a_big_store_may_use_more_memory_but_never_more_than_half_of_the_machine() -> None:
    sizes = (20, 100_000, 1_000_000, 10_000_000)
    assert [memory_limit_mb(tracks, machine_mb=8000) for tracks in sizes] == [600, 600, 3500, 4000]


def test_the_claims_come_from_the_price_book() -> None:
    rows = {row["subject"]: row for row in claims_frame().to_dicts()}
    assert rows["Mureka"]["high"] == pytest.approx(1000 / 15000)
    assert (rows["RTX 4090"]["low"], rows["RTX 4090"]["high"]) == (3.0, 5.0)


def test_a_cell_with_a_long_name_is_not_taken_for_another(tmp_path: Path) -> None:
    """Statistics of a Parquet column may be cut short; they are only a first look."""
    made = synthetic.frames(6, cells=6, seed=3)
    cell = made["cells"]["cell"][0]
    long = "lobby." + "very-" * 30 + "long.morning.warm"
    renamed = {
        name: frame.with_columns(pl.col("cell").replace(cell, long)) if "cell" in frame.columns else frame
        for name, frame in made.items()
    }
    store = synthetic.write_store(tmp_path / "data", renamed).store
    assert build_release(store, reason="test").quarantined == ()
    assert one(store, f"select count(*) from takes where cell = '{long}'") == made["takes"].filter(cell=cell).height
