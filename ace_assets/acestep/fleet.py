"""The fleet: planned takes in, stored takes out, on one server or sixteen, whatever they do.

`generate` is what the assets call. Runs share servers through the store: what is known of a server, how fast it is,
whether it is gone, and how many jobs it may hold. A run that was killed leaves a journal; the next one asks servers for
those tasks before it submits anything again. See `lane` for the life of a job.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import httpx
import polars as pl

from ace_assets.acestep import tier_check
from ace_assets.acestep.capabilities import PREVIEW
from ace_assets.acestep.circuit import LaneState
from ace_assets.acestep.client import AceStepClient, open_http
from ace_assets.acestep.fleet_settings import FleetSettings
from ace_assets.acestep.flight import Landed
from ace_assets.acestep.lane import Lane
from ace_assets.acestep.messages import ReleaseRequest
from ace_assets.acestep.outcome import (
    PREVIEW_ENGINE,
    EventKind,
    FleetEvent,
    GenerationResult,
    PlannedTake,
    failed_row,
    planned_takes,
    stored_row,
)
from ace_assets.acestep.pool import Job, Pool
from ace_assets.acestep.server_facts import ServerFacts
from ace_assets.acestep.servers import Server
from ace_assets.acestep.slots import Slots
from ace_assets.acestep.waiting import ended
from ace_assets.errors import ConfigError, RequestError, ServersGoneError, shorten
from ace_assets.store import Store

T = TypeVar("T")

STORE_THREADS = 6
LANE_CONNECTIONS = 12
CLAMPED_BY_S = 0.5
MESSAGE_MAX_CHARS = 500

Progress = Callable[[FleetEvent], None]


class Fleet:
    """One run over some servers.

    Args:
        servers: the endpoints, one per GPU; none suffices where every take is stored already.
        store: where takes, journal and what is known of servers lie.
        cell: whose takes are made; names the journal.
        plan_id: the plan that the run pinned; recorded in the rows.
        settings: how it behaves.
        progress: told of every event, on the fleet's thread.
    """

    def __init__(
        self,
        servers: Sequence[Server],
        *,
        store: Store,
        cell: str,
        plan_id: str = "",
        settings: FleetSettings | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.settings = settings or FleetSettings()
        self.result = GenerationResult()
        self.polls = 0
        self.downloads = asyncio.Semaphore(self.settings.downloads)
        self.scratch = Path()
        self._servers = tuple(servers)
        self._store = store
        self._cell = cell
        self._plan_id = plan_id
        self._progress = progress
        self._journal: dict[str, dict[str, Any]] = {}
        self._writing: dict[str, asyncio.Future[None]] = {}
        self._lanes: list[Lane] = []
        self._cost_usd: float | None = 0.0
        self._all_gone = asyncio.Event()
        self._threads: ThreadPoolExecutor | None = None

    # ---- the run ---------------------------------------------------------------------------------------------------

    async def run(self, planned: Iterable[PlannedTake | Mapping[str, Any]] | pl.DataFrame) -> GenerationResult:
        """Make every planned take that is not stored yet.

        Returns:
            What became of them; takes that failed too often are rows with their reason.

        Raises:
            ServersGoneError: no server is left; `result` holds what was finished and what is still planned.
            ConfigError: there is no server, and a take is not stored.
            ServerAuthError: a server wants another key. StoreError: the store fails.
        """
        with self._store.scratch() as scratch, ThreadPoolExecutor(STORE_THREADS, "fleet") as threads:
            self.scratch, self._threads = scratch, threads
            self._journal = await self._in_thread(self._store.journal, self._cell)
            self.pool = Pool(planned_takes(planned), self._admit, self._strand)
            async with contextlib.AsyncExitStack() as opened:
                # one client per server: a pool looks through all its connections at every request
                for server in self._servers:
                    http = await opened.enter_async_context(open_http([server], connections=LANE_CONNECTIONS))
                    self._lanes.append(self._lane(server, http))
                await self._work()
            await asyncio.gather(*self._writing.values())
            if self.pool.over:
                for take_id in list(self._journal):
                    await self._forget(take_id)
        self._close_books()
        if not self.pool.over:
            raise self._gone_error()
        return self.result

    def _lane(self, server: Server, http: httpx.AsyncClient) -> Lane:
        facts = ServerFacts(self._store, server)
        slots = Slots(
            self._store.blobs, facts.key("slots"), depth=self.settings.depth, term_s=self.settings.slot_term_s
        )
        return Lane(AceStepClient(server, http), self, facts, slots)

    async def _work(self) -> None:
        """Run all lanes until the work is over, no server is left, or something fatal happens."""
        if not self._lanes:
            await self._reuse_only()
            return
        lanes = [asyncio.create_task(lane.run(), name=f"lane {lane.server.name}") for lane in self._lanes]
        gone = asyncio.create_task(self._all_gone.wait())
        try:
            left = {*lanes}
            while left and not gone.done():
                done, _ = await asyncio.wait({*left, gone}, return_when=asyncio.FIRST_COMPLETED)
                for task in done & left:
                    task.result()
                left -= done
        finally:
            await ended([*lanes, gone])

    async def _reuse_only(self) -> None:
        """Read the facts of takes that are stored already.

        Raises:
            ConfigError: one is not, and there is no server to make it.
        """
        if await self.pool.next("", frozenset()) is not None:
            raise ConfigError(
                "servers", value="none", expected="at least one ACE-Step server", remedy="pass --servers URL"
            )

    def _close_books(self) -> None:
        result = self.result
        result.polls = self.polls
        result.cost_usd = self._cost_usd if result.submissions else None
        result.servers = {lane.server.name: lane.last_state for lane in self._lanes}
        if not self.pool.over:
            result.still_planned = tuple(self.pool.left())

    def _gone_error(self) -> ServersGoneError:
        states = "; ".join(f"{name} {state}" for name, state in self.result.servers.items())
        error = ServersGoneError(
            f"all {len(self._servers)} servers of cell {self._cell} are gone",
            value=None,
            expected="at least one ACE-Step server that works",
            remedy=(
                f"start one and run again: {self.result.stored + self.result.reused} takes are stored, "
                f"{len(self.result.still_planned)} are still planned. Last states: {states}"
            ),
        )
        error.result = self.result
        return error

    # ---- what lanes share (lane.Run) -------------------------------------------------------------------------------

    def threads(self) -> Executor:
        """Return the threads in which the store is used."""
        assert self._threads is not None, "a fleet has threads while it runs"
        return self._threads

    async def _in_thread(self, work: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *args)

    def lanes_alive(self) -> frozenset[str]:
        """Return the ids of the servers that are not gone."""
        return frozenset(lane.server_id for lane in self._lanes if lane.state is not LaneState.GONE)

    def lane_changed(self, lane: Lane) -> None:
        """End the run when no server is left."""
        if not self.lanes_alive():
            self._all_gone.set()
        self.pool.wake()

    def tell(self, kind: EventKind, take_id: str | None, server: str | None, message: str) -> None:
        """Report an event."""
        if self._progress is not None:
            result = self.result
            message = shorten(message, MESSAGE_MAX_CHARS)
            self._progress(FleetEvent(kind, take_id, server, message, result.stored, result.reused, result.failed))

    def submitted(self, job: Job, lane: Lane, task_id: str, at_s: float) -> None:
        """Write a submitted job down at once."""
        self.result.submissions += 1
        entry = {
            "server_id": lane.server_id,
            "server": lane.server.name,
            "task_id": task_id,
            "submitted_at_s": at_s,
            "submissions": job.submissions,
        }
        self._journal[job.take_id] = entry
        # the lane goes on meanwhile: a kill between the two repeats no more than what the server holds
        self._writing[job.take_id] = asyncio.ensure_future(
            self._in_thread(self._store.journal_put, self._cell, job.take_id, entry)
        )

    async def _forget(self, take_id: str) -> None:
        writing = self._writing.pop(take_id, None)
        if writing is not None:
            await writing
        if self._journal.pop(take_id, None) is not None:
            await self._in_thread(self._store.journal_delete, self._cell, take_id)

    async def landed(self, take: Landed, lane: Lane) -> None:
        """Store a verified take."""
        facts = self._facts_of(take, lane)
        await self._in_thread(self._store.publish_take, take.job.take_id, take.path, facts)
        await self._forget(take.job.take_id)
        self.result.rows.append(stored_row(take.job.take, facts, plan_id=self._plan_id))
        self.result.stored += 1
        self.result.server_s += take.server_s or 0.0
        if take.server_s is not None:
            cost_usd = facts["cost_usd"]
            self._cost_usd = None if cost_usd is None or self._cost_usd is None else self._cost_usd + cost_usd
        self.pool.settle(take.job)
        self.tell(EventKind.STORED, take.job.take_id, lane.server.name, f"{take.audio.duration_s:.2f} s of audio")

    def _facts_of(self, take: Landed, lane: Lane) -> dict[str, Any]:
        """Return what is recorded beside a take's audio: its row of `tables.Takes`, and what has no column there."""
        job, audio, item = take.job, take.audio, take.item
        requested_s = job.request.audio_duration or 0.0
        price = lane.server.price_usd_per_hour
        preview = job.take.engine == PREVIEW_ENGINE or take.capabilities.flavour == PREVIEW
        return {
            "take_id": job.take_id,
            "prompt_id": job.take.prompt_id,
            "cell": job.take.cell,
            "take_index": job.take.take_index,
            "engine": job.take.engine,
            "attempts": job.submissions,
            "preview": preview,
            "requested_model": job.take.model,
            "reported_model": item.dit_model,
            "lm_model": item.lm_model,
            "adapter": None,
            "requested_seed": job.take.seed,
            "reported_seed": item.seed_value,
            "seed_trusted": take.capabilities.seed_trusted,
            "requested_duration_s": requested_s,
            "duration_s": round(audio.duration_s, 6),
            "duration_clamped": audio.duration_s < requested_s - CLAMPED_BY_S,
            "sample_rate_hz": audio.sample_rate_hz,
            "channels": audio.channels,
            "audio_sha256": take.sha256,
            "audio_bytes": audio.size_bytes,
            "server": lane.server.name,
            "gpu": lane.server.gpu,
            "server_s": None if take.server_s is None else round(take.server_s, 3),
            "queue_s": None if take.queue_s is None else round(take.queue_s, 3),
            "cost_usd": None if price is None or take.server_s is None else take.server_s / 3600.0 * price,
            "generated_at": dt.datetime.now(dt.UTC).isoformat(),
            "frames": audio.frames,
            "server_id": lane.server_id,
            "capabilities": take.capabilities.snapshot_id,
            "request": job.request.payload(),
        }

    async def charge(self, job: Job, lane: Lane, kind: str, why: str, *, elsewhere: bool) -> None:
        """Count a failure against a job; after the limit it is given up with its reason."""
        job.attempts += 1
        job.last_failure = (kind, why)
        if elsewhere:
            job.avoid.add(lane.server_id)
        await self._forget(job.take_id)
        if job.attempts < self.settings.max_attempts:
            self.pool.give_back(job)
            self.tell(EventKind.RETURNED, job.take_id, lane.server.name, why)
            return
        why = f"{why}; {job.attempts} attempts"
        self._give_up(job.take, kind, why, job.request.audio_duration, job.submissions, lane.server.name)
        self.pool.settle(job)

    def _give_up(
        self, take: PlannedTake, kind: str, why: str, duration_s: float | None, attempts: int, server: str | None = None
    ) -> None:
        self.result.failed += 1
        self.result.rows.append(
            failed_row(
                take,
                plan_id=self._plan_id,
                duration_s=duration_s or 0.0,
                kind=kind,
                why=shorten(why, MESSAGE_MAX_CHARS),
                attempts=attempts,
                server=server,
            )
        )
        self.tell(EventKind.QUARANTINED, take.take_id, server, why)

    # ---- what is drawn from the plan -------------------------------------------------------------------------------

    async def _admit(self, take: PlannedTake) -> Job | None:
        """Turn a planned take into a job, or settle it: stored already, or a request that no server may be sent."""
        facts = await self._in_thread(self._stored_facts, take.take_id)
        if facts is not None:
            await self._forget(take.take_id)
            self.result.reused += 1
            self.result.rows.append(stored_row(take, facts, plan_id=self._plan_id))
            self.tell(EventKind.REUSED, take.take_id, None, "stored already")
            return None
        try:
            request = ReleaseRequest.from_json(take.request_json)
            unfit = self._unfit_for(request)
        except RequestError as error:
            self._give_up(take, "bad_request", str(error), None, 0)
            return None
        return Job(take, request, unfit=unfit, journalled=self._journal.get(take.take_id))

    def _strand(self, job: Job) -> None:
        """Give up a job whose every server that may be asked for it is gone."""
        fit = (f"{lane.server.name} {lane.last_state}" for lane in self._lanes if lane.server_id not in job.unfit)
        why = f"no server is left whose GPU may be asked for it: {'; '.join(fit)}"
        self._give_up(job.take, "no_server", why, job.request.audio_duration, job.submissions)

    def _stored_facts(self, take_id: str) -> dict[str, Any] | None:
        if not self._store.has_take(take_id):
            return None
        return self._store.take_facts(take_id)

    def _unfit_for(self, request: ReleaseRequest) -> frozenset[str]:
        """Return the ids of the servers whose GPU may not be asked for this.

        Raises:
            RequestError: none of them may.
        """
        refusals: dict[str, RequestError] = {}
        for lane in self._lanes:
            try:
                tier_check.check_server(
                    lane.server,
                    duration_s=request.audio_duration or 0.0,
                    batch_size=request.batch_size,
                    lm=request.lm_model_path,
                    model=request.model,
                    measured_duration_s=lane.capabilities.max_duration_s,
                    measured_batch=lane.capabilities.max_batch,
                )
            except RequestError as error:
                refusals[lane.server_id] = error
        if refusals and len(refusals) == len(self._lanes):
            raise list(refusals.values())[-1]
        return frozenset(refusals)


