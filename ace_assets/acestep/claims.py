"""Whether the figures of the customer's research document agree with each other, by computation.

The document's figures are data (`gpu/claims.toml`); prices and the measured needs of language models come from the
price book and the tiers. Every figure is computed again from the others that it should follow from.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ace_assets import shipped
from ace_assets.acestep.prices import Price, PriceBook
from ace_assets.acestep.tiers import Tiers, plain_gpu_name
from ace_assets.errors import ConfigError
from ace_assets.toml_section import Section, read_toml

SAME = 0.005  # two computed figures agree when they differ by less than this share
SLACK = 1.05  # a time agrees with a bound up to this factor


@dataclass(frozen=True)
class Claim:
    """One figure of the document and what it comes to when it is computed.

    Args:
        name: what the figure is about.
        unit: its unit.
        claimed: the figure as stated, low and high (the same twice for a single figure).
        computed: what it comes to, likewise.
        agrees: whether the two agree, within the digits in which the figure is stated.
        how: the computation, with its numbers.
    """

    name: str
    unit: str
    claimed: tuple[float, float]
    computed: tuple[float, float]
    agrees: bool
    how: str

    def to_dict(self) -> dict[str, object]:
        """Return everything as plain values for JSON."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Projection:
    """A row of the document's cost projections; `usd_per_track` as text, for its digits."""

    name: str
    gpu: str
    provider: str | None
    recommended_usd_per_h: float | None
    hours: float
    tracks: int
    usd: float
    usd_per_track: str


@dataclass(frozen=True)
class Speed:
    """A row of the document's speeds: seconds per song (`low_s` None for a bound) and tracks per hour."""

    gpu: str
    low_s: float | None
    high_s: float
    tracks_per_h: tuple[float, ...]


@dataclass(frozen=True)
class Claims:
    """The figures of the document."""

    document: str
    projections: tuple[Projection, ...]
    mureka_tracks: int
    mureka_usd: float
    mureka_usd_per_track: str
    times_cheaper: float
    speeds: tuple[Speed, ...]
    download_gb: float
    download_mbps: float
    download_minutes: tuple[float, float]
    song_s: float
    song_duration_s: float
    speedup: tuple[float, float]
    others: tuple[tuple[str, float, float], ...]
    batch: tuple[float, float]
    yearly_mureka_usd: tuple[float, float]
    yearly_acestep_usd: tuple[float, float]
    yearly_hybrid_usd: tuple[float, float]


def load_claims(path: Path | None = None) -> Claims:
    """Read and check the document's figures.

    Args:
        path: the file; the one that ships with the package for None.

    Raises:
        ConfigError: the file cannot be read, or one entry is not what it should be; the first one is named.
    """
    file = shipped.path("gpu") / "claims.toml" if path is None else path
    top = Section(read_toml(file), file.name)
    projections = tuple(
        Projection(
            name=row.text("name"),
            gpu=row.text("gpu"),
            provider=row.text("provider") if "provider" in row.data else None,
            recommended_usd_per_h=row.optional_number("recommended_usd_per_h"),
            hours=row.number("hours", low=0.001),
            tracks=int(row.number("tracks", low=1)),
            usd=row.number("usd", low=0.01),
            usd_per_track=_decimal(row, "usd_per_track"),
        )
        for row in top.rows("projections")
    )
    speeds = tuple(
        Speed(
            gpu=row.text("gpu"),
            low_s=row.optional_number("low_s", low=0.001),
            high_s=row.number("high_s", low=0.001),
            tracks_per_h=row.numbers("tracks_per_h"),
        )
        for row in top.rows("speeds")
    )
    mureka, download, alternatives = top.section("mureka"), top.section("download"), top.section("alternatives")
    yearly = top.section("yearly")
    return Claims(
        document=top.text("document"),
        projections=projections,
        mureka_tracks=int(mureka.number("tracks", low=1)),
        mureka_usd=mureka.number("usd", low=0.01),
        mureka_usd_per_track=_decimal(mureka, "usd_per_track"),
        times_cheaper=mureka.number("times_cheaper"),
        speeds=speeds,
        download_gb=download.number("gb"),
        download_mbps=download.number("mbps", low=0.001),
        download_minutes=_range(download, "minutes"),
        song_s=alternatives.number("song_s", low=0.001),
        song_duration_s=alternatives.number("song_duration_s", low=0.001),
        speedup=_range(alternatives, "speedup"),
        others=tuple(
            (name, reader.number("s", low=0.001), reader.number("duration_s", low=0.001))
            for name, reader in alternatives.sections("others").items()
        ),
        batch=_range(top.section("mitigation"), "batch"),
        yearly_mureka_usd=_range(yearly, "mureka_usd"),
        yearly_acestep_usd=_range(yearly, "acestep_usd"),
        yearly_hybrid_usd=_range(yearly, "hybrid_usd"),
    )


