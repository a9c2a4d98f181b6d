"""What a GPU may be asked: longest take, largest batch, which language model.

The server clamps a request beyond its tier in silence, and three published tables disagree about where that is. The
tables are therefore data (`gpu/tiers.toml`), chosen by name per server, and a server's own measurement wins over each.
Requests are held against the limit in `tier_check`; how fast a GPU is lives in `rates`; what it costs in `prices`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeVar

from ace_assets import shipped
from ace_assets.acestep.models import full_name
from ace_assets.errors import ConfigError
from ace_assets.toml_section import Section, is_number, read_toml

T = TypeVar("T")

NO_LM = "none"
API_MAX_DURATION_S = 600.0  # the API's own range, whatever the GPU
API_MAX_BATCH = 8
LM_NAME = re.compile(r"(\d+(?:\.\d+)?)B$", re.IGNORECASE)
GPU_NOISE = re.compile(r"nvidia|geforce|gb|[\s_\-]", re.IGNORECASE)


@dataclass(frozen=True)
class TierRow:
    """One row of a table: the memory that it holds for, and what is allowed there.

    Args:
        bound_gb: memory up to which the row holds; infinite in the last row.
        bound_included: whether memory of exactly `bound_gb` belongs to this row.
        with_lm: longest take in seconds and largest batch while a language model is loaded.
        without_lm: the same with none.
        lm_models: sizes of language model that the table allows, e.g. `("0.6B", "1.7B")`.
    """

    bound_gb: float
    bound_included: bool
    with_lm: tuple[float, int]
    without_lm: tuple[float, int]
    lm_models: tuple[str, ...]

    def holds(self, memory_gb: float) -> bool:
        """Say whether a card that reports `memory_gb` falls into this row, rows above it set aside."""
        return memory_gb < self.bound_gb or (self.bound_included and memory_gb == self.bound_gb)


@dataclass(frozen=True)
class TierTable:
    """A named table: where it comes from, which needs of the language models go with it, its rows in rising memory."""

    name: str
    source: str
    lm_memory: str
    rows: tuple[TierRow, ...]


@dataclass(frozen=True)
class Gpu:
    """A card: its name and the memory that it reports."""

    name: str
    memory_gb: float


@dataclass(frozen=True)
class MeasuredTier:
    """What one server or GPU was measured to deliver; None where nothing was measured.

    Args:
        max_duration_s: longest take that came back at full length.
        max_batch: largest batch that came back whole.
        lm_models: language models that answered.
        memory_gb: memory that the card reports.
        offload: the server moves parts to main memory, so that the larger part counts and not their sum.
        note: when and how it was measured.
    """

    max_duration_s: float | None = None
    max_batch: int | None = None
    lm_models: tuple[str, ...] | None = None
    memory_gb: float | None = None
    offload: bool | None = None
    note: str = ""


@dataclass(frozen=True)
class TierLimit:
    """What may be asked of a GPU.

    Args:
        gpu: the card's name, or its memory in words where no name was given.
        memory_gb: memory that the card reports.
        table: name of the table that says so; `measured` where a measurement overrode it.
        max_duration_s: longest take.
        max_batch: most variations in one request.
        lm_models: allowed language models, the smallest first.
        lm_memory_gb: what each language model adds to the DiT.
        offload: whether the parts take turns on the GPU.
    """

    gpu: str
    memory_gb: float
    table: str
    max_duration_s: float
    max_batch: int
    lm_models: tuple[str, ...]
    lm_memory_gb: Mapping[str, float]
    offload: bool = False


@dataclass(frozen=True)
class Tiers:
    """The content of `tiers.toml`, checked."""

    default_table: str
    tables: Mapping[str, TierTable]
    lm_memory_gb: Mapping[str, Mapping[str, float]]
    dit_memory_gb: Mapping[str, float]
    gpus: Mapping[str, Gpu]
    aliases: Mapping[str, str]
    measured: Mapping[str, MeasuredTier] = field(default_factory=dict)
    path: str = "tiers.toml"

    def gpu(self, name: str) -> Gpu:
        """Return the card that goes by this name.

        Raises:
            ConfigError: no card is known by it.
        """
        found = self.aliases.get(plain_gpu_name(name))
        if found is None:
            raise ConfigError(
                "GPU",
                value=name,
                expected="one of " + ", ".join(self.gpus),
                remedy=f"correct the name, give its memory in GB, or add [gpus.{name!r}] to {self.path}",
            )
        return self.gpus[found]

    def table(self, name: str | None = None) -> TierTable:
        """Return a table by name, the default one for None.

        Raises:
            ConfigError: there is no such table.
        """
        wanted = self.default_table if name is None else name
        if wanted not in self.tables:
            raise ConfigError(
                "tier table", value=wanted, expected="one of " + ", ".join(self.tables), remedy="correct the name"
            )
        return self.tables[wanted]

    def dit_gb(self, model: str | None) -> float:
        """Return the memory in GB that the weights of a DiT model take."""
        name = full_name(model or "")
        matches = [start for start in self.dit_memory_gb if start != "default" and name.startswith(start)]
        return self.dit_memory_gb[max(matches, key=len) if matches else "default"]


def plain_gpu_name(name: str) -> str:
    """Return a GPU's name without maker, spaces, dashes and case, for comparing.

    >>> plain_gpu_name("NVIDIA GeForce RTX 3090")
    'rtx3090'
    """
    return GPU_NOISE.sub("", name).lower()


def lm_size(name: str | None) -> str:
    """Return a language model's size as the tables write it; `none` for no language model.

    >>> lm_size("acestep-5Hz-lm-1.7B"), lm_size("4b"), lm_size(None)
    ('1.7B', '4B', 'none')

    Raises:
        ConfigError: the name does not end in a size.
    """
    if name is None or name.strip().lower() in {"", NO_LM}:
        return NO_LM
    match = LM_NAME.search(name.strip())
    if match is None:
        raise ConfigError(
            "language model", value=name, expected="none or a name that ends in its size, such as 1.7B",
            remedy="correct the name",
        )  # fmt: skip
    return f"{match.group(1)}B"


def billions(lm: str) -> float:
    """Return the parameters in billions that a size such as `1.7B` names."""
    return float(lm[:-1])


def load_tiers(path: Path | None = None) -> Tiers:
    """Read and check a tiers file.

    Args:
        path: the file; the one that ships with the package for None.

    Raises:
        ConfigError: the file cannot be read, or one entry is not what it should be; the first one is named.
    """
    return _shipped_tiers() if path is None else parse_tiers(read_toml(path), name=path.name)


@cache
def _shipped_tiers() -> Tiers:
    file = shipped.path("gpu") / "tiers.toml"
    return parse_tiers(read_toml(file), name=file.name)


def parse_tiers(data: Mapping[str, object], *, name: str = "tiers.toml") -> Tiers:
    """Check parsed TOML and return it typed.

    Raises:
        ConfigError: the first entry that is not what it should be.
    """
    top = Section(dict(data), name)
    top.only("default_table", "tables", "lm_memory_gb", "dit_memory_gb", "gpus", "measured")
    lm_memory = {key: _sizes(reader) for key, reader in top.sections("lm_memory_gb").items()}
    tables = {key: _table(key, reader, lm_memory) for key, reader in top.sections("tables").items()}
    dit_memory = top.section("dit_memory_gb").all_numbers()
    if "default" not in dit_memory:
        raise top.section("dit_memory_gb").bad("default", "the memory of an unnamed model in GB")
    gpus: dict[str, Gpu] = {}
    aliases: dict[str, str] = {}
    for gpu_name, reader in top.sections("gpus").items():
        reader.only("memory_gb", "aliases")
        gpus[gpu_name] = Gpu(gpu_name, reader.number("memory_gb", low=0.5, high=1024))
        for alias in (gpu_name, *reader.texts("aliases", required=True)):
            known = aliases.setdefault(plain_gpu_name(alias), gpu_name)
            if known != gpu_name:
                raise ConfigError(
                    f"{reader.where} {alias}", expected="a name of its own",
                    remedy=f"{known} has this name already; remove one",
                )  # fmt: skip
    default_table = top.text("default_table")
    if default_table not in tables:
        raise ConfigError(
            f"{name} default_table", value=default_table, expected="one of " + ", ".join(tables), remedy="correct it"
        )
    measured: dict[str, MeasuredTier] = {}
    if "measured" in top.data:
        for key, reader in top.sections("measured").items():
            if plain_gpu_name(key) not in aliases:
                raise ConfigError(
                    reader.where, expected="a GPU of [gpus]: " + ", ".join(gpus), remedy="correct the name"
                )
            measured[aliases[plain_gpu_name(key)]] = _measured(reader)
    return Tiers(default_table, tables, lm_memory, dit_memory, gpus, aliases, measured, name)


def _sizes(reader: Section) -> dict[str, float]:
    return {lm_size(key): value for key, value in reader.all_numbers().items()}


def _table(name: str, reader: Section, lm_memory: Mapping[str, Mapping[str, float]]) -> TierTable:
    reader.only("source", "lm_memory", "rows")
    needs = reader.text("lm_memory")
    if needs not in lm_memory:
        raise ConfigError(
            f"{reader.where} lm_memory", value=needs, expected="one of " + ", ".join(lm_memory), remedy="correct it"
        )
    rows = [_row(row) for row in reader.rows("rows")]
    bounds = [row.bound_gb for row in rows]
    if bounds != sorted(set(bounds)):
        raise ConfigError(f"{reader.where} rows", value=bounds, expected="rising bounds", remedy="sort the rows")
    if math.isfinite(bounds[-1]):
        raise ConfigError(
            f"{reader.where} rows", value=f"the last row ends at {bounds[-1]:g} GB",
            expected="a last row without up_to_gb and below_gb", remedy="add one for the largest cards",
        )  # fmt: skip
    for row in rows:
        for lm in row.lm_models:
            if lm not in lm_memory[needs]:
                raise ConfigError(
                    f"{reader.where} lm", value=lm, expected="one of " + ", ".join(lm_memory[needs]),
                    remedy=f"correct it or add its memory to [lm_memory_gb.{needs}]",
                )  # fmt: skip
    return TierTable(name, reader.text("source"), needs, tuple(rows))


def _row(reader: Section) -> TierRow:
    reader.only("up_to_gb", "below_gb", "with_lm", "without_lm", "lm")
    up_to, below = reader.optional_number("up_to_gb"), reader.optional_number("below_gb")
    if up_to is not None and below is not None:
        raise ConfigError(reader.where, value="both bounds", expected="up_to_gb or below_gb", remedy="remove one")
    bound = up_to if up_to is not None else below
    return TierRow(
        bound_gb=math.inf if bound is None else bound,
        bound_included=below is None,
        with_lm=_pair(reader, "with_lm"),
        without_lm=_pair(reader, "without_lm"),
        lm_models=tuple(sorted((lm_size(lm) for lm in reader.texts("lm", required=True)), key=billions)),
    )


def _pair(reader: Section, name: str) -> tuple[float, int]:
    value = reader.data.get(name)
    if (
        not isinstance(value, list)
        or len(value) != 2
        or not is_number(value[0], low=1, high=API_MAX_DURATION_S)
        or not is_number(value[1], low=1, high=API_MAX_BATCH)
        or value[1] != int(value[1])
    ):
        raise reader.bad(name, f"[seconds 1 to {API_MAX_DURATION_S:g}, batch 1 to {API_MAX_BATCH}]")
    return float(value[0]), int(value[1])


def _measured(reader: Section) -> MeasuredTier:
    reader.only("max_duration_s", "max_batch", "lm", "memory_gb", "offload", "note")
    batch = reader.optional_number("max_batch", low=1)
    return MeasuredTier(
        max_duration_s=reader.optional_number("max_duration_s", low=1),
        max_batch=None if batch is None else int(batch),
        lm_models=tuple(sorted(map(lm_size, reader.texts("lm")), key=billions)) if "lm" in reader.data else None,
        memory_gb=reader.optional_number("memory_gb", low=0.5),
        offload=reader.flag("offload"),
        note=reader.text("note", ""),
    )


def limit_for(
    gpu: str | float,
    *,
    table: str | None = None,
    lm: str | None = None,
    tiers: Tiers | None = None,
    measured: MeasuredTier | None = None,
) -> TierLimit:
    """Return what may be asked of a GPU.

    Args:
        gpu: the card's name, or the memory in GB that it reports.
        table: name of the tier table; the file's default for None.
        lm: the language model that is loaded, `none` or None for none.
        tiers: the tables; those that ship with the package for None.
        measured: what this server was measured to deliver; wins over the file's [measured], which wins over the table.

    Raises:
        ConfigError: the GPU, the table or the language model is not known.

    >>> limit_for("RTX 3090", table="mission").max_duration_s
    300.0
    """
    book = load_tiers() if tiers is None else tiers
    if isinstance(gpu, str):
        card = book.gpu(gpu)
        known = book.measured.get(card.name, MeasuredTier())
    else:
        if not is_number(gpu, low=0.5, high=1024):
            raise ConfigError(
                "GPU memory", value=gpu, expected="gigabytes from 0.5 to 1024", remedy="name the card instead"
            )
        card, known = Gpu(f"GPU of {gpu:g} GB", float(gpu)), MeasuredTier()
    probe = MeasuredTier() if measured is None else measured
    memory_gb = _first(probe.memory_gb, known.memory_gb, card.memory_gb)
    chosen = book.table(table)
    row = next(row for row in chosen.rows if row.holds(memory_gb))
    max_duration_s, max_batch = row.without_lm if lm_size(lm) == NO_LM else row.with_lm
    overridden = any(
        value is not None for m in (probe, known) for value in (m.max_duration_s, m.max_batch, m.lm_models)
    )
    return TierLimit(
        gpu=card.name,
        memory_gb=memory_gb,
        table=f"{chosen.name}, overridden by measurement" if overridden else chosen.name,
        max_duration_s=_first(probe.max_duration_s, known.max_duration_s, max_duration_s),
        max_batch=_first(probe.max_batch, known.max_batch, max_batch),
        lm_models=_first(probe.lm_models, known.lm_models, row.lm_models),
        lm_memory_gb=book.lm_memory_gb[chosen.lm_memory],
        offload=_first(probe.offload, known.offload, False),
    )


def _first(*values: T | None) -> T:
    return next(value for value in values if value is not None)
