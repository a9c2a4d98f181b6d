"""Verdicts: the CSV as people save it, and what an import records."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from ace_assets import tables
from ace_assets.catalog.history import restore, retire
from ace_assets.catalog.verdicts import apply_verdicts, read_verdicts
from ace_assets.errors import CatalogError
from tests.catalog.synthetic import Synthetic, make_store

HEADER = "track_id,verdict,reason,listener,judged_at,cell,title\r\n"


@pytest.fixture
def made(tmp_path: Path) -> Synthetic:
    return make_store(tmp_path / "data", 12, cells=6, seed=3)


def active(made: Synthetic) -> list[str]:
    return made.masters.filter(pl.col("status") == "active")["track_id"].to_list()


def saved(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "verdicts.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_a_downloaded_csv_is_read_with_quotes_and_commas(tmp_path: Path) -> None:
    path = saved(
        tmp_path, HEADER + '"ACE-1","reject","too loud, ""really""","Ana","2026-11-25T03:00:00.123Z","c","t"\r\n'
    )
    row = read_verdicts(path).row(0, named=True)
    assert (row["track_id"], row["verdict"], row["reason"], row["listener"]) == (
        "ACE-1",
        "reject",
        'too loud, "really"',
        "Ana",
    )
    assert row["judged_at"].isoformat() == "2026-11-25T03:00:00.123000+00:00"


def test_a_spreadsheets_semicolons_and_byte_order_mark_are_read(tmp_path: Path) -> None:
    path = saved(tmp_path, "track_id;verdict;reason\nACE-1;Keep;schön, so\n", "utf-8-sig")
    row = read_verdicts(path).row(0, named=True)
    assert (row["verdict"], row["reason"], row["listener"]) == ("keep", "schön, so", "unnamed")


def test_the_last_word_of_a_listener_counts(tmp_path: Path) -> None:
    path = saved(tmp_path, "track_id,verdict,listener\nACE-1,keep,ana\nACE-1,reject,ben\nACE-1,unsure,ana\n")
    found = read_verdicts(path)
    assert set(found.select("listener", "verdict").iter_rows()) == {("ana", "unsure"), ("ben", "reject")}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("track_id,verdict\nACE-1,yes\n", "row 2, column verdict: yes, expected keep or reject or unsure"),
        ("track_id,verdict\nACE-1,keep\n,keep\n", "row 3, column track_id: empty"),
        ("track,verdict\nACE-1,keep\n", "row 1: track, verdict, expected columns track_id"),
        ("", "row 1: empty"),
        ("track_id,verdict,judged_at\nACE-1,keep,yesterday\n", "column judged_at: yesterday, expected a time"),
    ],
)
def test_a_wrong_file_is_named_with_row_and_column(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(CatalogError, match=expected):
        read_verdicts(saved(tmp_path, text))


def test_a_missing_or_binary_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="expected a verdict CSV"):
        read_verdicts(tmp_path / "none.csv")
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CatalogError, match="not UTF-8"):
        read_verdicts(tmp_path / "x.csv")


def test_an_import_records_every_verdict_retires_the_rejected_and_twice_changes_nothing(
    made: Synthetic, tmp_path: Path
) -> None:
    good, bad, dull = active(made)[:3]
    text = HEADER + f"{good},keep,,ana,2026-11-25T03:00:00Z,,\r\n{bad},reject,harsh,ana,,,\r\n{dull},unsure,,ana,,,\r\n"
    frame = read_verdicts(saved(tmp_path, text))
    before = made.store.events().height
    applied = apply_verdicts(made.store, frame, actor="test")
    assert applied.recorded == {"keep": 1, "reject": 1, "unsure": 1}
    assert applied.retired == (bad,)
    assert str(applied) == "3 verdicts recorded (1 keep, 1 reject, 1 unsure); 1 tracks retired"
    events = made.store.events()
    assert events.height == before + 4
    gone = events.filter((pl.col("track_id") == bad) & (pl.col("kind") == "retired")).row(0, named=True)
    assert (gone["reason"], gone["actor"]) == ("harsh", "test")
    again = apply_verdicts(made.store, frame, actor="test")
    assert (again.recorded, again.retired, again.known) == ({}, (), 3)
    assert made.store.events().height == before + 4


def test_an_unknown_track_stops_the_import_before_anything_is_written(made: Synthetic, tmp_path: Path) -> None:
    known = active(made)[0]
    before = made.store.events().height
    frame = read_verdicts(saved(tmp_path, f"track_id,verdict\n{known},reject\nACE-0000000000,keep\n"))
    with pytest.raises(CatalogError, match="track: ACE-0000000000"):
        apply_verdicts(made.store, frame, actor="test")
    assert made.store.events().height == before


def test_retiring_twice_or_restoring_what_is_kept_is_refused(made: Synthetic) -> None:
    track_id = active(made)[0]
    with pytest.raises(CatalogError, match="active, expected a retired track"):
        restore(made.store, track_id, "why not", actor="test")
    retire(made.store, track_id, "no", actor="test")
    with pytest.raises(CatalogError, match="retired, expected a track that is kept"):
        retire(made.store, track_id, "no", actor="test")
    with pytest.raises(CatalogError, match="no reason"):
        restore(made.store, track_id, "  ", actor="test")
    restore(made.store, track_id, "yes", actor="test")
    kinds = made.store.events().filter(pl.col("track_id") == track_id)["kind"].to_list()
    assert kinds[-2:] == ["retired", "restored"]


def test_an_unknown_track_is_refused_with_the_nearest(made: Synthetic) -> None:
    track_id = active(made)[0]
    with pytest.raises(CatalogError, match=track_id):
        retire(made.store, track_id[:-1] + "_", "no", actor="test")


def test_a_retirement_waits_for_nobody_but_the_run_that_writes_the_cell(
    made: Synthetic, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ace_assets.catalog import history
    from ace_assets.errors import LeaseHeldError

    monkeypatch.setattr(history, "WAIT_S", 0.0)
    row = made.masters.filter(pl.col("status") == "active").row(0, named=True)
    with made.store.cell_lease(row["cell"]), pytest.raises(LeaseHeldError):
        retire(made.store, row["track_id"], "no", actor="test")
    assert tables.Events.TABLE == "events"
