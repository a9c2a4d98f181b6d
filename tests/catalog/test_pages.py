"""The report and the listening page: their numbers, and how they behave in a real browser."""

from __future__ import annotations

import json
import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import soundfile

from ace_assets import tables
from ace_assets.catalog import report
from ace_assets.catalog.build import build_release
from ace_assets.catalog.history import retire
from ace_assets.catalog.listening import write_listening_page
from ace_assets.catalog.verdicts import apply_verdicts, read_verdicts
from ace_assets.errors import CatalogError
from tests.catalog.conftest import Known
from tests.catalog.synthetic import Synthetic, make_store
from tests.requires import needs

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]


def release_folder(made: Synthetic, release_id: str) -> Path:
    root = made.store.local_root
    assert root is not None
    return root / "releases" / release_id


def report_numbers(made: Synthetic, release_id: str) -> dict[str, list[dict[str, Any]]]:
    page = (release_folder(made, release_id) / "report.html").read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="numbers">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    numbers: dict[str, list[dict[str, Any]]] = json.loads(found[1])
    return numbers


def zone_genre(cell: str) -> tuple[str, str]:
    zone, genre, _, _ = cell.split(".")
    return zone, genre


def test_every_number_of_the_report_agrees_with_a_computation_of_its_own(known: Known) -> None:
    rows, result = known.rows, known.result
    numbers = report_numbers(rows, result.release_id)
    kept = [row for row in rows.masters.to_dicts() if row["status"] != "retired"]
    scores = {row["take_id"]: row for row in rows.take_scores.to_dicts()}
    takes = rows.takes.to_dicts()
    made = [take for take in takes if take["status"] != "failed"]
    kept_takes = {row["take_id"] for row in kept}

    (summary,) = numbers["summary"]
    assert summary["tracks"] == summary["exportable_tracks"] == len(kept)
    assert summary["preview_tracks"] == sum(row["cell"].startswith("spa") for row in kept)
    assert summary["deliverable_tracks"] == len(kept) - summary["preview_tracks"]
    assert summary["exportable_h"] == pytest.approx(sum(row["duration_s"] for row in kept) / 3600)
    assert summary["target_tracks"] == rows.cells["target_tracks"].sum()
    assert summary["planned_tracks"] == rows.cells["planned_tracks"].sum()
    assert (summary["takes"], summary["cells"], summary["held_back_cells"]) == (len(takes), rows.cells.height, 0)
    assert summary["spend_usd"] == pytest.approx(sum(row["cost_usd"] for row in rows.runs.to_dicts()))

    target: Counter[tuple[str, ...]] = Counter()
    for row in rows.cells.to_dicts():
        target[row["zone"], row["genre"], row["daypart"]] += row["target_tracks"]
    exportable = Counter(tuple(row["cell"].split(".")[:3]) for row in kept)
    found = {
        (row["zone"], row["genre"], row["daypart"]): (row["exportable_tracks"], row["target_tracks"])
        for row in numbers["coverage"]
    }
    assert found == {place: (exportable[place], wanted) for place, wanted in target.items()}

    passed = Counter(
        zone_genre(s["cell"])[1] for s in scores.values() if not s["gate_failures"] and not s["fit_failures"]
    )
    scored = Counter(zone_genre(s["cell"])[1] for s in scores.values())
    for row in numbers["yield"]:
        assert row["passed_takes"] == passed[row["genre"]]
        assert row["scored_takes"] == scored[row["genre"]]
        assert row["passed_share"] == pytest.approx(passed[row["genre"]] / scored[row["genre"]])
        assert row["kept_tracks"] == sum(zone_genre(k["cell"])[1] == row["genre"] for k in kept)

    reasons: Counter[str] = Counter(gate for s in scores.values() for gate in [*s["gate_failures"], *s["fit_failures"]])
    reasons["near_duplicate"] = sum(s["fate"] == "duplicate" for s in scores.values())
    assert {row["gate"]: row["takes"] for row in numbers["reject_reasons"]} == {k: v for k, v in reasons.items() if v}

    def half_up(value: float) -> float:
        return float(np.sign(value) * np.floor(abs(value) + 0.5))

    loudness = Counter(half_up(row["integrated_loudness_lufs"] * 4) / 4 for row in kept)
    assert {row["integrated_loudness_lufs"]: row["tracks"] for row in numbers["loudness"]} == dict(loudness)
    measured = Counter(half_up(scores[row["take_id"]]["measured_bpm"] / 5) * 5 for row in kept)
    found_bpm = {row["bpm"]: row["tracks"] for row in numbers["tempo"] if row["tempo"] == "measured"}
    assert found_bpm == dict(measured)

    seconds: dict[tuple[Any, ...], list[float]] = defaultdict(list)
    for take in made:
        seconds[take["gpu"], take["requested_model"]].append(take["server_s"])
    for row in numbers["throughput"]:
        assert row["mean_take_s"] == pytest.approx(np.mean(seconds[row["gpu"], row["requested_model"]]))

    for row in numbers["cost"]:
        of_place = [take for take in made if zone_genre(take["cell"]) == (row["zone"], row["genre"])]
        if row["zone"] == "spa":
            assert row["usd_per_kept_track"] is None
        else:
            tracks = sum(take["take_id"] in kept_takes for take in of_place)
            assert row["usd_per_kept_track"] == pytest.approx(sum(take["cost_usd"] for take in of_place) / tracks)

    assert numbers["changes"] == [{"change": "added", "tracks": len(kept)}]
    assert numbers["quarantine"] == []


