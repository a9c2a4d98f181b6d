"""Waiting that a cancellation cannot cut short, for cleaning up."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any


async def ended(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until every one has cleaned up, however often the waiting itself is cancelled."""
    for task in tasks:
        task.cancel()
    for task in tasks:
        await finished(task)


async def finished(work: asyncio.Future[Any]) -> None:
    """Wait until work is done, however often the waiting is cancelled; its outcome is not looked at."""
    while not work.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([work])
