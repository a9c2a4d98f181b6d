"""The work that is left, shared by all lanes: planned takes drawn one by one, and takes that came back.

Lanes pull; nothing is assigned. Memory holds only what is under way, however long the plan is.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ace_assets.acestep.messages import ReleaseRequest
from ace_assets.acestep.outcome import PlannedTake


@dataclass(eq=False)
class Job:
    """A take under way.

    Attributes:
        take: what is to exist.
        request: the checked request that makes it.
        attempts: failures charged to it so far.
        submissions: times that a server accepted it, earlier runs included.
        unfit: ids of servers whose GPU may not be asked for it.
        avoid: ids of servers that failed it.
        last_failure: kind and words of the last one.
        journalled: what an earlier run wrote down of it: server id, task id, time.
    """

    take: PlannedTake
    request: ReleaseRequest
    attempts: int = 0
    submissions: int = 0
    unfit: frozenset[str] = frozenset()
    avoid: set[str] = field(default_factory=set)
    last_failure: tuple[str, str] = ("", "")
    journalled: dict[str, Any] | None = None

    @property
    def take_id(self) -> str:
        """The take's id."""
        return self.take.take_id


Admission = Callable[[PlannedTake], Awaitable[Job | None]]
SET_ASIDE_MAX = 64  # drawn jobs that wait for a larger GPU than the one that asked


class Pool:
    """What is left to do.

    Args:
        takes: the planned takes; drawn lazily, once.
        admit: turns a planned take into a job, or settles it (stored already, breaks a rule) and returns None.
        strand: told of a job that none of the servers left can make; the pool is done with it.
    """

    def __init__(self, takes: Iterator[PlannedTake], admit: Admission, strand: Callable[[Job], None]) -> None:
        self._takes = takes
        self._admit = admit
        self._strand = strand
        self._returned: deque[Job] = deque()
        self._reserved: dict[str, deque[Job]] = {}
        self._drawing = asyncio.Lock()
        self._changed = asyncio.Event()
        self._exhausted = False
        self._active: set[Job] = set()
        self._looked_up = 0

    @property
    def over(self) -> bool:
        """Nothing is left and nothing is under way."""
        return (
            self._exhausted
            and not self._active
            and not self._looked_up
            and not self._returned
            and not any(self._reserved.values())
        )

    @property
    def waiting(self) -> bool:
        """Something may be left that no lane works on."""
        return not self._exhausted or bool(self._returned)

    def adopted(self, server_id: str) -> Job | None:
        """Return a job that an earlier run left on this server, or None."""
        reserved = self._reserved.get(server_id)
        if not reserved:
            return None
        job = reserved.popleft()
        self._active.add(job)
        return job

    async def next(self, server_id: str, lanes: frozenset[str]) -> Job | None:
        """Return a job for a server, or None where there is none for it now.

        Args:
            server_id: who asks.
            lanes: ids of the servers that still count; a job that failed on all of them may go anywhere again.
        """
        job = self._from_returned(server_id, lanes)
        while job is None:
            if len(self._returned) >= SET_ASIDE_MAX:
                return None
            async with self._drawing:
                job = await self._draw()
            if job is None:
                return None
            if server_id in job.unfit:
                self._returned.append(job)
                self.wake()
                job = None
                continue
            owner = (job.journalled or {}).get("server_id")
            if owner in lanes and owner != server_id:
                self._reserved.setdefault(str(owner), deque()).append(job)
                self.wake()
                job = None
        self._active.add(job)
        return job

    def _from_returned(self, server_id: str, lanes: frozenset[str]) -> Job | None:
        for job in list(self._returned):
            fit = lanes - job.unfit
            if lanes and not fit:
                self._returned.remove(job)
                self._strand(job)
                continue
            if fit <= job.avoid:
                job.avoid.clear()
            if server_id not in job.avoid | job.unfit:
                self._returned.remove(job)
                return job
        return None

    async def _draw(self) -> Job | None:
        while not self._exhausted:
            take = next(self._takes, None)
            if take is None:
                self._exhausted = True
                self.wake()
                return None
            self._looked_up += 1  # while it is looked up, nothing may think that the work is over
            try:
                job = await self._admit(take)
            finally:
                self._looked_up -= 1
            if job is not None:
                return job
        return None

    def give_back(self, job: Job) -> None:
        """A job that was under way waits again, ahead of what was not yet drawn."""
        self._active.discard(job)
        self._returned.append(job)
        self.wake()

    def settle(self, job: Job) -> None:
        """A job that was under way is done with, well or badly."""
        self._active.discard(job)
        self.wake()

    def unreserve(self, server_id: str) -> None:
        """A server is gone: what was reserved for it is anybody's, and must be made again."""
        for job in self._reserved.pop(server_id, ()):
            job.journalled = None
            self._returned.append(job)
        self.wake()

    def wake(self) -> None:
        """Let every waiting lane look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def changed(self, limit_s: float) -> None:
        """Wait until something changed, or for `limit_s`."""
        try:
            async with asyncio.timeout(limit_s):
                await self._changed.wait()
        except TimeoutError:
            return

    def left(self) -> Iterator[str]:
        """Yield the ids of the takes that were not settled; draws the rest of the plan."""
        for job in (*self._active, *self._returned):
            yield job.take_id
        for reserved in self._reserved.values():
            for job in reserved:
                yield job.take_id
        for take in self._takes:
            yield take.take_id
