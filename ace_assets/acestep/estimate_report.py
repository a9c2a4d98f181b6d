"""The whole of `ace-assets estimate`: estimates, the document's cost table and slips, the year; for people and as JSON.

Nothing is computed here. The numbers come from `estimate`, `claims` and `yearly`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ace_assets.acestep.claims import Claim, Claims, check_claims, load_claims
from ace_assets.acestep.estimate import SAMPLES, CampaignSize, Estimate, Spread, estimate
from ace_assets.acestep.prices import PriceBook, load_price_book
from ace_assets.acestep.tiers import Tiers, load_tiers
from ace_assets.acestep.yearly import YearlyRow, yearly_table

UNKNOWN = "–"


@dataclass(frozen=True)
class EstimateReport:
    """Everything that `ace-assets estimate` says."""

    estimates: tuple[Estimate, ...]
    stated: Claims
    claims: tuple[Claim, ...]
    yearly: tuple[YearlyRow, ...]
    price_book: PriceBook

    def to_dict(self) -> dict[str, object]:
        """Return everything as plain values for JSON."""
        book = self.price_book
        return {
            "prices_as_of": book.as_of.isoformat(),
            "price_sources": sorted({price.source for price in book.prices}),
            "rates_source": book.rates.source,
            "method": f"seeded Monte Carlo over a Latin hypercube, {SAMPLES} samples",
            "estimates": [found.to_dict() for found in self.estimates],
            "claims_document": self.stated.document,
            "claims": [claim.to_dict() for claim in self.claims],
            "yearly": [
                row.to_dict() | {"claimed_usd": list(claimed)}
                for row, claimed in zip(self.yearly, _claimed_years(self.stated), strict=True)
            ],
        }

    def render(self, *, all_claims: bool = False) -> RenderableType:
        """Return the tables for the terminal.

        Args:
            all_claims: show the document's figures that agree too, not only those that differ.
        """
        return Group(
            *render_estimate(self.estimates, self.price_book),
            Text(),
            _cost_table(self.stated),
            Text(),
            _claims_table(self.claims, all_claims=all_claims),
            Text(),
            _yearly_table(self.yearly, self.stated),
        )


def estimate_report(
    campaigns: Iterable[CampaignSize],
    gpus: Iterable[str] | None = None,
    *,
    price_book: PriceBook | None = None,
    tiers: Tiers | None = None,
    measured: pl.DataFrame | None = None,
    servers: int = 1,
    table: str | None = None,
) -> EstimateReport:
    """Return estimates of every campaign on every GPU and provider, with the document's claims and the year.

    Args:
        campaigns: what is to be made.
        gpus: names of cards; every card with an assumed rate for None.
        price_book: prices and assumptions; those that ship with the package for None.
        tiers: cards and tier tables; those that ship with the package for None.
        measured: measured takes, see `rates.measured_take_time`; they replace the assumed rates.
        servers: GPUs that work side by side.
        table: tier table; the file's default for None.

    Raises:
        ConfigError: a GPU, a table or a number is not known or not possible.
    """
    book = load_price_book() if price_book is None else price_book
    cards = load_tiers() if tiers is None else tiers
    stated = load_claims()
    names = [cards.gpu(name).name for name in (book.rates.gpus if gpus is None else gpus)]
    found = tuple(
        estimate(
            campaign,
            name,
            price_book=book,
            tiers=cards,
            measured=measured,
            provider=provider,
            servers=servers,
            table=table,
        )
        for campaign in campaigns
        for name in names
        for provider in _providers(book, name)
    )
    return EstimateReport(
        estimates=found,
        stated=stated,
        claims=tuple(check_claims(book, cards, stated)),
        yearly=tuple(yearly_table(book, cards, measured)),
        price_book=book,
    )


def _providers(book: PriceBook, gpu: str) -> list[str | None]:
    return [*book.providers_of(gpu)] or [None]


def render_estimate(estimates: Iterable[Estimate], price_book: PriceBook) -> list[RenderableType]:
    """Return the table of estimates and the notes that belong under it."""
    rows = list(estimates)
    shown = Table(title="What a campaign takes: p50, and p90 in brackets", title_justify="left")
    for name in ("campaign", "GPU", "provider", "s per take", "takes", "hours", "$", "$ per kept track", "GB", "cores"):
        shown.add_column(name, justify="left" if name in {"campaign", "GPU", "provider"} else "right")
    for row in rows:
        shown.add_row(
            f"{row.campaign.name} ({row.campaign.tracks:,})",
            row.gpu + (" !" if row.refusal else ""),
            row.provider or UNKNOWN,
            _take_seconds(row),
            f"{row.takes.p50:,.0f} ({row.takes.p90:,.0f})",
            _both(row.hours),
            _both(row.usd),
            _both(row.usd_per_track, digits=4),
            f"{row.generated_gb.p50:,.1f}",
            UNKNOWN if row.mastering_cores is None else str(math.ceil(row.mastering_cores.p90)),
        )
    notes = [
        "s per take: as claimed, and m: as measured, which counts where it is there. hours: from renting to the last "
        "take, start and download included. GB: what the servers send, as FLAC. cores: CPU cores on which scoring and "
        "mastering keep up with the GPUs (p90).",
        f"Prices as of {price_book.as_of}. Rates: {price_book.rates.source}. Every assumption: gpu/prices.toml.",
        *{row.campaign.name: _campaign_note(row) for row in rows}.values(),
    ]
    if any(row.usd is None for row in rows):
        notes.append(f"{UNKNOWN}: no price or no rate is known; add it to gpu/prices.toml or measure the GPU.")
    notes += [f"! {refusal}" for refusal in dict.fromkeys(row.refusal for row in rows if row.refusal)]
    notes += [
        f"{row.campaign.name} on {row.gpu} at {row.provider}: a new account pays "
        f"${row.out_of_pocket_usd.p50:,.2f}, the smallest deposit, for ${row.usd.p50:,.2f} of work."
        for row in rows
        if row.usd is not None and row.out_of_pocket_usd is not None and row.out_of_pocket_usd.p50 > row.usd.p50
    ]
    return [shown, Text("\n".join(notes), style="dim")]


def _campaign_note(row: Estimate) -> str:
    size = row.campaign
    start = "" if row.start_h is None else f", start {row.start_h.p50 * 60:.0f} ({row.start_h.p90 * 60:.0f}) min"
    return (
        f"{size.name}: {size.model}, {size.steps} steps, language model {size.lm}, {size.mean_duration_s:g} s a take; "
        f"{row.takes_per_kept_track.p50:.1f} ({row.takes_per_kept_track.p90:.1f}) takes per kept track, "
        f"{row.take_yield:.0%} of takes pass, {row.rejected_takes.p50:,.0f} ({row.rejected_takes.p90:,.0f}) do not, "
        f"utilisation {row.utilisation:.0%}{start}; keeps {row.stored_gb:,.1f} GB, "
        f"{row.mastering_cpu_h.p50:,.1f} CPU hours of scoring and mastering."
    )


def _take_seconds(row: Estimate) -> str:
    assumed = UNKNOWN if row.assumed_s_per_take is None else f"{row.assumed_s_per_take:.1f}"
    return assumed if row.measured_s_per_take is None else f"{assumed} / m {row.measured_s_per_take:.1f}"


def _both(spread: Spread | None, digits: int = 2) -> str:
    return UNKNOWN if spread is None else f"{spread.p50:,.{digits}f} ({spread.p90:,.{digits}f})"


def _cost_table(stated: Claims) -> Table:
    shown = Table(title=f"Cost projections as stated by {stated.document}", title_justify="left")
    for name in ("scenario", "GPU", "hours", "tracks", "cost", "per track"):
        shown.add_column(name, justify="left" if name in {"scenario", "GPU"} else "right")
    for row in stated.projections:
        shown.add_row(
            row.name, row.gpu, f"{row.hours:g}", f"{row.tracks:,}", f"${row.usd:.2f}", f"${row.usd_per_track}"
        )
    shown.add_row(
        "Mureka",
        UNKNOWN,
        UNKNOWN,
        f"{stated.mureka_tracks:,}",
        f"${stated.mureka_usd:,.0f}",
        f"${stated.mureka_usd_per_track}",
    )
    return shown


def _claims_table(claims: Iterable[Claim], *, all_claims: bool) -> Table:
    rows = list(claims)
    differing = [claim for claim in rows if not claim.agrees]
    shown = Table(
        title=f"{len(differing)} of its {len(rows)} figures differ from what they come to", title_justify="left"
    )
    for name in ("figure", "stated", "comes to", "how"):
        shown.add_column(name, justify="right" if name in {"stated", "comes to"} else "left")
    for claim in rows if all_claims else differing:
        shown.add_row(
            ("" if claim.agrees or not all_claims else "! ") + claim.name,
            _quantity(claim.claimed, claim.unit),
            _quantity(claim.computed, claim.unit),
            claim.how,
        )
    return shown


def _yearly_table(rows: Iterable[YearlyRow], stated: Claims) -> Table:
    shown = Table(title="The year", title_justify="left")
    for name in ("approach", "tracks", "stated", "comes to", "how"):
        shown.add_column(name, justify="left" if name in {"approach", "how"} else "right")
    for row, claimed in zip(rows, _claimed_years(stated), strict=True):
        known = row.low_usd is not None and row.high_usd is not None
        shown.add_row(
            row.approach,
            f"{row.tracks_low:,} to {row.tracks_high:,}",
            f"${claimed[0]:,.0f} to {claimed[1]:,.0f}",
            f"${row.low_usd:,.0f} to {row.high_usd:,.0f}" if known else UNKNOWN,
            row.how,
        )
    return shown


def _claimed_years(stated: Claims) -> list[tuple[float, float]]:
    return [stated.yearly_mureka_usd, stated.yearly_acestep_usd, stated.yearly_hybrid_usd]


def _quantity(value: tuple[float, float], unit: str) -> str:
    """Return one figure or a range with its unit.

    >>> _quantity((0.7, 0.7), "$/h"), _quantity((62.5, 62.5), "x"), _quantity((1000, 1000), "$")
    ('$0.70/h', '62.5x', '$1,000')
    """
    ends = [_digits(number, unit) for number in (value if value[0] != value[1] else value[:1])]
    text = " to ".join(ends)
    if unit.startswith("$"):
        return f"${text}{unit[1:]}"
    return f"{text}{'' if unit == 'x' else ' '}{unit}"


def _digits(number: float, unit: str) -> str:
    if number == int(number) and unit != "$/h":
        return f"{number:,.0f}"
    if unit.startswith("$"):
        return f"{number:,.2f}" if abs(number) >= 0.1 else f"{number:.4f}".rstrip("0")
    return f"{number:,.3g}" if abs(number) < 1000 else f"{number:,.0f}"