def test_plotly_accepts_every_figure_and_they_show_the_numbers(known: Known) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import plotly.graph_objects as go
    numbers = report_numbers(known.rows, known.result.release_id)
    figures = {
        **report.coverage_figures(numbers["coverage"]),
        "yield": report.yield_figure(numbers["yield"]),
        "rejects": report.reject_figure(numbers["reject_reasons"]),
        "loudness": report.loudness_figure(numbers["loudness"]),
        "tempo": report.tempo_figure(numbers["tempo"]),
        "throughput": report.throughput_figure(numbers["throughput"]),
        "cost": report.cost_figure(numbers["cost"]),
    }
    for figure in figures.values():
        go.Figure(figure)
    assert sum(figures["rejects"]["data"][n]["x"][0] > 0 for n in range(3)) == 3
    (lobby,) = figures["coverage_lobby"]["data"]
    place = {
        (y, x): t
        for y, line in zip(lobby["y"], lobby["text"], strict=True)
        for x, t in zip(lobby["x"], line, strict=True)
    }
    row = next(r for r in numbers["coverage"] if r["zone"] == "lobby")
    assert place[row["genre"], row["daypart"]] == f"{row['exportable_tracks']} / {row['target_tracks']}"


def test_a_report_of_nothing_and_of_hostile_names_is_still_a_page(tmp_path: Path) -> None:
    from ace_assets.store import Store

    store = Store.open(str(tmp_path / "data"))
    result = build_release(store, reason="</script><script>alert(1)</script>")
    page = (tmp_path / "data" / "releases" / result.release_id / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "Nothing measured yet" in page
    assert "No plan yet" in page


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> Synthetic:
    """A store with sound in it: two seconds of a tone per track."""
    made = make_store(tmp_path_factory.mktemp("heard") / "data", 12, cells=6, seed=5)
    root = made.store.local_root
    assert root is not None
    tone = 0.1 * np.sin(2 * np.pi * 220 * np.arange(96_000) / 48_000)
    sizes = {}
    for master_id in made.masters.filter(pl.col("status") != "retired")["master_id"]:
        path = root / "masters" / master_id[:2] / f"{master_id}.mp3"
        soundfile.write(path, np.column_stack([tone, tone]), 48_000, format="MP3")
        sizes[master_id] = path.stat().st_size
    wave = np.tile(np.array([-90, 100], np.int8), 400).tobytes()
    for cell in made.store.manifest_cells():
        frame = made.store.manifest(cell, tables.Masters)
        assert frame is not None
        frame = frame.with_columns(
            mp3_bytes=pl.col("master_id").replace_strict(sizes, default=3, return_dtype=pl.Int64), waveform=pl.lit(wave)
        )
        (root / "cells" / cell / "masters.parquet").write_bytes(tables.to_parquet(tables.Masters, frame))
    build_release(made.store, reason="to be heard")
    return made


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


def opened(browser: Any, page_path: Path, scheme: str) -> tuple[Any, list[str]]:
    page = browser.new_context(color_scheme=scheme, viewport={"width": 1400, "height": 900}).new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(request.url) if request.url.startswith("http") else None)
    page.goto(page_path.as_uri())
    return page, said


@pytest.mark.browser
@needs("chromium")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_report_draws_every_figure_offline_in_light_and_dark(known: Known, chromium: Any, scheme: str) -> None:
    path = release_folder(known.rows, known.result.release_id) / "report.html"
    page, said = opened(chromium, path, scheme)
    page.wait_for_function(f"document.documentElement.dataset.drawn === '{scheme}'")
    assert page.locator(".js-plotly-plot .main-svg").count() >= 9
    ink = page.eval_on_selector(".js-plotly-plot .xtick text", "e => getComputedStyle(e).fill")
    assert ink == ("rgb(34, 39, 46)" if scheme == "light" else "rgb(230, 232, 234)")
    assert "preview engine" in page.inner_text(".banner")
    other = "dark" if scheme == "light" else "light"
    page.emulate_media(color_scheme=other)
    page.wait_for_function(f"document.documentElement.dataset.drawn === '{other}'")
    assert said == []
    page.context.close()


