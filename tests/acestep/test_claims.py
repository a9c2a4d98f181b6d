"""The research document's figures against each other: each slip is found by computation."""

from __future__ import annotations

import dataclasses
import json
from functools import cache
from pathlib import Path

import pytest
from rich.console import Console

from ace_assets import shipped
from ace_assets.acestep.claims import Claim, check_claims, load_claims
from ace_assets.acestep.estimate import CampaignSize
from ace_assets.acestep.estimate_report import EstimateReport, estimate_report
from ace_assets.acestep.prices import load_price_book
from ace_assets.acestep.tiers import load_tiers
from ace_assets.errors import ConfigError


@cache
def claims() -> dict[str, Claim]:
    return {claim.name: claim for claim in check_claims(load_price_book(), load_tiers())}


@pytest.mark.parametrize(
    ("name", "stated", "comes_to"),
    [
        ("Full catalog: times cheaper than Mureka", 57, 62.5),
        ("Mureka: cost per track", 0.057, 1000 / 15000),
        ("Mureka: cost of the catalog", 1000, 855),
        ("First test: cost at the recommended price", 0.35, 0.25),
        ("Small batch: cost at the recommended price", 6, 4.5),
        ("Full catalog: cost at the recommended price", 16, 12),
        ("First test: what a new account pays", 0.35, 10),
        ("Quality eval: what a new account pays", 1.40, 5),
        ("First test: seconds per track", 90, 10),
        ("Quality eval: seconds per track", 36, 10),
        ("Small batch: seconds per track", 5.4, 2),
        ("Language model 1.7B: memory", 4, 8),
    ],
)
def test_a_slip_is_found_with_what_it_comes_to(name: str, stated: float, comes_to: float) -> None:
    claim = claims()[name]
    assert not claim.agrees
    assert claim.claimed == pytest.approx((stated, stated))
    assert claim.computed == pytest.approx((comes_to, comes_to))


def test_the_cards_hourly_price_behind_the_cost_is_outside_the_documents_own_table() -> None:
    claim = claims()["First test: hourly price behind the cost"]
    assert claim.claimed == pytest.approx((0.70, 0.70))
    assert claim.computed == (0.44, 0.69)
    assert not claim.agrees
    assert not claims()["Quality eval: hourly price behind the cost"].agrees
    assert claims()["Full catalog: hourly price behind the cost"].agrees


def test_eight_hours_do_not_suffice_for_15000_songs_at_two_seconds() -> None:
    claim = claims()["Full catalog: hours, one take per track"]
    assert not claim.agrees
    assert claim.computed[0] == pytest.approx(15_000 * 2 / 3600)
    assert claims()["Small batch: hours, one take per track"].agrees


def test_the_cost_table_leaves_out_the_takes_that_the_document_advises() -> None:
    claim = claims()["Full catalog: cost with 4 to 8 takes per track"]
    assert not claim.agrees
    assert claim.computed == pytest.approx((66.67, 133.33), rel=1e-3)


def test_ten_seconds_are_360_songs_an_hour_and_not_600() -> None:
    assert claims()["RTX 3090: tracks per hour"].computed == (360, 360)
    assert not claims()["RTX 3090: tracks per hour"].agrees
    for gpu in ("A100", "RTX 4090", "RTX 3060"):
        assert claims()[f"{gpu}: tracks per hour"].agrees


def test_the_speed_up_holds_per_second_of_music_but_not_per_song() -> None:
    assert claims()["Faster than the alternatives, per second of music"].agrees
    per_song = claims()["Faster than the alternatives, per song"]
    assert not per_song.agrees
    assert per_song.computed == (7.5, 15)


def test_the_yearly_figure_does_not_follow_from_the_cost_table() -> None:
    claim = claims()["Year, ACE-Step only"]
    assert not claim.agrees
    assert claim.computed == pytest.approx((64, 128))


@pytest.mark.parametrize(
    "name",
    ["First test: cost per track", "Quality eval: cost per track", "Small batch: cost per track",
     "Full catalog: cost per track", "Download of the models"],
)  # fmt: skip
def test_a_figure_that_agrees_is_said_to_agree(name: str) -> None:
    assert claims()[name].agrees


