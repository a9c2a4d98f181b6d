"""The price book: what GPUs cost per hour at whom, since when and says who; and what the music would cost elsewhere.

It is read from `gpu/prices.toml`, together with the assumed rates (`rates`) and the assumptions (`assumptions`) of an
estimate, so that everything an estimate rests on is edited in one file. A price that nobody looked up is None.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ace_assets import shipped
from ace_assets.acestep.assumptions import Assumptions, parse_assumptions
from ace_assets.acestep.rates import RateBook, parse_rates
from ace_assets.acestep.tiers import plain_gpu_name
from ace_assets.errors import ConfigError
from ace_assets.toml_section import Section, read_toml


@dataclass(frozen=True)
class Provider:
    """Who rents GPUs out.

    Args:
        name: e.g. `RunPod`.
        min_deposit_usd: the smallest sum that opens an account.
        storage: what keeps the models between two rentals, in words.
        storage_usd_per_gb_month: its price, None where nobody looked it up.
        source: who says so.
        as_of: when.
    """

    name: str
    min_deposit_usd: float
    storage: str
    storage_usd_per_gb_month: float | None
    source: str
    as_of: dt.date


@dataclass(frozen=True)
class Price:
    """The range of a GPU's hourly price at a provider on a day."""

    provider: str
    gpu: str
    low_usd_per_h: float
    high_usd_per_h: float
    as_of: dt.date
    source: str


@dataclass(frozen=True)
class Mureka:
    """What the same number of tracks costs at the present supplier."""

    usd: float
    tracks: int
    as_of: dt.date
    source: str

    @property
    def usd_per_track(self) -> float:
        """Price of one track."""
        return self.usd / self.tracks


@dataclass(frozen=True)
class Year:
    """The assumptions of the yearly table; `gpu/prices.toml` says what each one means."""

    mureka_low_usd: float
    mureka_high_usd: float
    hybrid_mureka_share: float
    gpu: str
    provider: str
    takes_per_track: int
    mean_duration_s: float
    model: str
    steps: int
    lm: str
    refreshes: int


@dataclass(frozen=True)
class PriceBook:
    """Everything that an estimate rests on."""

    providers: Mapping[str, Provider]
    prices: tuple[Price, ...]
    mureka: Mureka
    rates: RateBook
    assumptions: Assumptions
    year: Year

    @property
    def as_of(self) -> dt.date:
        """The day of the newest price."""
        return max(price.as_of for price in self.prices)

    def price(self, gpu: str, provider: str, *, on: dt.date | None = None) -> Price | None:
        """Return the newest price of a GPU at a provider, None where nobody looked it up.

        Args:
            gpu: the card's name.
            provider: who rents it out.
            on: leave newer entries out.
        """
        wanted = plain_gpu_name(gpu)
        found = [
            price
            for price in self.prices
            if price.provider == provider and plain_gpu_name(price.gpu) == wanted and (on is None or price.as_of <= on)
        ]
        return max(found, key=lambda price: price.as_of, default=None)

    def providers_of(self, gpu: str) -> list[str]:
        """Return the providers that have a price for a GPU, the cheapest first."""
        found = [price for name in self.providers if (price := self.price(gpu, name)) is not None]
        return [
            price.provider for price in sorted(found, key=lambda p: (p.low_usd_per_h + p.high_usd_per_h, p.provider))
        ]


def load_price_book(path: Path | None = None) -> PriceBook:
    """Read and check a price book.

    Args:
        path: the file; the one that ships with the package for None.

    Raises:
        ConfigError: the file cannot be read, or one entry is not what it should be; the first one is named.
    """
    file = shipped.path("gpu") / "prices.toml" if path is None else path
    return parse_price_book(read_toml(file), name=file.name)


def parse_price_book(data: Mapping[str, object], *, name: str = "prices.toml") -> PriceBook:
    """Check parsed TOML and return it typed.

    Raises:
        ConfigError: the first entry that is not what it should be.
    """
    top = Section(dict(data), name)
    top.only("currency", "providers", "prices", "mureka", "rates", "assumptions", "yearly")
    if top.text("currency") != "USD":
        raise ConfigError(f"{name} currency", value=top.text("currency"), expected="USD", remedy="convert the prices")
    providers = {key: _provider(key, reader) for key, reader in top.sections("providers").items()}
    prices = tuple(_price(reader, providers) for reader in top.rows("prices"))
    mureka = top.section("mureka")
    mureka.only("usd", "tracks", "as_of", "source")
    return PriceBook(
        providers=providers,
        prices=prices,
        mureka=Mureka(
            mureka.number("usd"), int(mureka.number("tracks", low=1)), mureka.day("as_of"), mureka.text("source")
        ),
        rates=parse_rates(top.section("rates")),
        assumptions=parse_assumptions(top.section("assumptions")),
        year=_year(top.section("yearly"), providers),
    )


def _provider(name: str, reader: Section) -> Provider:
    reader.only("min_deposit_usd", "storage", "storage_usd_per_gb_month", "source", "as_of")
    return Provider(
        name=name,
        min_deposit_usd=reader.number("min_deposit_usd"),
        storage=reader.text("storage"),
        storage_usd_per_gb_month=reader.optional_number("storage_usd_per_gb_month"),
        source=reader.text("source"),
        as_of=reader.day("as_of"),
    )


def _known_provider(reader: Section, providers: Mapping[str, Provider]) -> str:
    name = reader.text("provider")
    if name not in providers:
        raise ConfigError(
            f"{reader.where} provider", value=name, expected="one of " + ", ".join(providers), remedy="correct it"
        )
    return name


def _price(reader: Section, providers: Mapping[str, Provider]) -> Price:
    reader.only("provider", "gpu", "low_usd_per_h", "high_usd_per_h", "as_of", "source")
    low = reader.number("low_usd_per_h")
    return Price(
        provider=_known_provider(reader, providers),
        gpu=reader.text("gpu"),
        low_usd_per_h=low,
        high_usd_per_h=reader.number("high_usd_per_h", low=low),
        as_of=reader.day("as_of"),
        source=reader.text("source"),
    )


def _year(reader: Section, providers: Mapping[str, Provider]) -> Year:
    reader.only(*Year.__dataclass_fields__)
    low = reader.number("mureka_low_usd", low=1)
    return Year(
        mureka_low_usd=low,
        mureka_high_usd=reader.number("mureka_high_usd", low=low),
        hybrid_mureka_share=reader.number("hybrid_mureka_share", high=1),
        gpu=reader.text("gpu"),
        provider=_known_provider(reader, providers),
        takes_per_track=int(reader.number("takes_per_track", low=1)),
        mean_duration_s=reader.number("mean_duration_s", low=1, high=600),
        model=reader.text("model"),
        steps=int(reader.number("steps", low=1, high=100)),
        lm=reader.text("lm"),
        refreshes=int(reader.number("refreshes", low=1)),
    )
