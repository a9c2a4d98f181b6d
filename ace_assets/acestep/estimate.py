"""What a campaign will take on a GPU: takes, hours, money, gigabytes and CPU cores, as p50 and p90.

A seeded Monte Carlo over a Latin hypercube: every uncertain input (yield, speed, price, start, download, utilisation,
failures) has a triangular distribution in `prices.toml` and its own row of uniform numbers, the same in every call. Two
estimates that differ in one input therefore differ by that input alone, and more tracks never cost less. Top-up
rounds follow a negative binomial distribution by its normal approximation, cut at two deviations below the mean.

Claims of other people's documents are checked in `claims`; tables for people are made in `estimate_report`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cache

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtri

from ace_assets.acestep.prices import Price, PriceBook
from ace_assets.acestep.rates import TakeTime, assumed_take_time, measured_take_time
from ace_assets.acestep.tier_check import check
from ace_assets.acestep.tiers import NO_LM, Tiers
from ace_assets.errors import ConfigError, RequestError

SEED = 20260207
SAMPLES = 4096
INPUTS = 10
LOWEST_DEVIATION = -2.0  # below it the normal approximation of few rounds would fall with more tracks
REFERENCE_TAKE_S = 180.0  # the CPU times of the assumptions are for takes of this length
GIGA = 1e9

Sample = NDArray[np.float64]


@dataclass(frozen=True)
class CampaignSize:
    """How much music a campaign is to keep, and how it is made.

    Args:
        tracks: tracks to keep.
        takes_per_track: takes that are made for each, of which the best is kept.
        mean_duration_s: mean length of a take.
        model: the DiT model.
        steps: inference steps.
        lm: language model, `none` for none.
        name: the campaign's name.

    Raises:
        ConfigError: a value is out of range.
    """

    tracks: int
    takes_per_track: int = 4
    mean_duration_s: float = 180.0
    model: str = "acestep-v15-turbo"
    steps: int = 8
    lm: str = NO_LM
    name: str = "campaign"

    def __post_init__(self) -> None:
        for field, low, high in (
            ("tracks", 1, 10_000_000),
            ("takes_per_track", 1, 64),
            ("mean_duration_s", 1, 600),
            ("steps", 1, 100),
        ):
            value = getattr(self, field)
            if not low <= value <= high:
                raise ConfigError(
                    f"campaign {self.name}, {field}", value=value, expected=f"{low} to {high}", remedy="correct it"
                )


@dataclass(frozen=True)
class Spread:
    """A quantity that is not certain: as likely above p50 as below, and above p90 one time in ten."""

    p50: float
    p90: float


@dataclass(frozen=True)
class Estimate:
    """What a campaign will take on a GPU of one provider; None where a price or a rate is not known.

    Args:
        campaign: what is to be made.
        gpu: the card's name.
        provider: who rents it out, None where nobody has a price for it.
        price: the price that was used.
        servers: GPUs that work side by side.
        refusal: why this GPU cannot carry the campaign out, None where it can.
        assumed_s_per_take: GPU time of a take as claimed, None where nothing is claimed.
        measured_s_per_take: the same as measured, None where nothing was measured; it counts where it is there.
        measured_takes: how many measurements that is.
        basis: `assumed` or `measured`: what the hours rest on; None where there is neither.
        takes: takes that are generated, top-ups and repeated failures included.
        takes_per_kept_track: the same per kept track.
        rejected_takes: takes that do not pass their gates.
        take_yield: middle of the assumed share of takes that pass.
        utilisation: middle of the assumed share of rented time in which the GPU generates.
        start_h: from renting to the first take, the download of the models included.
        hours: from renting to the last take, by the clock.
        gpu_hours: hours that are paid, all servers together.
        compute_usd: their price.
        storage_usd: keeping the models between rentals for the assumed months, None where its price is not known.
        usd: both together, unknown storage left out.
        usd_per_track: per kept track.
        out_of_pocket_usd: the same, or the provider's smallest deposit where that is more (for a new account).
        generated_gb: what the servers send, as FLAC.
        stored_gb: what is kept: source takes, runners-up, masters as FLAC and MP3.
        mastering_cpu_h: CPU time of scoring, mastering and the client.
        mastering_cores: cores that keep up with the GPUs.
    """

    campaign: CampaignSize
    gpu: str
    provider: str | None
    price: Price | None
    servers: int
    refusal: str | None
    assumed_s_per_take: float | None
    measured_s_per_take: float | None
    measured_takes: int
    basis: str | None
    takes: Spread
    takes_per_kept_track: Spread
    rejected_takes: Spread
    take_yield: float
    utilisation: float
    start_h: Spread | None
    hours: Spread | None
    gpu_hours: Spread | None
    compute_usd: Spread | None
    storage_usd: float | None
    usd: Spread | None
    usd_per_track: Spread | None
    out_of_pocket_usd: Spread | None
    generated_gb: Spread
    stored_gb: float
    mastering_cpu_h: Spread
    mastering_cores: Spread | None

    def to_dict(self) -> dict[str, object]:
        """Return everything as plain values for JSON; days as text."""
        plain = dataclasses.asdict(self)
        if self.price is not None:
            plain["price"]["as_of"] = self.price.as_of.isoformat()
        return plain


def estimate(
    campaign: CampaignSize,
    gpu: str,
    *,
    price_book: PriceBook,
    tiers: Tiers,
    measured: pl.DataFrame | None = None,
    provider: str | None = None,
    servers: int = 1,
    table: str | None = None,
) -> Estimate:
    """Return what a campaign will take on a GPU.

    Args:
        campaign: what is to be made.
        gpu: the card's name.
        price_book: prices, assumed rates, assumptions.
        tiers: the cards and what may be asked of them.
        measured: measured takes, see `rates.measured_take_time`.
        provider: who rents the GPU out; the cheapest that has a price for None.
        servers: GPUs that work side by side.
        table: tier table; the file's default for None.

    Raises:
        ConfigError: the GPU, the provider, the table or the number of servers is not known or not possible.
    """
    card = tiers.gpu(gpu)
    if servers < 1:
        raise ConfigError("servers", value=servers, expected="1 or more", remedy="correct it")
    if provider is None:
        provider = next(iter(price_book.providers_of(card.name)), None)
    elif provider not in price_book.providers:
        raise ConfigError(
            "provider", value=provider, expected="one of " + ", ".join(price_book.providers), remedy="correct the name"
        )
    price = None if provider is None else price_book.price(card.name, provider)
    assumed = assumed_take_time(
        card.name,
        model=campaign.model,
        steps=campaign.steps,
        lm=campaign.lm,
        duration_s=campaign.mean_duration_s,
        book=price_book.rates,
        assumptions=price_book.assumptions,
    )
    known = measured_take_time(
        card.name,
        measured,
        model=campaign.model,
        steps=campaign.steps,
        lm=campaign.lm,
        duration_s=campaign.mean_duration_s,
        book=price_book.rates,
        assumptions=price_book.assumptions,
        tiers=tiers,
    )
    rate = assumed if known is None else known
    draws = _Draws(price_book, campaign)
    assumptions = price_book.assumptions
    start_h = hours = gpu_hours = compute = cores = None
    if rate is not None:
        work_h = draws.takes * draws.take_s(rate) / draws.utilisation / 3600
        start_h = draws.start_h
        hours = start_h + work_h / servers
        gpu_hours = servers * start_h + work_h
        cores = draws.cpu_s / 3600 / (work_h / servers)
        if price is not None:
            compute = gpu_hours * (price.low_usd_per_h + draws.price_u * (price.high_usd_per_h - price.low_usd_per_h))
    house = None if provider is None else price_book.providers[provider]
    storage_usd = None
    if house is not None and house.storage_usd_per_gb_month is not None:
        storage_usd = house.storage_usd_per_gb_month * assumptions.download_gb * assumptions.storage_months
    usd = None if compute is None else compute + (storage_usd or 0.0)
    return Estimate(
        campaign=campaign,
        gpu=card.name,
        provider=provider,
        price=price,
        servers=servers,
        refusal=_refusal(campaign, card.name, tiers, table),
        assumed_s_per_take=None if assumed is None else assumed.seconds,
        measured_s_per_take=None if known is None else known.seconds,
        measured_takes=0 if known is None else known.samples,
        basis=None if rate is None else rate.basis,
        takes=_spread(draws.takes),
        takes_per_kept_track=_spread(draws.takes / campaign.tracks),
        take_yield=_spread(draws.take_yield).p50,
        utilisation=_spread(draws.utilisation).p50,
        rejected_takes=_spread(draws.takes * (1 - draws.take_yield)),
        start_h=_maybe(start_h),
        hours=_maybe(hours),
        gpu_hours=_maybe(gpu_hours),
        compute_usd=_maybe(compute),
        storage_usd=storage_usd,
        usd=_maybe(usd),
        usd_per_track=None if usd is None else _spread(usd / campaign.tracks),
        out_of_pocket_usd=None if usd is None or house is None else _spread(np.maximum(usd, house.min_deposit_usd)),
        generated_gb=_spread(draws.takes * _gb(assumptions.flac_kbps, campaign.mean_duration_s)),
        stored_gb=_stored_gb(price_book, campaign),
        mastering_cpu_h=_spread(draws.cpu_s / 3600),
        mastering_cores=_maybe(cores),
    )


class _Draws:
    """The uncertain inputs of one campaign, `SAMPLES` of each."""

    def __init__(self, book: PriceBook, campaign: CampaignSize) -> None:
        assumptions = book.assumptions
        u = _uniforms()
        self.take_yield: Sample = assumptions.take_yield.quantile(u[0])
        self.takes: Sample = _takes(campaign, self.take_yield, u[1]) * (1 + assumptions.failed_share.quantile(u[2]))
        self.utilisation: Sample = assumptions.utilisation.quantile(u[3])
        self.price_u: Sample = u[4]
        download_h = assumptions.download_gb * 8000 / assumptions.download_mbps.quantile(u[5]) / 3600
        started_h = (assumptions.cold_start_min.quantile(u[6]) + assumptions.load_min.quantile(u[7])) / 60
        self.start_h: Sample = started_h + download_h
        self.length = campaign.mean_duration_s / REFERENCE_TAKE_S
        scoring_s = self.takes * (assumptions.scoring_cpu_s * self.length + assumptions.client_cpu_s)
        self.cpu_s: Sample = scoring_s + campaign.tracks * assumptions.mastering_cpu_s * self.length
        self._assumed: Sample = assumptions.rate_spread.quantile(u[8])
        self._measured: Sample = assumptions.measured_spread.quantile(u[8])
        self._deviation: Sample = ndtri(u[9])

    def take_s(self, rate: TakeTime) -> Sample:
        """Return the seconds of a take."""
        if rate.samples == 0:
            return rate.seconds * self._assumed
        mean_s = rate.seconds + rate.standard_error_s * self._deviation
        return np.maximum(mean_s, rate.seconds / 2) * self._measured


@cache
def _uniforms() -> Sample:
    """Return uniform numbers, one row per input, each row spread evenly over 0 to 1 (a Latin hypercube)."""
    rng = np.random.default_rng(SEED)
    strata = rng.permuted(np.tile(np.arange(SAMPLES), (INPUTS, 1)), axis=1)
    return (strata + rng.random((INPUTS, SAMPLES))) / SAMPLES


def _takes(campaign: CampaignSize, take_yield: Sample, u: Sample) -> Sample:
    """Return how many takes are made until every prompt has one that passed.

    Each round makes `takes_per_track` takes for every prompt that lacks one; a round fails when none of them passes.
    """
    succeeds = 1 - (1 - take_yield) ** campaign.takes_per_track
    failed_rounds = campaign.tracks * (1 - succeeds) / succeeds
    deviation = np.sqrt(campaign.tracks * (1 - succeeds)) / succeeds
    more = np.maximum(failed_rounds + np.maximum(ndtri(u), LOWEST_DEVIATION) * deviation, 0.0)
    return (campaign.tracks + more) * campaign.takes_per_track


def _stored_gb(book: PriceBook, campaign: CampaignSize) -> float:
    assumptions = book.assumptions
    runners_up = min(assumptions.runners_up_kept, campaign.takes_per_track - 1)
    flac_files = 1 + runners_up + 1  # the source, its runners-up, the master
    kbps = flac_files * assumptions.flac_kbps + assumptions.mp3_kbps
    return campaign.tracks * _gb(kbps, campaign.mean_duration_s)


def _gb(kbps: float, duration_s: float) -> float:
    return kbps * 1000 / 8 * duration_s / GIGA


def _refusal(campaign: CampaignSize, gpu: str, tiers: Tiers, table: str | None) -> str | None:
    try:
        check(
            duration_s=campaign.mean_duration_s, lm=campaign.lm, gpu=gpu, model=campaign.model, table=table, tiers=tiers
        )
    except RequestError as error:
        return str(error)
    return None


def _spread(sample: Sample) -> Spread:
    p50, p90 = np.quantile(sample, [0.5, 0.9])
    return Spread(float(p50), float(p90))


def _maybe(sample: Sample | None) -> Spread | None:
    return None if sample is None else _spread(sample)
