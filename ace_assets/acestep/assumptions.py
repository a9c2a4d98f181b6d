"""What an estimate takes for granted, as typed data: triangular distributions and shares, read from `prices.toml`.

Nothing here is measured. A number that was measured replaces its assumption in `rates` and `estimate`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ace_assets.acestep.tiers import lm_size
from ace_assets.toml_section import Section, is_number


@dataclass(frozen=True)
class Triple:
    """A triangular distribution: lowest, most likely and highest value.

    >>> float(Triple(0.0, 1.0, 2.0).quantile(np.array(0.5)))
    1.0
    """

    low: float
    mode: float
    high: float

    def quantile(self, u: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the values below which the shares `u` (0 to 1) of the distribution lie; same shape as `u`."""
        width = self.high - self.low
        if width == 0:
            return np.full_like(u, self.low)
        rising = self.low + np.sqrt(u * width * (self.mode - self.low))
        falling = self.high - np.sqrt((1 - u) * width * (self.high - self.mode))
        return np.where(u * width < self.mode - self.low, rising, falling)


@dataclass(frozen=True)
class Assumptions:
    """Everything that an estimate assumes; `gpu/prices.toml` says what each one means.

    Shares and factors are plain numbers; names end in their unit.
    """

    dit_share: float
    guidance_factor: float
    fixed_share: float
    lm_s_per_minute: Mapping[str, float]
    rate_spread: Triple
    measured_spread: Triple
    take_yield: Triple
    utilisation: Triple
    cold_start_min: Triple
    load_min: Triple
    download_gb: float
    download_mbps: Triple
    failed_share: Triple
    flac_kbps: float
    mp3_kbps: float
    runners_up_kept: float
    storage_months: float
    scoring_cpu_s: float
    mastering_cpu_s: float
    client_cpu_s: float


def parse_assumptions(reader: Section) -> Assumptions:
    """Return the assumptions of a parsed file.

    Raises:
        ConfigError: the first entry that is not what it should be.
    """
    reader.only(*Assumptions.__dataclass_fields__)

    def share(name: str) -> Triple:
        return parse_triple(reader, name, low=0.001 if name != "failed_share" else 0.0, high=1.0)

    lm_reader = reader.section("lm_s_per_minute")
    return Assumptions(
        dit_share=reader.number("dit_share", high=1.0),
        guidance_factor=reader.number("guidance_factor", low=1.0),
        fixed_share=reader.number("fixed_share", high=1.0),
        lm_s_per_minute={lm_size(name): seconds for name, seconds in lm_reader.all_numbers().items()},
        rate_spread=parse_triple(reader, "rate_spread", low=0.01),
        measured_spread=parse_triple(reader, "measured_spread", low=0.01),
        take_yield=share("take_yield"),
        utilisation=share("utilisation"),
        cold_start_min=parse_triple(reader, "cold_start_min"),
        load_min=parse_triple(reader, "load_min"),
        download_gb=reader.number("download_gb"),
        download_mbps=parse_triple(reader, "download_mbps", low=0.1),
        failed_share=share("failed_share"),
        flac_kbps=reader.number("flac_kbps"),
        mp3_kbps=reader.number("mp3_kbps"),
        runners_up_kept=reader.number("runners_up_kept"),
        storage_months=reader.number("storage_months"),
        scoring_cpu_s=reader.number("scoring_cpu_s"),
        mastering_cpu_s=reader.number("mastering_cpu_s"),
        client_cpu_s=reader.number("client_cpu_s"),
    )


def parse_triple(reader: Section, name: str, *, low: float = 0.0, high: float = float("inf")) -> Triple:
    """Return a `[low, most likely, high]` entry.

    Raises:
        ConfigError: it is not three rising numbers within bounds.
    """
    value = reader.data.get(name)
    within = f" from {low:g}" + (f" to {high:g}" if math.isfinite(high) else "")
    expected = f"[low, most likely, high], three rising numbers{within}"
    if not isinstance(value, list) or len(value) != 3 or not all(is_number(item, low=low, high=high) for item in value):
        raise reader.bad(name, expected)
    if value != sorted(value):
        raise reader.bad(name, expected, "sort the three numbers")
    return Triple(*map(float, value))
