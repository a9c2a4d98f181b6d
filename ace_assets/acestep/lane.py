"""One lane: keeps one server busy with pulled jobs, polls it, fetches what is done, notices what is lost.

    PENDING -> SUBMITTING -> ON_SERVER -> REMOTE_DONE -> FETCHING -> VERIFIED -> STORED
     429                      -> PENDING, the lane pauses, no attempt charged
     timeout, drop, 5xx       -> PENDING
     lost                     -> PENDING, one attempt
     failed, 404, undecodable -> PENDING, another server; after the limit QUARANTINED with its reason

What belongs here: the life of jobs on one server. What does not: what is left to do (`pool`), what is stored and
counted (`fleet`, through the `Run` that lanes share).
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ace_assets.acestep.capabilities import Capabilities, look, with_seeds_checked
from ace_assets.acestep.circuit import Circuit, LaneState
from ace_assets.acestep.client import ANSWER_LIMIT_S, BLOCKING_RELEASE_LIMIT_S, AceStepClient
from ace_assets.acestep.fetching import NotFetched, fetched
from ace_assets.acestep.fleet_settings import FleetSettings
from ace_assets.acestep.flight import Flight, Landed, Pace, span_on_server
from ace_assets.acestep.models import full_name
from ace_assets.acestep.outcome import EventKind
from ace_assets.acestep.pool import Job, Pool
from ace_assets.acestep.replies import TaskReply, TaskState
from ace_assets.acestep.server_facts import CAPABILITIES, CIRCUIT, RATE, ServerFacts
from ace_assets.acestep.slots import Slots
from ace_assets.acestep.waiting import ended, finished
from ace_assets.acestep.watch import Sightings, overtaken
from ace_assets.errors import (
    AceAssetsError,
    AudioError,
    LeaseHeldError,
    ServerAuthError,
    ServerBusyError,
    ServerError,
    ServerRefusedError,
)

T = TypeVar("T")

SUBMIT, POLL, WORK = "release", "query", "work"
SEED_CHECK_LIMIT_S = 120.0
SEED_CHECK_JOBS = 2
LOOK_UP_EVERY_S = 5.0
BEHIND_OTHERS = 1.25  # paces until a job that waits behind other runs' is asked for; what is behind it hides the delay
# A slot is looked for again within this share of the time that a server needs for what it still holds, and this time.
SLOT_WAIT_SHARE, SLOT_WAIT_MAX_S = 0.7, 10.0
EVERY_JOB_FAILED = 12  # different takes in a row, none in between that worked: it is the server, not the takes


class Run(Protocol):
    """What lanes share: the pool, the store, the counters."""

    settings: FleetSettings
    pool: Pool
    downloads: asyncio.Semaphore
    scratch: Path
    polls: int

    def threads(self) -> Executor:
        """Return the threads in which the store is used."""
        ...

    def lanes_alive(self) -> frozenset[str]:
        """Return the ids of the servers that are not gone."""
        ...

    def tell(self, kind: EventKind, take_id: str | None, server: str | None, message: str) -> None:
        """Report an event."""
        ...

    def submitted(self, job: Job, lane: Lane, task_id: str, at_s: float) -> None:
        """Write a submitted job down at once."""
        ...

    async def landed(self, take: Landed, lane: Lane) -> None:
        """Store a verified take."""
        ...

    async def charge(self, job: Job, lane: Lane, kind: str, why: str, *, elsewhere: bool) -> None:
        """Count a failure against a job, and give it back or up."""
        ...

    def lane_changed(self, lane: Lane) -> None:
        """Notice that a lane changed its state; ends the run when none is left."""
        ...


class Lane:
    """The lane of one server."""

    def __init__(self, client: AceStepClient, run: Run, facts: ServerFacts, slots: Slots) -> None:
        self.client = client
        self.server = client.server
        self.server_id = client.server.server_id
        self.run_ = run
        self.settings = run.settings
        self.capabilities = Capabilities(self.server.name, self.server.url, "unknown")
        self.circuit = Circuit(gone_after_s=self.settings.gone_after_s, start_attempts=self.settings.start_attempts)
        self.pace = Pace()
        self.flights: dict[str, Flight] = {}
        self._facts = facts
        self._slots = slots
        self._tasks: set[asyncio.Task[None]] = set()
        self._seed_check: asyncio.Task[None] | None = None
        self._fetching = 0
        self._submitting = 0
        self._paused_until_s = 0.0
        self._busy_answers = 0
        self._slots_wanted_s = 0.0
        self._slot_misses = 0
        self._silent_since_s = 0.0
        self._failed_takes: set[str] = set()
        self._failure: BaseException | None = None
        self._broken = asyncio.Event()
        self._server_s: float | None = None
        self._looked_up_s = float("-inf")
        self._revival_due_s = 0.0

    # ---- small helpers ---------------------------------------------------------------------------------------------

    @property
    def state(self) -> LaneState:
        """Where the lane stands."""
        return self.circuit.state

    @property
    def last_state(self) -> str:
        """The lane's state in words, with its last failure."""
        why = self.circuit.last_failure
        return f"{self.state}: {why}" if why and self.state is not LaneState.UP else str(self.state)

    @staticmethod
    def _now_s() -> float:
        return asyncio.get_running_loop().time()

    async def _in_thread(self, work: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.run_.threads(), work, *args)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._reap)

    def _reap(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None and self._failure is None:
            self._failure = task.exception()
            self._broken.set()
        self.run_.pool.wake()

    def _set_state(self, before: LaneState) -> None:
        if self.state is not before:
            self.run_.tell(EventKind.SERVER, None, self.server.name, self.last_state)
            self.run_.lane_changed(self)

    def _worked(self, kind: str) -> None:
        before = self.state
        self.circuit.succeeded(kind)
        self._set_state(before)

    def _failed(self, kind: str, why: str) -> None:
        before = self.state
        self.circuit.failed(kind, why, self._now_s())
        self._set_state(before)

    # ---- the life of a lane ----------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until nothing is left, anywhere.

        Raises:
            ServerAuthError: the key is wrong. StoreError: the store fails. Whatever else is a bug.
        """
        try:
            await self._loop()
        finally:
            await ended([*self._tasks, *filter(None, [self._seed_check])])
            await finished(asyncio.ensure_future(self._leave()))

    async def _loop(self) -> None:
        pool = self.run_.pool
        await self._recall()
        while not pool.over:
            if self._failure is not None:
                raise self._failure
            rest_s = self.circuit.resting_s(self._now_s())
            if rest_s:
                await pool.changed(rest_s)
                continue
            if self.state is LaneState.STARTING:
                await self._start()
            elif self.state is LaneState.GONE:
                await self._give_everything_back()
                await self._sleep_until_due_or_over()
                if not pool.over and self._now_s() >= self._revival_due_s:
                    await self._revive()
            else:
                await self._refill()
                if self.flights:
                    await self._sleep(self._pause_s())
                    await self._poll()
                else:
                    await self._idle()

    async def _sleep(self, limit_s: float) -> None:
        """Sleep until the next poll is due, or something of ours broke."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                await self._broken.wait()

    async def _sleep_until_due_or_over(self) -> None:
        """GONE: wait until it is time to look whether the server is back."""
        if self._now_s() >= self._revival_due_s:
            self._revival_due_s = self._now_s() + self.settings.revive_s
        while not self.run_.pool.over and (left_s := self._revival_due_s - self._now_s()) > 0:
            await self.run_.pool.changed(left_s)

    async def _idle(self) -> None:
        """Nothing of ours is on the server: wait for work, for a slot, for room."""
        if self._slots.held and not self._busy():
            await self._in_thread(self._slots.give_back, 0)
        now_s = self._now_s()
        waits_s = [until_s - now_s for until_s in (self._paused_until_s, self._slots_wanted_s) if until_s > now_s]
        await self.run_.pool.changed(max(0.01, min(waits_s, default=random.uniform(0.5, 0.6))))

    def _busy(self) -> bool:
        return bool(self.flights or self._submitting or self._checking_seeds())

    def _checking_seeds(self) -> bool:
        return self._seed_check is not None and not self._seed_check.done()

    async def _recall(self) -> None:
        """Take over what other runs learnt of this server."""
        rate = await self._in_thread(self._facts.recall, RATE)
        seconds = (rate or {}).get("seconds_per_take")
        if isinstance(seconds, (int, float)) and 0 < seconds < 3600:
            self.pace.seconds = float(seconds)
        if await self._in_thread(self._facts.recall, CIRCUIT):
            self.circuit.start_attempts = 1  # it was gone a moment ago: one look is enough

    async def _start(self) -> None:
        """STARTING: health, models, the seed check."""
        known = await self._in_thread(self._facts.recall, CAPABILITIES)
        try:
            if known is None:
                self.capabilities = await look(self.client)
            else:
                self.capabilities = Capabilities.from_facts(known)
                await self.client.health()
                await self.client.models()
        except ServerAuthError:
            raise
        except ServerError as error:
            self._failed(POLL, str(error))
            return
        self._worked(POLL)
        await self._in_thread(self._facts.forget, CIRCUIT)
        if self.capabilities.seed_trusted is None:
            if self.settings.check_seeds:
                self._seed_check = asyncio.create_task(self._check_seeds())
                await asyncio.sleep(0)
            elif known is None:
                await self._in_thread(self._facts.remember_capabilities, self.capabilities.to_facts())

    async def _what_is_known_now(self) -> Capabilities:
        """Return the capabilities; while seeds are untested, look whether another run has tested them meanwhile."""
        if self._checking_seeds() and self._seed_check is not None:
            await asyncio.wait([self._seed_check])
        now_s = self._now_s()
        if self.capabilities.seed_trusted is None and now_s - self._looked_up_s > LOOK_UP_EVERY_S:
            self._looked_up_s = now_s
            known = await self._in_thread(self._facts.recall, CAPABILITIES)
            if known is not None and known.get("seed_trusted") is not None:
                self.capabilities = Capabilities.from_facts(known)
        return self.capabilities

    async def _check_seeds(self) -> None:
        """Generate one clip twice, unless another run is at it; what it shows is stored for all."""
        name = f"probe-{self.server_id}"
        with contextlib.ExitStack() as held:
            try:
                await self._in_thread(held.enter_context, self._facts.lease(name))
            except LeaseHeldError:
                return
            again = await self._in_thread(self._facts.recall, CAPABILITIES)
            if again is not None and again.get("seed_trusted") is not None:
                self.capabilities = Capabilities.from_facts(again)
                return
            if await self._in_thread(self._slots.take, SEED_CHECK_JOBS) < SEED_CHECK_JOBS:
                return
            try:
                self.capabilities = await with_seeds_checked(self.client, self.capabilities, limit_s=SEED_CHECK_LIMIT_S)
            except ServerAuthError:
                raise
            except (ServerError, AudioError) as error:
                self.run_.tell(EventKind.SERVER, None, self.server.name, f"seeds not tested: {error}")
            await self._in_thread(self._facts.remember_capabilities, self.capabilities.to_facts())

    async def _revive(self) -> None:
        """Look whether a server that was gone is back."""
        try:
            await self.client.health()
            await self.client.models()
        except ServerAuthError:
            raise
        except ServerError as error:
            self.circuit.give_up(str(error))
            return
        before = self.state
        self.circuit.came_back()
        self._failed_takes.clear()
        self._set_state(before)

    async def _give_everything_back(self) -> None:
        """GONE: what this server held is made elsewhere."""
        for flight in list(self.flights.values()):
            del self.flights[flight.task_id]
            self.run_.tell(EventKind.RETURNED, flight.job.take_id, self.server.name, "its server is gone")
            self.run_.pool.give_back(flight.job)
        self.run_.pool.unreserve(self.server_id)
        await self._in_thread(self._slots.give_back, 0)

    async def _leave(self) -> None:
        """Free the slots and leave behind what was learnt."""
        with contextlib.suppress(AceAssetsError):
            await self._in_thread(self._slots.give_back, 0)
            if self._server_s is not None:
                rate = {"seconds_per_take": self._server_s, "takes": self.pace.measured, "gpu": self.server.gpu}
                await self._in_thread(self._facts.remember, RATE, rate)
            if self.state is LaneState.GONE:
                gone = {"state": str(self.state), "why": self.circuit.last_failure}
                await self._in_thread(self._facts.remember, CIRCUIT, gone)

    # ---- submitting ------------------------------------------------------------------------------------------------

    def _held_jobs(self) -> int:
        return len(self.flights) + self._submitting + (SEED_CHECK_JOBS if self._checking_seeds() else 0)

    async def _refill(self) -> None:
        """Keep the server's queue as deep as it may be."""
        pool = self.run_.pool
        while (job := pool.adopted(self.server_id)) is not None:
            await self._adopt(job)
        if self._slots.renewal_due:
            await self._in_thread(self._slots.renew)
        # a server that rests is tried with one job at a time
        while self._held_jobs() < (self.settings.depth if self.state is LaneState.UP else 1):
            now_s = self._now_s()
            if now_s < self._paused_until_s or self._fetching >= self.settings.backlog or not pool.waiting:
                break
            if not await self._have_slot():
                break
            job = await pool.next(self.server_id, self.run_.lanes_alive())
            if job is None:
                break
            if (job.journalled or {}).get("server_id") == self.server_id:
                await self._adopt(job)
                continue
            if self.capabilities.blocking_release:
                self._submitting += 1
                self._spawn(self._submit_and_wait(job))
            elif not await self._submit(job):
                break
        surplus = self._slots.held > self._held_jobs()
        if surplus and not pool.waiting:
            await self._in_thread(self._slots.give_back, self._held_jobs())

    async def _have_slot(self) -> bool:
        """Hold a slot for one more job; ask again later where none is free, ever later while none becomes free.

        A slot becomes free when a job is done. The server still holds `depth - 1` then, so it is early enough to look
        again before it is through with those.
        """
        if self._slots.held > self._held_jobs():
            return True
        if self._now_s() < self._slots_wanted_s:
            return False
        held = await self._in_thread(self._slots.take, self.settings.depth)
        if held > self._held_jobs():
            self._slot_misses = 0
            return True
        pace_s = self.pace.look_after_s or 1.0
        latest_s = min(max(SLOT_WAIT_SHARE * (self.settings.depth - 1), 0.5) * pace_s, SLOT_WAIT_MAX_S)
        wait_s = min(pace_s / 2 * 1.5**self._slot_misses, latest_s) * random.uniform(0.7, 1.3)
        self._slot_misses = min(self._slot_misses + 1, 16)
        self._slots_wanted_s = self._now_s() + max(wait_s, 0.1)
        return False

    async def _adopt(self, job: Job) -> None:
        """Ask for a job that an earlier run submitted instead of submitting it again."""
        entry: Mapping[str, Any] = job.journalled or {}
        job.journalled = None
        now_s = self._now_s()
        task_id = str(entry.get("task_id"))
        age_s = max(0.0, time.time() - float(entry.get("submitted_at_s") or time.time()))
        job.submissions = max(1, int(entry.get("submissions") or 1))
        flight = Flight(job, task_id, Sightings(now_s - age_s, now_s), now_s - age_s, adopted_at_s=now_s)
        # earlier than anything this run submitted: first in, first out
        self.flights = {task_id: flight, **self.flights}
        self.flights = dict(sorted(self.flights.items(), key=lambda pair: pair[1].submitted_at_s))
        self._silent_since_s = now_s
        await self._in_thread(self._slots.take, min(len(self.flights), self.settings.depth))
        self.run_.tell(EventKind.ADOPTED, job.take_id, self.server.name, "submitted by an earlier run")

    async def _submit(self, job: Job, *, limit_s: float = ANSWER_LIMIT_S) -> bool:
        """Submit a job; return whether the lane may go on submitting."""
        pool, server = self.run_.pool, self.server.name
        try:
            answer = await self.client.release(job.request, limit_s=limit_s)
        except ServerBusyError:
            self._busy_answers += 1
            base_s = max((self.pace.seconds or 1.0) / 4, self.settings.poll_min_s)
            self._paused_until_s = self._now_s() + min(base_s * 2 ** min(self._busy_answers - 1, 4), 30.0)
            pool.give_back(job)
            return False
        except ServerAuthError:
            pool.give_back(job)
            raise
        except ServerRefusedError as error:
            await self.run_.charge(job, self, "refused", str(error), elsewhere=True)
            return True
        except ServerError as error:
            if self.capabilities.blocking_release and " 500 " in f" {error.value} ":
                await self._job_failed(job, "failed", str(error))  # this flavour reports failed jobs so
                return True
            pool.give_back(job)
            self._failed(SUBMIT, str(error))
            return False
        self._busy_answers = 0
        self._worked(SUBMIT)
        now_s = self._now_s()
        job.submissions += 1
        self.flights[answer.task_id] = Flight(job, answer.task_id, Sightings(now_s, now_s), now_s)
        if len(self.flights) == 1:
            self._silent_since_s = now_s
        self.run_.submitted(job, self, answer.task_id, time.time())
        self.run_.tell(EventKind.SUBMITTED, job.take_id, server, f"task {answer.task_id}")
        return True

    async def _submit_and_wait(self, job: Job) -> None:
        """Submit to a server that answers when the music is made."""
        try:
            await self._submit(job, limit_s=BLOCKING_RELEASE_LIMIT_S)
        finally:
            self._submitting -= 1

    # ---- polling ---------------------------------------------------------------------------------------------------

    def _pause_s(self) -> float:
        """Return how long to wait before the next poll: until the job at the head should be done."""
        low_s, high_s = self.settings.poll_min_s, self.settings.poll_max_s
        if self.capabilities.blocking_release:
            return low_s
        now_s = self._now_s()
        head = next(iter(self.flights.values()))
        pace_s = self.pace.look_after_s
        if not head.asked and head.adopted_at_s is not None:
            return low_s  # it may have been done for long
        if pace_s is None:
            return min(max(low_s, (now_s - head.watched_from_s) / 3), high_s)
        started_s = max(head.watched_from_s, self.pace.last_done_s or 0.0)
        queued_s = head.seen.queued_s or 0.0
        # still waiting after ours before it was done: other runs' jobs are ahead, and how many nobody says
        due_s = (queued_s + BEHIND_OTHERS * pace_s if queued_s > started_s else started_s + pace_s) - now_s
        if due_s <= 0:
            due_s = pace_s / 4
        return min(max(low_s, due_s + 0.02), max(high_s, pace_s), self.settings.slot_term_s / 3)

    async def _poll(self) -> None:
        asked = list(self.flights)
        self.run_.polls += 1
        try:
            answers = await self.client.query(asked)
        except ServerAuthError:
            raise
        except ServerError as error:
            self._failed(POLL, str(error))
            self.pace.last_done_s = None
            return
        self._worked(POLL)
        await self._digest(asked, answers)

    async def _digest(self, asked: list[str], answers: Mapping[str, TaskReply]) -> None:
        now_s = self._now_s()
        late = frozenset() if self.capabilities.blocking_release else overtaken(asked, answers)
        moved = False
        for task_id in asked:
            moved |= self.flights[task_id].seen.see(answers.get(task_id), overtaken=task_id in late, now_s=now_s)
        if moved:
            self._silent_since_s = now_s
        done = [self.flights[task_id] for task_id in asked if task_id in answers and answers[task_id].finished]
        before_s = self.pace.last_done_s
        if done:
            self.pace.finished(done, now_s)
        for flight in map(self.flights.__getitem__, asked):
            flight.asked = True
        for place, flight in enumerate(done):
            del self.flights[flight.task_id]
            answer = answers[flight.task_id]
            if answer.state is TaskState.FAILED:
                await self._job_failed(flight.job, "failed", answer.reason)
            else:
                span = span_on_server(flight, before_s, now_s, place=place, of=len(done))
                self._fetching += 1
                self._spawn(self._collect(flight, answer, span))
        await self._drop_lost(now_s)

    async def _drop_lost(self, now_s: float) -> None:
        silent_s = now_s - self._silent_since_s
        for flight in list(self.flights.values()):
            flight.seen.silent_s = silent_s
            flight.seen.deadline_s = self._deadline_s()
            why = next((why for rule in self.settings.detectors if (why := rule(flight.seen))), None)
            if why is None:
                continue
            if silent_s > flight.seen.deadline_s and await self._behind_others():
                self._silent_since_s = now_s
                return
            del self.flights[flight.task_id]
            self._failed(WORK, f"lost a job: {why}")
            await self.run_.charge(flight.job, self, "lost", f"lost on {self.server.name}: {why}", elsewhere=False)

    def _deadline_s(self) -> float:
        if not self.pace.measured or self.pace.seconds is None:
            return self.settings.deadline_unmeasured_s
        due_s = self.settings.deadline_factor * self.pace.seconds * (len(self.flights) + 1)
        return max(self.settings.deadline_floor_s, due_s)

    async def _behind_others(self) -> bool:
        """Say whether the server's queue holds more than our jobs: then silence is waiting, not loss."""
        try:
            return (await self.client.stats()).queue_size > len(self.flights)
        except ServerAuthError:
            raise
        except ServerError:
            return False

    async def _job_failed(self, job: Job, kind: str, why: str) -> None:
        """Charge a failed job; a server at which everything fails counts as gone."""
        self._failed_takes.add(job.take_id)
        await self.run_.charge(job, self, kind, f"{why} (on {self.server.name})", elsewhere=True)
        if len(self._failed_takes) >= EVERY_JOB_FAILED:
            before = self.state
            self.circuit.give_up(f"{len(self._failed_takes)} different takes failed in a row, the last: {why}")
            self._set_state(before)

    # ---- fetching --------------------------------------------------------------------------------------------------

    async def _collect(self, flight: Flight, answer: TaskReply, span: tuple[float, float] | None) -> None:
        """Fetch, verify and store a finished take.

        Args:
            flight: the job.
            answer: the server's last word on it.
            span: when it began and ended there; None where nobody watched.
        """
        try:
            job, item = flight.job, answer.items[0]
            wanted = job.request.model
            if wanted is not None and item.dit_model is not None and full_name(item.dit_model) != wanted:
                why = f"made with {item.dit_model} instead of {wanted}"
                await self._job_failed(job, "wrong_model", why)
                return
            known = await self._what_is_known_now()
            path = self.run_.scratch / f"{job.take_id}.{random.getrandbits(32):08x}.part"
            try:
                got = await fetched(
                    self.client,
                    item,
                    path,
                    duration_s=job.request.audio_duration,
                    settings=self.settings,
                    transfers=self.run_.downloads,
                    in_thread=self._in_thread,
                )
                if isinstance(got, NotFetched):
                    await self._job_failed(job, got.kind, got.why)
                    return
                self._failed_takes.clear()
                self._worked(WORK)
                server_s = queue_s = None
                if span is not None:
                    server_s = max(0.0, span[1] - span[0])
                    queue_s = max(0.0, span[0] - flight.submitted_at_s)
                    self._server_s = server_s if self._server_s is None else 0.8 * self._server_s + 0.2 * server_s
                await self.run_.landed(
                    Landed(job, got.path, got.sha256, got.audio, item, queue_s, server_s, known), self
                )
            finally:
                for left in (path, path.with_suffix(".packed.flac")):
                    left.unlink(missing_ok=True)
        finally:
            self._fetching -= 1
            self.run_.pool.wake()