@pytest.mark.browser
@needs("chromium")
def test_a_person_hears_tracks_judges_them_comes_back_and_the_csv_can_be_imported(
    heard: Synthetic, chromium: Any, tmp_path: Path
) -> None:
    root = heard.store.local_root
    assert root is not None
    page, said = opened(chromium, root / "listen.html", "light")
    kept = heard.masters.filter(pl.col("status") != "retired")
    assert page.locator("#cells li").count() == kept["cell"].n_unique()
    page.fill("#listener", "Ana")
    page.keyboard.press("Escape")

    first = page.locator("article").first
    first_id = first.get_attribute("id")
    assert first_id is not None
    page.keyboard.press(" ")
    page.wait_for_function("document.getElementById('time').textContent.startsWith('0:01')", timeout=15_000)
    page.keyboard.press(" ")
    page.keyboard.press("k")
    assert first.get_attribute("data-verdict") == "keep"

    page.keyboard.press("n")
    second_id = page.locator("article.chosen").get_attribute("id")
    assert second_id not in {None, first_id}
    page.locator("article.chosen [data-say=reject]").click()
    page.keyboard.press("e")
    page.keyboard.type('a, "harsh" k')
    page.keyboard.press("Enter")

    page.reload()
    assert "2 of" in page.inner_text("#progress")
    assert page.input_value("#listener") == "Ana"
    with page.expect_download() as download:
        page.click("#download")
    target = tmp_path / "verdicts.csv"
    download.value.save_as(target)
    assert said == []
    page.context.close()

    found = {row["track_id"]: row for row in read_verdicts(target).to_dicts()}
    assert found[first_id]["verdict"] == "keep"
    assert (found[str(second_id)]["verdict"], found[str(second_id)]["reason"]) == ("reject", 'a, "harsh" k')
    assert {row["listener"] for row in found.values()} == {"Ana"}
    assert apply_verdicts(heard.store, read_verdicts(target), actor="test").retired == (second_id,)


def test_the_listening_page_has_every_kept_track_and_what_was_asked_beside_what_was_measured(heard: Synthetic) -> None:
    root = heard.store.local_root
    assert root is not None
    page = (root / "listen.html").read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    tracks = {row["track_id"]: row for row in json.loads(found[1])["tracks"]}
    kept = heard.masters.filter(pl.col("status") != "retired").to_dicts()
    scores = {row["take_id"]: row for row in heard.take_scores.to_dicts()}
    assert tracks.keys() == {row["track_id"] for row in kept}
    for row in kept:
        shown, score = tracks[row["track_id"]], scores[row["take_id"]]
        for name in ("requested_bpm", "measured_bpm", "requested_key", "measured_key", "signal_score", "why"):
            assert shown[name] == score[name]
        assert (root / shown["audio"]).is_file()
        assert len(shown["wave"]) == 136


def test_a_retired_track_is_not_on_the_next_listening_page(tmp_path: Path) -> None:
    made = make_store(tmp_path / "data", 6, cells=6, seed=5)
    track_id = made.masters.filter(pl.col("status") == "active")["track_id"][0]
    retire(made.store, track_id, "no", actor="test")
    build_release(made.store, reason="test")
    assert track_id not in (tmp_path / "data" / "listen.html").read_text(encoding="utf-8")


def tracks_on(page: Path) -> list[dict[str, Any]]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text("utf-8"), re.DOTALL)
    assert found is not None
    rows: list[dict[str, Any]] = json.loads(found[1])["tracks"]
    return rows


def test_a_listening_page_without_room_for_all_has_the_best_of_every_cell_and_says_how_to_hear_the_others(
    tmp_path: Path,
) -> None:
    made = make_store(tmp_path / "data", 60, cells=6, seed=5)
    build_release(made.store, reason="test")
    page = Path(write_listening_page(made.store, most_tracks=12))
    kept = made.masters.filter(pl.col("status") != "retired").join(made.take_scores, on="take_id", suffix="_score")
    best = kept.sort(-pl.col("signal_score"), "track_id").group_by("cell").head(2)
    assert {row["track_id"] for row in tracks_on(page)} == set(best["track_id"])
    assert f"{kept.height - 12} further tracks" in page.read_text("utf-8")
    assert "review page --cells" in page.read_text("utf-8")


def test_a_page_of_some_cells_has_all_their_tracks_and_lies_beside_the_page_of_all(tmp_path: Path) -> None:
    made = make_store(tmp_path / "data", 60, cells=6, seed=5)
    build_release(made.store, reason="test")
    whole = (tmp_path / "data" / "listen.html").read_bytes()
    page = Path(write_listening_page(made.store, cells="lobby.*"))
    kept = made.masters.filter((pl.col("status") != "retired") & pl.col("cell").str.starts_with("lobby."))
    assert {row["track_id"] for row in tracks_on(page)} == set(kept["track_id"])
    assert page.parent == tmp_path / "data"
    assert (tmp_path / "data" / "listen.html").read_bytes() == whole
    with pytest.raises(CatalogError, match=r"cells of the listening page.*garage"):
        write_listening_page(made.store, cells="garage.*")


def test_a_page_with_two_banners_is_as_wide_as_the_window(tmp_path: Path, chromium: Any) -> None:
    made = make_store(tmp_path / "data", 60, cells=6, seed=5)  # with previews, which is one; and no room, the other
    build_release(made.store, reason="test")
    context = chromium.new_context(viewport={"width": 1300, "height": 800})
    page = context.new_page()
    page.goto(Path(write_listening_page(made.store, most_tracks=12)).as_uri())
    assert page.locator(".banner").count() == 2
    for part in ("header", "main", "footer", ".banners"):
        assert page.locator(part).bounding_box()["width"] == 1300
    context.close()
