"""How fast a GPU makes a take: the published claims, assumed until a server was measured, and the measurements.

Both are shown side by side; the measured one counts. What a GPU may be asked at all lives in `tiers`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from ace_assets.acestep.assumptions import Assumptions
from ace_assets.acestep.models import family_of, full_name
from ace_assets.acestep.tiers import NO_LM, Tiers, lm_size, plain_gpu_name
from ace_assets.errors import ConfigError
from ace_assets.toml_section import Section

ASSUMED = "assumed"
MEASURED = "measured"
MEASURED_COLUMNS = ("gpu", "model", "seconds")


@dataclass(frozen=True)
class AssumedRate:
    """What is said of a GPU: seconds for one reference song.

    Args:
        low_s: the fast end, None where only a bound was given ("<2 seconds").
        high_s: the slow end, or the bound.
        lm_factor: how much slower than an A100 the language model runs.
    """

    low_s: float | None
    high_s: float
    lm_factor: float

    @property
    def central_s(self) -> float:
        """The middle of a range; a bound itself, since nothing better was promised."""
        return self.high_s if self.low_s is None else (self.low_s + self.high_s) / 2


@dataclass(frozen=True)
class RateBook:
    """The assumed rates and the song that they are said of."""

    source: str
    reference_model: str
    reference_steps: int
    reference_duration_s: float
    gpus: Mapping[str, AssumedRate]

    def of(self, gpu: str) -> AssumedRate | None:
        """Return what is assumed of a GPU, None where nothing is."""
        wanted = plain_gpu_name(gpu)
        return next((rate for name, rate in self.gpus.items() if plain_gpu_name(name) == wanted), None)


@dataclass(frozen=True)
class TakeTime:
    """Seconds of GPU time for one take of a profile.

    Args:
        basis: `assumed` or `measured`.
        seconds: the expected time of one take, language model included.
        standard_error_s: how far the mean of the measurements may be off; 0 where assumed.
        samples: number of measurements; 0 where assumed.
    """

    basis: str
    seconds: float
    standard_error_s: float = 0.0
    samples: int = 0


def parse_rates(reader: Section) -> RateBook:
    """Return the rates of a parsed file.

    Raises:
        ConfigError: the first entry that is not what it should be.
    """
    reader.only("source", "reference_model", "reference_steps", "reference_duration_s", "gpus")
    gpus = {}
    for name, entry in reader.sections("gpus").items():
        entry.only("low_s", "high_s", "lm_factor")
        low_s = entry.optional_number("low_s", low=0.01)
        gpus[name] = AssumedRate(low_s, entry.number("high_s", low=low_s or 0.01), entry.number("lm_factor", low=0.01))
    return RateBook(
        source=reader.text("source"),
        reference_model=full_name(reader.text("reference_model")),
        reference_steps=int(reader.number("reference_steps", low=1)),
        reference_duration_s=reader.number("reference_duration_s", low=1),
        gpus=gpus,
    )


def length_factor(duration_s: float, book: RateBook, assumptions: Assumptions) -> float:
    """Return a take's time relative to the reference song, by its length alone.

    One share is fixed, the rest grows with the length: an assumption (`fixed_share`), until lengths were measured.
    """
    return assumptions.fixed_share + (1 - assumptions.fixed_share) * duration_s / book.reference_duration_s


def steps_factor(model: str, steps: int, book: RateBook, assumptions: Assumptions) -> float:
    """Return a take's time relative to the reference model, by steps and guidance.

    Decoding stays, the diffusion grows with its steps, and guided models evaluate each step twice: an assumption.
    """
    guided = assumptions.guidance_factor if family_of(model).guided else 1.0
    return 1 - assumptions.dit_share + assumptions.dit_share * guided * steps / book.reference_steps


def assumed_take_time(
    gpu: str, *, model: str, steps: int, lm: str | None, duration_s: float, book: RateBook, assumptions: Assumptions
) -> TakeTime | None:
    """Return the assumed time of one take, None where nothing is said of the GPU.

    Raises:
        ConfigError: nothing is assumed of this language model.
    """
    rate = book.of(gpu)
    if rate is None:
        return None
    seconds = rate.central_s * steps_factor(model, steps, book, assumptions)
    seconds *= length_factor(duration_s, book, assumptions)
    size = lm_size(lm)
    if size != NO_LM:
        per_minute_s = assumptions.lm_s_per_minute.get(size)
        if per_minute_s is None:
            raise ConfigError(
                "language model",
                value=lm,
                expected="one of none, " + ", ".join(assumptions.lm_s_per_minute),
                remedy="add it to lm_s_per_minute in prices.toml",
            )
        seconds += per_minute_s * rate.lm_factor * duration_s / 60
    return TakeTime(ASSUMED, seconds)


def measured_take_time(
    gpu: str,
    measured: pl.DataFrame | None,
    *,
    model: str,
    steps: int,
    lm: str | None,
    duration_s: float,
    book: RateBook,
    assumptions: Assumptions,
    tiers: Tiers,
) -> TakeTime | None:
    """Return the mean measured time of one take, None where nothing was measured for this profile.

    Args:
        gpu: the card's name as `tiers` knows it.
        measured: one row per measured take. Columns `gpu`, `model`, `seconds`; and, where known, `steps`, `lm` and
            `duration_s`. A value that is NULL is taken for the campaign's own.
        model: the DiT model; rows of other models do not count.
        steps: inference steps.
        lm: language model, None for none.
        duration_s: length that the times are converted to.
        book: the reference song, for the conversion.
        assumptions: how time grows with length.
        tiers: the names of GPUs.

    Raises:
        ConfigError: a column is missing.
    """
    if measured is None or measured.is_empty():
        return None
    missing = [name for name in MEASURED_COLUMNS if name not in measured.columns]
    if missing:
        raise ConfigError(
            "measured rates",
            value="no column " + ", ".join(missing),
            expected="columns " + ", ".join(MEASURED_COLUMNS),
            remedy="run `ace-assets servers probe` again",
        )
    columns = {"steps": pl.Int64, "lm": pl.String, "duration_s": pl.Float64}
    rows = measured.with_columns(
        pl.lit(None, dtype=kind).alias(name) for name, kind in columns.items() if name not in measured.columns
    )
    rows = rows.with_columns(
        seconds=pl.col("seconds").cast(pl.Float64), duration_s=pl.col("duration_s").fill_null(duration_s)
    )
    rows = rows.filter(
        pl.col("gpu").is_in(_names_of(rows["gpu"], lambda name: tiers.aliases.get(plain_gpu_name(name), name) == gpu)),
        pl.col("model").is_in(_names_of(rows["model"], lambda name: full_name(name) == full_name(model))),
        pl.col("lm").is_null() | pl.col("lm").is_in(_names_of(rows["lm"], lambda name: _same_lm(name, lm))),
        pl.col("steps").is_null() | (pl.col("steps") == steps),
        pl.col("seconds").is_finite() & (pl.col("seconds") > 0) & (pl.col("duration_s") > 0),
    )
    if rows.is_empty():
        return None
    fixed, growing = assumptions.fixed_share, (1 - assumptions.fixed_share) / book.reference_duration_s
    array = (rows["seconds"] / (fixed + growing * rows["duration_s"])).to_numpy()
    array = array * length_factor(duration_s, book, assumptions)
    error_s = float(array.std(ddof=1) / math.sqrt(len(array))) if len(array) > 1 else 0.0
    return TakeTime(MEASURED, float(array.mean()), error_s, len(array))


def _names_of(column: pl.Series, matches: Callable[[str], bool]) -> list[str]:
    """Return the names in a column that match; each distinct name is looked at once."""
    return [name for name in column.drop_nulls().unique().cast(pl.String) if matches(name)]


def _same_lm(name: str, lm: str | None) -> bool:
    try:
        return lm_size(name) == lm_size(lm)
    except ConfigError:  # a server may report any name; one without a size is not the campaign's
        return False


def measured_from_takes(takes: pl.DataFrame, plan: pl.DataFrame | None = None) -> pl.DataFrame:
    """Return the measured seconds of stored takes, in the columns that `measured_take_time` reads.

    A server reports the language model that it has loaded, used or not; only the request tells whether it was used.

    Args:
        takes: manifests (`tables.Takes`), one or many cells. Preview takes and takes without a known GPU do not count.
        plan: the planned takes (`tables.PlannedTakes`) with their requests; without it steps and language model are
            left open, and takes of the same model count whatever theirs were.
    """
    found = takes.filter(~pl.col("preview"), pl.col("gpu").is_not_null(), pl.col("server_s").is_not_null())
    columns = [
        pl.col("gpu"),
        pl.col("requested_model").alias("model"),
        pl.col("server_s").alias("seconds"),
        pl.col("duration_s"),
    ]
    if plan is None:
        return found.select(columns)

    def asked(name: str) -> pl.Expr:
        return pl.col("request_json").str.json_path_match(f"$.{name}")

    used_lm = pl.coalesce(asked("lm_model_path"), pl.col("lm_model"))
    return found.join(plan.select("take_id", "request_json"), on="take_id", how="left").select(
        *columns,
        asked("inference_steps").cast(pl.Int64, strict=False).alias("steps"),
        pl.when(pl.col("request_json").is_null())
        .then(None)
        .when(asked("thinking") == "true")
        .then(used_lm)
        .otherwise(pl.lit(NO_LM))
        .alias("lm"),
    )