def check_claims(price_book: PriceBook, tiers: Tiers, claims: Claims | None = None) -> list[Claim]:
    """Return every figure of the document beside what it comes to.

    Args:
        price_book: hourly prices (those of the document's day) and deposits.
        tiers: the measured needs of language models.
        claims: the document's figures; those that ship with the package for None.
    """
    stated = load_claims() if claims is None else claims
    return [
        *(claim for row in stated.projections for claim in _projection(row, stated, price_book)),
        *_mureka(stated),
        *_speeds(stated),
        *_download(stated),
        *_speedup(stated),
        *_yearly(stated),
        *_language_models(tiers),
    ]


def _projection(row: Projection, stated: Claims, book: PriceBook) -> Iterator[Claim]:
    yield _rounded(
        f"{row.name}: cost per track", row.usd_per_track, row.usd / row.tracks, f"${row.usd:g} / {row.tracks:,}"
    )

    hourly = row.usd / row.hours
    on = book.mureka.as_of
    houses = _houses(row, book)
    ranges = [price for house in houses if (price := book.price(row.gpu, house, on=on)) is not None]
    if ranges:
        low = min(price.low_usd_per_h for price in ranges)
        high = max(price.high_usd_per_h for price in ranges)
        inside = any(price.low_usd_per_h <= hourly <= price.high_usd_per_h for price in ranges)
        spans = " and ".join(f"${p.low_usd_per_h:.2f}-{p.high_usd_per_h:.2f} at {p.provider}" for p in ranges)
        yield Claim(
            f"{row.name}: hourly price behind the cost", "$/h", _one(hourly), (low, high), inside,
            f"${row.usd:g} / {row.hours:g} h, against the price table's {spans}",
        )  # fmt: skip
    if row.recommended_usd_per_h is not None:
        cost = row.hours * row.recommended_usd_per_h
        yield Claim(
            f"{row.name}: cost at the recommended price", "$", _one(row.usd), _one(cost), _same(row.usd, cost),
            f"{row.hours:g} h x ${row.recommended_usd_per_h:.2f}",
        )  # fmt: skip
        yield from _recommended(row, ranges)

    speed = _speed_of(row.gpu, stated)
    per_track_s = row.hours * 3600 / row.tracks
    times = per_track_s / speed.high_s
    yield Claim(
        f"{row.name}: seconds per track", "s", _one(per_track_s), (speed.low_s or speed.high_s, speed.high_s),
        per_track_s <= speed.high_s * SLACK,
        f"{row.hours:g} h / {row.tracks:,}, against the claimed {_bound(speed)}: {times:.1f} times",
    )  # fmt: skip

    work_h = row.tracks * speed.high_s / 3600
    needed_h = work_h + stated.download_gb * 8000 / stated.download_mbps / 3600
    yield Claim(
        f"{row.name}: hours, one take per track", "h", _one(row.hours), (work_h, needed_h), row.hours >= needed_h,
        f"{row.tracks:,} x {speed.high_s:g} s, then with the download of {stated.download_gb:g} GB "
        f"at {stated.download_mbps:g} Mbps",
    )  # fmt: skip
    low_h, high_h = (work_h * batch for batch in stated.batch)
    yield Claim(
        f"{row.name}: cost with {stated.batch[0]:g} to {stated.batch[1]:g} takes per track", "$", _one(row.usd),
        (low_h * hourly, high_h * hourly), row.usd >= low_h * hourly / SLACK,
        f"the document advises batches of {stated.batch[0]:g} to {stated.batch[1]:g}, the best one kept: "
        f"{low_h:.2f} to {high_h:.2f} h at ${hourly:.2f}",
    )  # fmt: skip

    deposits = {house: book.providers[house].min_deposit_usd for house in houses}
    smallest = min(deposits.values())
    yield Claim(
        f"{row.name}: what a new account pays", "$", _one(row.usd), _one(max(row.usd, smallest)), row.usd >= smallest,
        "smallest deposit " + ", ".join(f"${usd:g} at {house}" for house, usd in deposits.items()),
    )  # fmt: skip


