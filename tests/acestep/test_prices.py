"""The price book: whose price, since when, and what is not known."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from ace_assets import shipped
from ace_assets.acestep.prices import load_price_book
from ace_assets.errors import ConfigError

DOCUMENT_DAY = dt.date(2026, 2, 7)


@pytest.mark.parametrize(
    ("provider", "gpu", "low", "high"),
    [
        ("RunPod", "RTX 3090", 0.44, 0.69),
        ("RunPod", "A100", 1.50, 2.50),
        ("Vast.ai", "RTX 3090", 0.30, 0.50),
        ("Vast.ai", "A100", 1.00, 2.00),
    ],
)
def test_the_documents_prices_are_in_the_book(provider: str, gpu: str, low: float, high: float) -> None:
    price = load_price_book().price(gpu, provider, on=DOCUMENT_DAY)
    assert price is not None
    assert (price.low_usd_per_h, price.high_usd_per_h) == (low, high)


def test_deposits_and_murekas_price_are_the_documents() -> None:
    book = load_price_book()
    assert {name: house.min_deposit_usd for name, house in book.providers.items()} == {"RunPod": 10, "Vast.ai": 5}
    assert book.mureka.usd_per_track == pytest.approx(1000 / 15000)


@pytest.mark.parametrize(
    ("gpu", "low_s", "high_s"), [("A100", None, 2), ("RTX 4090", 3, 5), ("RTX 3090", None, 10), ("RTX 3060", 30, 40)]
)
def test_assumed_rates_are_the_documents(gpu: str, low_s: float | None, high_s: float) -> None:
    rate = load_price_book().rates.of(gpu)
    assert rate is not None
    assert (rate.low_s, rate.high_s) == (low_s, high_s)
    assert rate.central_s == (high_s if low_s is None else (low_s + high_s) / 2)


def test_every_price_names_its_day_and_its_source() -> None:
    for price in load_price_book().prices:
        assert price.source
        assert price.as_of >= DOCUMENT_DAY


def test_a_price_that_nobody_looked_up_is_none() -> None:
    assert load_price_book().price("RTX 3060", "RunPod") is None
    assert load_price_book().providers_of("RTX 3060") == []
    assert load_price_book().providers["Vast.ai"].storage_usd_per_gb_month is None


def changed_book(tmp_path: Path, old: str, new: str) -> Path:
    text = (shipped.path("gpu") / "prices.toml").read_text(encoding="utf-8")
    changed = text.replace(old, new, 1)
    assert changed != text
    file = tmp_path / "prices.toml"
    file.write_text(changed, encoding="utf-8")
    return file


def test_the_newest_price_counts_and_older_ones_stay_readable(tmp_path: Path) -> None:
    newer = """[[prices]]
provider = "RunPod"
gpu = "A100"
low_usd_per_h = 1.1
high_usd_per_h = 1.3
as_of = 2026-11-20
source = "looked up"

[mureka]"""
    book = load_price_book(changed_book(tmp_path, "[mureka]", newer))
    now, then = book.price("A100", "RunPod"), book.price("A100", "RunPod", on=DOCUMENT_DAY)
    assert now is not None
    assert then is not None
    assert (now.low_usd_per_h, then.low_usd_per_h) == (1.1, 1.5)
    assert book.as_of == dt.date(2026, 11, 20)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('currency = "USD"', 'currency = "EUR"', r"currency: EUR, expected USD"),
        (
            "low_usd_per_h = 0.44",
            "low_usd_per_h = 0.99",
            r"prices row 1 high_usd_per_h: 0.69, expected a number from 0.99",
        ),
        ("low_usd_per_h = 0.44", "low_usd_per_h = -1", r"low_usd_per_h: -1, expected a number from 0"),
        ("low_usd_per_h = 0.44", 'low_usd_per_h = "cheap"', r"low_usd_per_h: cheap"),
        ("low_usd_per_h = 0.44", "", r"low_usd_per_h: missing"),
        ('provider = "RunPod"', 'provider = "RentPod"', r"provider: RentPod, expected one of RunPod, Vast.ai"),
        ("as_of = 2026-02-07", 'as_of = "soon"', r"as_of: soon, expected a day such as 2026-02-07"),
        ("take_yield = [0.55, 0.8, 0.92]", "take_yield = [0.9, 0.8, 0.7]", r"take_yield: .*sort the three numbers"),
        ("take_yield = [0.55, 0.8, 0.92]", "take_yield = [0, 0.8, 0.9]", r"take_yield: .*from 0.001 to 1;"),
        ("take_yield = [0.55, 0.8, 0.92]", "take_yield = [0.5, 0.8, 1.2]", r"take_yield: .*1\.2.*from 0.001 to 1;"),
        ("take_yield = [0.55, 0.8, 0.92]", "take_yield = 0.8", r"take_yield: 0.8, expected \[low, most likely, high\]"),
        ("dit_share = 0.8", "dit_sahre = 0.8", r"dit_sahre, expected one of dit_share"),
        ("tracks = 15000", "tracks = 0", r"\[mureka\] tracks: 0"),
        ("lm_factor = 1.0", "lm_factor = 0", r"lm_factor: 0, expected a number from 0.01"),
    ],
)
def test_a_bad_entry_gets_one_line_that_names_it(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load_price_book(changed_book(tmp_path, old, new))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("prices.toml")