def test_nothing_is_written_down_in_advance_a_mended_document_has_no_slip_there() -> None:
    stated = load_claims()
    mended = dataclasses.replace(stated, times_cheaper=62.5, mureka_usd_per_track="0.0667")
    found = {claim.name: claim for claim in check_claims(load_price_book(), load_tiers(), mended)}
    assert found["Full catalog: times cheaper than Mureka"].agrees
    assert found["Mureka: cost per track"].agrees


def test_a_bad_entry_is_named(tmp_path: Path) -> None:
    text = (shipped.path("gpu") / "claims.toml").read_text(encoding="utf-8")
    for old, new, message in (
        ("hours = 0.5", 'hours = "half"', r"projections row 1 hours: half"),
        ('usd_per_track = "0.018"', 'usd_per_track = "cheap"', r"usd_per_track: cheap, expected a number in quotes"),
        ("minutes = [12, 18]", "minutes = [18, 12]", r"minutes: .*expected \[low, high\]"),
        ('usd_per_track = "0.018"', 'usd_per_track = "0.000"', r"usd_per_track: 0.000, expected a number in quotes"),
        ("usd = 0.35", "usd = 0", r"projections row 1 usd: 0"),
        ("tracks_per_h = [1800]", "tracks_per_h = []", r"tracks_per_h: .*expected a list of numbers"),
    ):
        file = tmp_path / "claims.toml"
        file.write_text(text.replace(old, new, 1), encoding="utf-8")
        with pytest.raises(ConfigError, match=message):
            load_claims(file)


def test_a_projection_on_an_unknown_card_or_at_an_unknown_provider_is_named() -> None:
    stated = load_claims()
    for change, message in (
        ({"gpu": "H100"}, "none for H100"),
        ({"provider": "Cloudy"}, "First test provider: Cloudy"),
    ):
        row = dataclasses.replace(stated.projections[0], **change)  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match=message):
            check_claims(load_price_book(), load_tiers(), dataclasses.replace(stated, projections=(row,)))


# ---- The report ----


@cache
def report() -> EstimateReport:
    return estimate_report([CampaignSize(20, 3, name="first_test"), CampaignSize(15_000, 4, name="full_catalog")])


def shown(width: int = 200, *, all_claims: bool = False) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as captured:
        console.print(report().render(all_claims=all_claims))
    return captured.get()


def test_the_report_reproduces_the_documents_cost_table_as_stated() -> None:
    lines = [" ".join(line.replace("│", " ").split()) for line in shown().splitlines()]
    for row in (
        "First test RTX 3090 0.5 20 $0.35 $0.018",
        "Quality eval RTX 3090 2 200 $1.40 $0.007",
        "Small batch A100 3 2,000 $6.00 $0.003",
        "Full catalog A100 8 15,000 $16.00 $0.001",
        "Mureka – – 15,000 $1,000 $0.057",
    ):
        assert row in lines


def test_the_report_names_the_slips_and_shows_the_year() -> None:
    text = shown()
    for part in ("62.5x", "57x", "$0.0667", "$0.057", "Mureka only", "ACE-Step only", "hybrid", "$4,000 to 8,000"):
        assert part in text
    assert "Small batch: cost per track" not in text
    assert "Small batch: cost per track" in shown(all_claims=True)


def test_the_report_reads_in_a_narrow_terminal_too() -> None:
    assert max(len(line) for line in shown(80).splitlines()) <= 80


def test_the_report_as_json_holds_the_same_numbers() -> None:
    plain = json.loads(json.dumps(report().to_dict(), allow_nan=False))
    first = plain["estimates"][0]
    assert first["campaign"]["name"] == "first_test"
    assert first["hours"]["p50"] <= first["hours"]["p90"]
    assert {row["approach"]: row["claimed_usd"] for row in plain["yearly"]}["ACE-Step only"] == [200, 500]
    assert sum(not claim["agrees"] for claim in plain["claims"]) == sum(not c.agrees for c in report().claims)
    assert plain["prices_as_of"] >= "2026-02-07"


def test_every_card_with_a_rate_and_every_provider_with_a_price_has_its_row() -> None:
    rows = {(found.gpu, found.provider) for found in report().estimates if found.campaign.name == "first_test"}
    assert rows == {
        ("A100", "Vast.ai"),
        ("A100", "RunPod"),
        ("RTX 4090", "RunPod"),
        ("RTX 3090", "Vast.ai"),
        ("RTX 3090", "RunPod"),
        ("RTX 3060", None),
    }