def _houses(row: Projection, book: PriceBook) -> list[str]:
    if row.provider is None:
        return list(book.providers)
    if row.provider not in book.providers:
        raise ConfigError(
            f"claims.toml {row.name} provider",
            value=row.provider,
            expected="one of " + ", ".join(book.providers),
            remedy="correct the name",
        )
    return [row.provider]


def _speed_of(gpu: str, stated: Claims) -> Speed:
    for speed in stated.speeds:
        if plain_gpu_name(speed.gpu) == plain_gpu_name(gpu):
            return speed
    raise ConfigError(
        "claims.toml speeds", value=f"none for {gpu}", expected="a speed for each projection's GPU", remedy="add it"
    )


def _recommended(row: Projection, ranges: list[Price]) -> Iterator[Claim]:
    if row.recommended_usd_per_h is None or not ranges:
        return
    low = min(price.low_usd_per_h for price in ranges)
    high = max(price.high_usd_per_h for price in ranges)
    yield Claim(
        f"{row.name}: the recommended price", "$/h", _one(row.recommended_usd_per_h), (low, high),
        low <= row.recommended_usd_per_h <= high, "against the price table",
    )  # fmt: skip


def _mureka(stated: Claims) -> Iterator[Claim]:
    per_track = stated.mureka_usd / stated.mureka_tracks
    yield _rounded(
        "Mureka: cost per track", stated.mureka_usd_per_track, per_track,
        f"${stated.mureka_usd:,g} / {stated.mureka_tracks:,}",
    )  # fmt: skip
    total = float(stated.mureka_usd_per_track) * stated.mureka_tracks
    yield Claim(
        "Mureka: cost of the catalog", "$", _one(stated.mureka_usd), _one(total), _same(stated.mureka_usd, total),
        f"{stated.mureka_tracks:,} x ${stated.mureka_usd_per_track}",
    )  # fmt: skip
    catalog = max(stated.projections, key=lambda row: row.tracks)
    ratio = (stated.mureka_usd / stated.mureka_tracks) / (catalog.usd / catalog.tracks)
    rounded = float(stated.mureka_usd_per_track) / float(catalog.usd_per_track)
    yield Claim(
        f"{catalog.name}: times cheaper than Mureka", "x", _one(stated.times_cheaper), _one(ratio),
        _same(stated.times_cheaper, ratio),
        f"${stated.mureka_usd:,g} / ${catalog.usd:g} for {catalog.tracks:,} tracks; "
        f"{rounded:.0f} is ${stated.mureka_usd_per_track} / ${catalog.usd_per_track}, two figures already rounded",
    )  # fmt: skip


def _speeds(stated: Claims) -> Iterator[Claim]:
    for speed in stated.speeds:
        low, high = 3600 / speed.high_s, 3600 / (speed.low_s or speed.high_s)
        claimed = min(speed.tracks_per_h), max(speed.tracks_per_h)
        agrees = _same(claimed[0], low) and _same(claimed[1], high)
        how = f"3600 s / {_bound(speed)}"
        yield Claim(f"{speed.gpu}: tracks per hour", "per hour", claimed, (low, high), agrees, how)


def _download(stated: Claims) -> Iterator[Claim]:
    minutes = stated.download_gb * 8000 / stated.download_mbps / 60
    low, high = stated.download_minutes
    yield Claim(
        "Download of the models", "min", (low, high), _one(minutes), low <= minutes <= high,
        f"{stated.download_gb:g} GB at {stated.download_mbps:g} Mbps",
    )  # fmt: skip