# ---- the entry for callers that are not asynchronous ---------------------------------------------------------------


def generate(
    planned: Iterable[PlannedTake | Mapping[str, Any]] | pl.DataFrame,
    *,
    servers: Sequence[Server],
    store: Store,
    cell: str,
    plan_id: str = "",
    settings: FleetSettings | None = None,
    progress: Progress | None = None,
) -> GenerationResult:
    """Make every planned take that is not stored yet; block until each is stored or given up.

    Takes whose audio was pruned count as missing here: leave them out of `planned`.

    Args:
        planned: rows of `tables.PlannedTakes`; drawn one by one.
        servers: the endpoints, one per GPU; none suffices where every take is stored already.
        store: where takes go.
        cell: whose takes they are; the caller holds its lease.
        plan_id: the plan that the run pinned.
        settings: how the fleet behaves.
        progress: told of every event.

    Returns:
        One row per planned take.

    Raises:
        ServersGoneError: no server is left; `result` tells what was stored and what is still planned.
        ConfigError: there is no server, and a take is not stored.
        ServerAuthError: a server wants another key. StoreError: the store fails.
        KeyboardInterrupt: interrupted or terminated; the store is clean, the journal knows what was submitted.
    """

    async def run() -> GenerationResult:
        fleet = Fleet(servers, store=store, cell=cell, plan_id=plan_id, settings=settings, progress=progress)
        with _terminating_cleanly():
            return await fleet.run(planned)

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(run())
    return _in_own_thread(lambda: asyncio.run(run()))


@contextlib.contextmanager
def _terminating_cleanly() -> Iterator[None]:
    """While a run is under way SIGTERM cancels it instead of killing the process, unless it is handled already."""
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    terminated = False

    def terminate() -> None:
        nonlocal terminated
        terminated = True
        if task is not None:
            task.cancel()

    loop.add_signal_handler(signal.SIGTERM, terminate)
    try:
        yield
    except asyncio.CancelledError:
        if terminated:
            raise KeyboardInterrupt("terminated") from None
        raise
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


def _in_own_thread(work: Callable[[], GenerationResult]) -> GenerationResult:
    """Run work on a thread of its own: the caller's event loop is busy."""
    with ThreadPoolExecutor(1, "fleet-run") as thread:
        return thread.submit(work).result()
