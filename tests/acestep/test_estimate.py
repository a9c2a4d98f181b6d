"""What a campaign takes on a GPU: the properties that any estimate must have, and some figures by hand."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ace_assets.acestep.assumptions import Triple
from ace_assets.acestep.estimate import CampaignSize, Estimate, Spread, estimate
from ace_assets.acestep.prices import PriceBook, load_price_book
from ace_assets.acestep.rates import AssumedRate, measured_from_takes
from ace_assets.acestep.tiers import load_tiers
from ace_assets.acestep.yearly import yearly_table
from ace_assets.errors import ConfigError
from ace_assets.tables import Takes

BOOK = load_price_book()
TIERS = load_tiers()
CERTAIN = {
    name: Triple(value.mode, value.mode, value.mode)
    for name, value in vars(BOOK.assumptions).items()
    if isinstance(value, Triple)
}


def estimated(size: CampaignSize, gpu: str = "A100", book: PriceBook = BOOK, **more: object) -> Estimate:
    return estimate(size, gpu, price_book=book, tiers=TIERS, **more)  # type: ignore[arg-type]


def with_assumptions(**changes: object) -> PriceBook:
    return dataclasses.replace(BOOK, assumptions=dataclasses.replace(BOOK.assumptions, **changes))  # type: ignore[arg-type]


def with_rate(gpu: str, seconds: float) -> PriceBook:
    gpus = dict(BOOK.rates.gpus) | {gpu: AssumedRate(None, seconds, 1.0)}
    return dataclasses.replace(BOOK, rates=dataclasses.replace(BOOK.rates, gpus=gpus))


def spreads(found: Estimate) -> dict[str, Spread]:
    return {name: value for name, value in vars(found).items() if isinstance(value, Spread)}


sizes = st.builds(
    CampaignSize,
    tracks=st.integers(1, 100_000),
    takes_per_track=st.integers(1, 16),
    mean_duration_s=st.floats(10, 600),
    model=st.sampled_from(["acestep-v15-turbo", "acestep-v15-sft", "base"]),
    steps=st.integers(1, 100),
    lm=st.sampled_from(["none", "0.6B", "1.7B", "4B"]),
)
gpus = st.sampled_from(["A100", "RTX 4090", "RTX 3090", "RTX 3060"])


def test_with_nothing_uncertain_the_hours_are_those_of_a_calculation_by_hand() -> None:
    book = with_assumptions(**CERTAIN, runners_up_kept=1)
    size = CampaignSize(tracks=1000, takes_per_track=4, mean_duration_s=240)
    found = estimated(size, "A100", book, provider="Vast.ai")
    a = book.assumptions
    fails = (1 - a.take_yield.mode) ** 4
    takes = 1000 / (1 - fails) * 4 * (1 + a.failed_share.mode)
    start_h = (a.cold_start_min.mode + a.load_min.mode) / 60 + 10 * 8000 / a.download_mbps.mode / 3600
    assert found.takes.p50 == pytest.approx(takes, rel=0.002)
    assert found.hours is not None
    assert found.hours.p50 == pytest.approx(start_h + takes * 2.0 / a.utilisation.mode / 3600, rel=0.002)
    assert found.usd is not None
    assert found.usd.p50 == pytest.approx(found.hours.p50 * 1.5, rel=0.01)
    assert found.generated_gb.p50 == pytest.approx(takes * 240 * 1_000_000 / 8 / 1e9, rel=0.002)


def test_one_take_per_track_on_an_a100_comes_to_the_documents_own_eight_hours() -> None:
    """15,000 songs of four minutes at the claimed bound of 2 s are 8.3 h of pure generation."""
    book = with_assumptions(
        **CERTAIN
        | {
            "take_yield": Triple(1, 1, 1),
            "utilisation": Triple(1, 1, 1),
            "failed_share": Triple(0, 0, 0),
            "cold_start_min": Triple(0, 0, 0),
            "load_min": Triple(0, 0, 0),
        },
        download_gb=0,
    )
    found = estimated(CampaignSize(tracks=15_000, takes_per_track=1, mean_duration_s=240), "A100", book)
    assert found.hours is not None
    assert found.hours.p50 == pytest.approx(15_000 * 2 / 3600)
    assert found.takes.p90 == 15_000


@settings(max_examples=60, deadline=None)
@given(size=sizes, gpu=gpus)
def test_p90_is_never_below_p50_and_everything_is_finite_and_positive(size: CampaignSize, gpu: str) -> None:
    found = estimated(size, gpu)
    for name, spread in spreads(found).items():
        assert spread.p90 >= spread.p50, name
        assert math.isfinite(spread.p90), name
        assert spread.p50 >= 0, name
    assert found.takes.p50 >= size.tracks * size.takes_per_track
    json.dumps(found.to_dict(), allow_nan=False)


@settings(max_examples=60, deadline=None)
@given(size=sizes, gpu=gpus, more=st.integers(1, 1000))
def test_more_tracks_never_take_less(size: CampaignSize, gpu: str, more: int) -> None:
    small = spreads(estimated(size, gpu))
    large = spreads(estimated(dataclasses.replace(size, tracks=size.tracks + more), gpu))
    for name in ("takes", "hours", "gpu_hours", "compute_usd", "generated_gb", "mastering_cpu_h"):
        if name in small:
            assert large[name].p50 >= small[name].p50 * (1 - 1e-9), name
            assert large[name].p90 >= small[name].p90 * (1 - 1e-9), name


@settings(max_examples=40, deadline=None)
@given(size=sizes, seconds=st.floats(0.1, 60), faster=st.floats(1.01, 10))
def test_a_faster_gpu_at_the_same_price_is_cheaper_and_sooner_and_needs_more_cores(
    size: CampaignSize, seconds: float, faster: float
) -> None:
    slow = estimated(size, "A100", with_rate("A100", seconds))
    fast = estimated(size, "A100", with_rate("A100", seconds / faster))
    assert slow.usd is not None
    assert fast.usd is not None
    assert slow.hours is not None
    assert fast.hours is not None
    assert fast.usd.p50 < slow.usd.p50
    assert fast.hours.p90 < slow.hours.p90
    if size.lm == "none":
        assert slow.mastering_cores is not None
        assert fast.mastering_cores is not None
        assert fast.mastering_cores.p50 > slow.mastering_cores.p50


@settings(max_examples=30, deadline=None)
@given(size=sizes, gpu=gpus)
def test_longer_takes_more_steps_a_language_model_and_more_takes_each_cost_time(size: CampaignSize, gpu: str) -> None:
    base = estimated(size, gpu)
    assert base.hours is not None
    for change in (
        {"mean_duration_s": min(600.0, size.mean_duration_s + 30)},
        {"steps": min(100, size.steps + 10)},
        {"lm": size.lm if size.lm != "none" else "0.6B"},
    ):
        slower = estimated(dataclasses.replace(size, **change), gpu)  # type: ignore[arg-type]
        assert slower.hours is not None
        assert slower.hours.p50 >= base.hours.p50 * (1 - 1e-9)


def test_the_evaluation_model_costs_ten_times_the_production_model() -> None:
    turbo = estimated(CampaignSize(200))
    sft = estimated(CampaignSize(200, model="sft", steps=50))
    assert turbo.assumed_s_per_take is not None
    assert sft.assumed_s_per_take is not None
    assert sft.assumed_s_per_take / turbo.assumed_s_per_take == pytest.approx(0.2 + 0.8 * 2 * 50 / 8)


def test_several_servers_shorten_the_night_but_each_pays_its_start() -> None:
    one, four = (estimated(CampaignSize(15_000), servers=n) for n in (1, 4))
    assert one.hours is not None
    assert four.hours is not None
    assert one.gpu_hours is not None
    assert four.gpu_hours is not None
    assert four.hours.p50 < one.hours.p50 / 3
    assert four.gpu_hours.p50 > one.gpu_hours.p50


def test_small_work_costs_a_new_account_the_smallest_deposit() -> None:
    found = estimated(CampaignSize(20), "RTX 3090", provider="RunPod")
    assert found.out_of_pocket_usd == Spread(10, 10)
    assert found.usd is not None
    assert found.usd.p90 < 10


def test_a_card_without_a_price_gets_hours_and_no_money_and_one_without_a_rate_gets_neither() -> None:
    unpriced = estimated(CampaignSize(20), "RTX 3060")
    assert unpriced.hours is not None
    assert (unpriced.usd, unpriced.usd_per_track, unpriced.provider) == (None, None, None)
    unknown = estimated(CampaignSize(20), "H100")
    assert (unknown.hours, unknown.basis, unknown.mastering_cores) == (None, None, None)
    assert unknown.takes.p50 >= 80


def test_a_campaign_that_the_card_cannot_carry_out_says_so() -> None:
    found = estimated(CampaignSize(20, mean_duration_s=300), "RTX 3060", table="mission")
    assert found.refusal is not None
    assert "RTX 3060" in found.refusal
    assert estimated(CampaignSize(20), "A100").refusal is None


def test_the_same_question_gets_the_same_answer() -> None:
    assert estimated(CampaignSize(2000)) == estimated(CampaignSize(2000))


def test_mastering_needs_less_than_a_core_per_a100() -> None:
    cores = estimated(CampaignSize(15_000, takes_per_track=4)).mastering_cores
    assert cores is not None
    assert 0.3 < cores.p90 < 1.5


# ---- Measured rates ----


def measured(**columns: object) -> pl.DataFrame:
    defaults = {"gpu": "NVIDIA GeForce RTX 3090", "model": "acestep-v15-turbo"}
    return pl.DataFrame(defaults | columns)


def test_measured_rates_replace_assumed_ones_and_both_are_shown() -> None:
    size = CampaignSize(2000)
    found = estimated(size, "RTX 3090", measured=measured(seconds=[4.0, 5.0, 6.0], duration_s=180.0))
    assert found.basis == "measured"
    assert found.measured_s_per_take == pytest.approx(5.0)
    assert found.measured_takes == 3
    assert found.assumed_s_per_take == pytest.approx(8.0)
    before = estimated(size, "RTX 3090")
    assert found.hours is not None
    assert before.hours is not None
    assert found.hours.p50 < before.hours.p50
    assert before.basis == "assumed"


def test_measurements_of_other_cards_models_steps_and_language_models_do_not_count() -> None:
    rows = pl.concat(
        [
            measured(seconds=1.0, steps=8, lm="none"),
            measured(seconds=2.0, steps=50, lm="none"),
            measured(seconds=3.0, steps=8, lm="1.7B"),
            measured(seconds=4.0, steps=8, lm="none").with_columns(gpu=pl.lit("A100")),
            measured(seconds=5.0, steps=8, lm="none").with_columns(model=pl.lit("acestep-v15-sft")),
        ]
    )
    found = estimated(CampaignSize(20), "RTX 3090", measured=rows)
    assert (found.measured_takes, found.measured_s_per_take) == (1, 1.0)


def test_a_measurement_at_another_length_is_converted() -> None:
    short = estimated(CampaignSize(20), "RTX 3090", measured=measured(seconds=[2.0], duration_s=[90.0]))
    assert short.measured_s_per_take == pytest.approx(2.0 * (0.2 + 0.8 * 180 / 240) / (0.2 + 0.8 * 90 / 240))


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf"), None])
def test_a_measurement_that_cannot_be_one_is_left_out(seconds: float | None) -> None:
    frame = measured(seconds=pl.Series([seconds], dtype=pl.Float64))
    assert estimated(CampaignSize(20), "RTX 3090", measured=frame).basis == "assumed"


def test_a_frame_without_seconds_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"measured rates: no column seconds"):
        estimated(CampaignSize(20), "RTX 3090", measured=pl.DataFrame({"gpu": ["A100"], "model": ["turbo"]}))


# ---- What is refused ----


@pytest.mark.parametrize(
    "change",
    [{"tracks": 0}, {"takes_per_track": 0}, {"mean_duration_s": 601}, {"steps": 0}, {"mean_duration_s": math.nan}],
)
def test_a_campaign_that_cannot_be_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(change))):
        CampaignSize(**{"tracks": 1} | change)  # type: ignore[arg-type]


def test_unknown_providers_cards_and_numbers_of_servers_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"provider: Cloudy, expected one of RunPod, Vast.ai"):
        estimated(CampaignSize(1), provider="Cloudy")
    with pytest.raises(ConfigError, match=r"GPU: TPU"):
        estimated(CampaignSize(1), "TPU")
    with pytest.raises(ConfigError, match=r"servers: 0"):
        estimated(CampaignSize(1), servers=0)
    with pytest.raises(ConfigError, match=r"language model: 13B"):
        estimated(CampaignSize(1, lm="13B"))


# ---- The year, the distribution ----


def test_the_year_speaks_of_the_volume_that_murekas_figure_buys() -> None:
    mureka, own, hybrid = yearly_table(BOOK, TIERS)
    assert (mureka.approach, own.approach, hybrid.approach) == ("Mureka only", "ACE-Step only", "hybrid")
    assert (mureka.tracks_low, mureka.tracks_high) == (60_000, 120_000)
    assert (mureka.low_usd, mureka.high_usd) == (pytest.approx(4000), pytest.approx(8000))
    assert own.low_usd is not None
    assert own.high_usd is not None
    assert hybrid.low_usd is not None
    assert hybrid.high_usd is not None
    assert own.low_usd < hybrid.low_usd < 4000
    assert own.high_usd < hybrid.high_usd < 8000
    assert hybrid.low_usd == pytest.approx(2000 + own.low_usd / 2, rel=0.1)


def test_a_year_without_a_price_stays_empty() -> None:
    book = dataclasses.replace(BOOK, year=dataclasses.replace(BOOK.year, gpu="RTX 3060"))
    mureka, own, hybrid = yearly_table(book, TIERS)
    assert mureka.low_usd == pytest.approx(4000)
    assert (own.low_usd, hybrid.high_usd) == (None, None)


@given(
    numbers=st.tuples(st.floats(0, 100), st.floats(0, 100), st.floats(0, 100)),
    u=st.floats(0, 1),
)
def test_a_triangular_quantile_stays_within_its_ends(numbers: tuple[float, float, float], u: float) -> None:
    low, mode, high = sorted(numbers)
    value = float(Triple(low, mode, high).quantile(np.array(u)))
    assert low - 1e-9 <= value <= high + 1e-9


def test_a_triangular_quantile_agrees_with_scipy() -> None:
    from scipy.stats import triang

    u = np.linspace(0, 1, 101)
    mine = Triple(1.0, 2.0, 5.0).quantile(u)
    assert mine == pytest.approx(triang.ppf(u, c=0.25, loc=1, scale=4))


def stored_takes() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "take_id": list("abcde"),
            "preview": [False, False, True, False, False],
            "gpu": ["RTX 3090", "RTX 3090", "RTX 3090", None, "RTX 3090"],
            "requested_model": ["acestep-v15-turbo"] * 5,
            "server_s": [6.0, 8.0, 0.1, 5.0, None],
            "lm_model": ["acestep-5Hz-lm-1.7B"] * 5,
            "duration_s": [180.0, 180.0, 180.0, 180.0, None],
        }
    )


def test_stored_takes_are_measurements_and_preview_takes_are_not() -> None:
    found = estimated(CampaignSize(20), "RTX 3090", measured=measured_from_takes(stored_takes()))
    assert (found.measured_takes, found.measured_s_per_take) == (2, pytest.approx(7.0))


def test_the_request_tells_whether_the_loaded_language_model_was_used() -> None:
    plan = pl.DataFrame(
        {
            "take_id": ["a", "b"],
            "request_json": ['{"inference_steps": 8, "thinking": true}', '{"inference_steps": 8, "thinking": false}'],
        }
    )
    rows = measured_from_takes(stored_takes(), plan)
    with_lm = estimated(CampaignSize(20, lm="1.7B"), "RTX 3090", measured=rows)
    without = estimated(CampaignSize(20), "RTX 3090", measured=rows)
    assert (with_lm.measured_takes, with_lm.measured_s_per_take) == (1, pytest.approx(6.0))
    assert (without.measured_takes, without.measured_s_per_take) == (1, pytest.approx(8.0))
    assert estimated(CampaignSize(20, steps=20), "RTX 3090", measured=rows).basis == "assumed"


def test_the_manifests_table_has_every_column_that_a_measurement_needs() -> None:
    assert {"take_id", "preview", "gpu", "requested_model", "server_s", "lm_model", "duration_s"} <= set(
        Takes.columns()
    )


def test_a_language_model_that_a_server_names_without_a_size_is_no_measurement_of_the_campaigns() -> None:
    rows = measured(seconds=[1.0, 3.0], lm=["mystery", "acestep-5Hz-lm-1.7B"])
    found = estimated(CampaignSize(20, lm="1.7B"), "RTX 3090", measured=rows)
    assert (found.measured_takes, found.measured_s_per_take) == (1, pytest.approx(3.0))