def _speedup(stated: Claims) -> Iterator[Claim]:
    per_song = [seconds / stated.song_s for _, seconds, _ in stated.others]
    own = stated.song_duration_s / stated.song_s
    per_second = [own / (duration_s / seconds) for _, seconds, duration_s in stated.others]
    names = ", ".join(f"{name} {seconds:g} s for {duration_s:g} s" for name, seconds, duration_s in stated.others)
    for what, found in (("per song", per_song), ("per second of music", per_second)):
        computed = min(found), max(found)
        yield Claim(
            f"Faster than the alternatives, {what}", "x", stated.speedup, computed,
            _same(stated.speedup[0], computed[0]) and _same(stated.speedup[1], computed[1]),
            f"{names}; ACE-Step {stated.song_s:g} s for {stated.song_duration_s:g} s",
        )  # fmt: skip


def _yearly(stated: Claims) -> Iterator[Claim]:
    mureka_per_track = stated.mureka_usd / stated.mureka_tracks
    catalog = max(stated.projections, key=lambda row: row.tracks)
    own_per_track = catalog.usd / catalog.tracks
    tracks = [usd / mureka_per_track for usd in stated.yearly_mureka_usd]
    own = tracks[0] * own_per_track, tracks[1] * own_per_track
    factors = [claimed / computed for claimed, computed in zip(stated.yearly_acestep_usd, own, strict=True)]
    yield Claim(
        "Year, ACE-Step only", "$", stated.yearly_acestep_usd, own,
        all(_same(claimed, computed) for claimed, computed in zip(stated.yearly_acestep_usd, own, strict=True)),
        f"{tracks[0]:,.0f} to {tracks[1]:,.0f} tracks, which is what Mureka's yearly figure buys, at the cost table's "
        f"${own_per_track:.5f}: the yearly figure is {min(factors):.1f} to {max(factors):.1f} times that",
    )  # fmt: skip
    shares = tuple(
        (hybrid - acestep) / ((mureka - acestep) or 1.0)
        for hybrid, acestep, mureka in zip(
            stated.yearly_hybrid_usd, stated.yearly_acestep_usd, stated.yearly_mureka_usd, strict=True
        )
    )
    halves = tuple(
        (mureka + acestep) / 2
        for mureka, acestep in zip(stated.yearly_mureka_usd, stated.yearly_acestep_usd, strict=True)
    )
    yield Claim(
        "Year, hybrid", "$", stated.yearly_hybrid_usd, (halves[0], halves[1]),
        all(_same(claimed, half) for claimed, half in zip(stated.yearly_hybrid_usd, halves, strict=True)),
        f"half of each; the stated figures mean that Mureka makes {min(shares):.1%} to {max(shares):.1%}",
    )  # fmt: skip


def _language_models(tiers: Tiers) -> Iterator[Claim]:
    stated, measured = tiers.lm_memory_gb.get("mission", {}), tiers.lm_memory_gb.get("measured", {})
    for size, gb in stated.items():
        if size in measured:
            yield Claim(
                f"Language model {size}: memory", "GB", _one(gb), _one(measured[size]), _same(gb, measured[size]),
                "as measured on the server (tiers.toml)",
            )  # fmt: skip


def _rounded(name: str, claimed: str, computed: float, how: str) -> Claim:
    """Compare at the digits in which the claim is stated."""
    digits = len(claimed.partition(".")[2])
    half_step = 0.5 * 10**-digits * (1 + 1e-9)
    return Claim(name, "$", _one(float(claimed)), _one(computed), abs(float(claimed) - computed) <= half_step, how)


def _bound(speed: Speed) -> str:
    return f"<{speed.high_s:g} s" if speed.low_s is None else f"{speed.low_s:g}-{speed.high_s:g} s"


def _one(value: float) -> tuple[float, float]:
    return value, value


def _same(a: float, b: float) -> bool:
    return abs(a - b) <= SAME * max(abs(a), abs(b))


def _decimal(reader: Section, name: str) -> str:
    text = reader.text(name)
    if not re.fullmatch(r"\d+(\.\d+)?", text) or float(text) == 0:
        raise ConfigError(
            f"{reader.where} {name}", value=text, expected="a number in quotes, for its digits", remedy="correct it"
        )
    return text


def _range(reader: Section, name: str) -> tuple[float, float]:
    numbers = reader.numbers(name)
    if len(numbers) != 2 or numbers[0] > numbers[1]:
        raise ConfigError(f"{reader.where} {name}", value=list(numbers), expected="[low, high]", remedy="correct it")
    return numbers[0], numbers[1]
