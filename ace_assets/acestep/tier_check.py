"""Holds a request against what its GPU may be asked, before anything is sent: duration, batch, language model, memory.

The server would clamp it in silence. The limits themselves are data, see `tiers`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from ace_assets.acestep.tiers import NO_LM, MeasuredTier, TierLimit, Tiers, billions, limit_for, lm_size, load_tiers
from ace_assets.errors import RequestError


def check(
    *,
    duration_s: float,
    batch_size: int = 1,
    lm: str | None = None,
    gpu: str | float,
    model: str | None = None,
    table: str | None = None,
    tiers: Tiers | None = None,
    measured: MeasuredTier | None = None,
) -> TierLimit:
    """Refuse a request that this GPU cannot carry out as asked, before anything is sent.

    Args:
        duration_s: length of the take.
        batch_size: variations in one request.
        lm: the language model that the request needs; `none` or None for none.
        gpu: the card's name, or the memory in GB that it reports.
        model: the DiT model, for its memory.
        table: name of the tier table; the file's default for None.
        tiers: the tables; those that ship with the package for None.
        measured: what this server was measured to deliver.

    Returns:
        The limit that the request keeps.

    Raises:
        RequestError: the request is beyond the limit; names GPU, table, limit and the way out.
        ConfigError: the GPU, the table or the language model is not known.
    """
    book = load_tiers() if tiers is None else tiers
    wanted = _Wanted(duration_s, batch_size, lm_size(lm), book.dit_gb(model))
    limit = limit_for(gpu, table=table, lm=wanted.lm, tiers=book, measured=measured)
    broken = _broken_rule(wanted, limit)
    if broken is None:
        return limit
    free = limit_for(gpu, table=table, lm=NO_LM, tiers=book, measured=measured)
    ways = list(broken.ways)
    if _broken_rule(replace(wanted, lm=NO_LM), free) is None and wanted.lm != NO_LM:
        ways.append("use no language model")
    larger = (
        card
        for card in sorted(book.gpus.values(), key=lambda card: card.memory_gb)
        if card.memory_gb > limit.memory_gb
        and _broken_rule(wanted, limit_for(card.name, table=table, lm=wanted.lm, tiers=book)) is None
    )
    card = next(larger, None)
    ways.append("use a larger GPU" + (f" such as {card.name}" if card else f" (none of {book.path} is large enough)"))
    raise RequestError(
        f"{broken.quantity} on {limit.gpu} ({limit.memory_gb:g} GB, tier table {limit.table})",
        value=broken.value,
        expected=broken.expected,
        remedy=", or ".join(ways),
        rule=broken.rule,
    )


class TieredServer(Protocol):
    """What is declared of a server's GPU, as `servers.Server` holds it."""

    @property
    def gpu(self) -> str | None:
        """The card's name."""

    @property
    def memory_gb(self) -> float | None:
        """What the card reports."""

    @property
    def tier_table(self) -> str | None:
        """The table that the server's version enforces."""

    @property
    def offload(self) -> bool | None:
        """Whether it moves parts of the models to main memory."""


def check_server(
    server: TieredServer,
    *,
    duration_s: float,
    batch_size: int = 1,
    lm: str | None = None,
    model: str | None = None,
    measured_duration_s: float | None = None,
    measured_batch: int | None = None,
    tiers: Tiers | None = None,
) -> TierLimit | None:
    """Refuse a request that this server cannot carry out as asked, before anything is sent.

    Args:
        server: what is declared of it.
        duration_s: length of the take.
        batch_size: variations in one request.
        lm: the language model that the request needs; `none` or None for none.
        model: the DiT model, for its memory.
        measured_duration_s: longest take that it was measured to deliver; takes end on a 40 ms grid.
        measured_batch: largest batch that it was measured to deliver.
        tiers: the tables; those that ship with the package for None.

    Returns:
        The limit that the request keeps; None where neither the card nor its memory is declared.

    Raises:
        RequestError: the request is beyond the limit.
        ConfigError: the card, the table or the language model is not known.
    """
    gpu = server.memory_gb if server.gpu is None else server.gpu
    if gpu is None:
        return None
    measured = MeasuredTier(
        max_duration_s=None if measured_duration_s is None else round(measured_duration_s),
        max_batch=measured_batch,
        memory_gb=server.memory_gb,
        offload=server.offload,
    )
    return check(
        duration_s=duration_s,
        batch_size=batch_size,
        lm=lm,
        gpu=gpu,
        model=model,
        table=server.tier_table,
        tiers=tiers,
        measured=measured,
    )


@dataclass(frozen=True)
class _Wanted:
    duration_s: float
    batch_size: int
    lm: str
    dit_gb: float


@dataclass(frozen=True)
class _Broken:
    rule: str
    quantity: str
    value: str
    expected: str
    ways: tuple[str, ...]


def _broken_rule(wanted: _Wanted, limit: TierLimit) -> _Broken | None:
    """Return the first rule that the request breaks, or None."""
    with_lm = "" if wanted.lm == NO_LM else f" with language model {wanted.lm}"
    if wanted.lm != NO_LM:
        largest = limit.lm_models[-1] if limit.lm_models else NO_LM
        if largest == NO_LM:
            return _Broken("A-TIER-LM", "language model", wanted.lm, "none", ())
        if billions(wanted.lm) > billions(largest):
            return _Broken("A-TIER-LM", "language model", wanted.lm, f"at most {largest}", (f"use {largest}",))
        lm_gb = limit.lm_memory_gb.get(wanted.lm, 0.0)
        needed_gb = max(wanted.dit_gb, lm_gb) if limit.offload else wanted.dit_gb + lm_gb
        if needed_gb > limit.memory_gb:
            helps = not limit.offload and max(wanted.dit_gb, lm_gb) <= limit.memory_gb
            ways = ("say offload = true if this server lets the parts take turns",) if helps else ()
            parts = f"{needed_gb:g} GB for DiT {wanted.dit_gb:g} and language model {wanted.lm} {lm_gb:g}"
            return _Broken("A-TIER-MEMORY", "memory", parts, f"at most {limit.memory_gb:g} GB", ways)
    if not wanted.duration_s <= limit.max_duration_s:
        return _Broken(
            "A-TIER-DURATION",
            "duration",
            f"{wanted.duration_s:g} s",
            f"at most {limit.max_duration_s:g} s{with_lm}",
            (f"ask for {limit.max_duration_s:g} s or less",),
        )
    if not wanted.batch_size <= limit.max_batch:
        return _Broken(
            "A-TIER-BATCH",
            "batch size",
            str(wanted.batch_size),
            f"at most {limit.max_batch}{with_lm}",
            (f"ask for {limit.max_batch} at a time in more requests",),
        )
    return None
