"""The year in money: Mureka only, ACE-Step only, or half of each, as claimed and as computed for the same volume.

The volume is what Mureka's own yearly figure buys at Mureka's own price per track, so that the three rows of the table
speak of the same music. ACE-Step's low end is the p50 of the low volume, its high end the p90 of the high volume.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import polars as pl

from ace_assets.acestep.estimate import CampaignSize, estimate
from ace_assets.acestep.prices import PriceBook
from ace_assets.acestep.tiers import Tiers


@dataclass(frozen=True)
class YearlyRow:
    """One way to get through the year; None where a price or a rate is not known.

    Args:
        approach: `Mureka only`, `ACE-Step only` or `hybrid`.
        tracks_low, tracks_high: tracks of the year.
        low_usd, high_usd: what they cost, computed.
        how: how it was computed.
    """

    approach: str
    tracks_low: int
    tracks_high: int
    low_usd: float | None
    high_usd: float | None
    how: str

    def to_dict(self) -> dict[str, object]:
        """Return everything as plain values for JSON."""
        return dataclasses.asdict(self)


def yearly_table(price_book: PriceBook, tiers: Tiers, measured: pl.DataFrame | None = None) -> list[YearlyRow]:
    """Return the three rows of the yearly table.

    Raises:
        ConfigError: the year's GPU is not known.
    """
    year, mureka = price_book.year, price_book.mureka
    low, high = (round(usd / mureka.usd_per_track) for usd in (year.mureka_low_usd, year.mureka_high_usd))
    share = year.hybrid_mureka_share

    def generated_usd(tracks: float) -> tuple[float | None, float | None]:
        if tracks < year.refreshes:
            return 0.0, 0.0
        size = CampaignSize(
            tracks=round(tracks / year.refreshes),
            takes_per_track=year.takes_per_track,
            mean_duration_s=year.mean_duration_s,
            model=year.model,
            steps=year.steps,
            lm=year.lm,
            name="one refresh of the year",
        )
        found = estimate(
            size, year.gpu, price_book=price_book, tiers=tiers, measured=measured, provider=year.provider
        ).usd
        return (None, None) if found is None else (found.p50 * year.refreshes, found.p90 * year.refreshes)

    def row(approach: str, mureka_share: float, how: str) -> YearlyRow:
        own = 1 - mureka_share
        ends = generated_usd(low * own)[0], generated_usd(high * own)[1]
        bought = low * mureka_share * mureka.usd_per_track, high * mureka_share * mureka.usd_per_track
        totals = [None if made is None else made + paid for made, paid in zip(ends, bought, strict=True)]
        return YearlyRow(approach, low, high, totals[0], totals[1], how)

    rent = (
        f"{year.gpu} at {year.provider}, {year.takes_per_track} takes per kept track of {year.mean_duration_s:g} s, "
        f"{year.refreshes} refreshes; low: p50, high: p90"
    )
    return [
        row("Mureka only", 1.0, f"tracks x ${mureka.usd_per_track:.4f}"),
        row("ACE-Step only", 0.0, rent),
        row("hybrid", share, f"{share:.0%} of the tracks from Mureka, the rest as above"),
    ]
