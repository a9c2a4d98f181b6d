"""How many jobs a server may hold, over all runs and machines: slots in the store, freed when their holder dies.

One small JSON object per server says who holds how many slots until when; it changes by compare-and-swap. A holder
renews; one whose process is gone on this machine is passed over at once, one on another machine after its term.
Everything here blocks on the store: call it from a thread.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from ace_assets.blobs import Blobs
from ace_assets.leases import holder_is_dead, machine_id, process_start

TERM_S = 60.0
SWAP_ATTEMPTS = 20


class Slots:
    """One run's share of a server's slots.

    Args:
        blobs: where the book lies.
        key: its name there.
        depth: most jobs that the server may hold.
        term_s: how long a holder may be silent.
    """

    def __init__(self, blobs: Blobs, key: str, *, depth: int, term_s: float = TERM_S) -> None:
        self._blobs = blobs
        self._key = key
        self._depth = depth
        self._term_s = term_s
        self._renewed_s = 0.0
        self._holder: dict[str, Any] = {
            "token": uuid.uuid4().hex,
            "machine": machine_id(),
            "pid": os.getpid(),
            "process_start": process_start(os.getpid()),
        }
        self.held = 0
        self._one_at_a_time = threading.Lock()

    def take(self, wanted: int) -> int:
        """Hold up to `wanted` slots in all, as many as are free; return how many are held now."""
        with self._one_at_a_time:
            return self._swap(lambda free: min(wanted, free)) if wanted > self.held else self.held

    def give_back(self, keep: int) -> int:
        """Free all slots but `keep`; return how many are held now."""
        with self._one_at_a_time:
            return self._swap(lambda free: min(keep, free)) if keep < self.held else self.held

    @property
    def renewal_due(self) -> bool:
        """A third of the term is over since the holder last said that it lives."""
        return bool(self.held) and time.monotonic() - self._renewed_s > self._term_s / 3

    def renew(self) -> int:
        """Say that the holder lives; return how many slots are held now."""
        with self._one_at_a_time:
            return self._swap(lambda free: min(self.held, free)) if self.held else self.held

    def _swap(self, share: Callable[[int], int]) -> int:
        """Rewrite the book with our share of what others leave free."""
        for attempt in range(SWAP_ATTEMPTS):
            found = self._blobs.get_versioned(self._key)
            others = self._living_others(found[0] if found else b"")
            free = self._depth - sum(int(entry["count"]) for entry in others)
            count = max(0, share(max(0, free)))
            ours = [{**self._holder, "count": count, "expires_at_s": time.time() + self._term_s}] if count else []
            if not ours and not self.held and found is not None:
                return 0  # nothing to take and nothing of ours in the book
            book = json.dumps({"holders": others + ours}, sort_keys=True).encode()
            if self._blobs.compare_and_put(self._key, book, expected_etag=found[1] if found else None):
                self.held = count
                self._renewed_s = time.monotonic()
                return count
            time.sleep(random.uniform(0, 0.01) * (attempt + 1))
        return self.held

    def _living_others(self, data: bytes) -> list[dict[str, Any]]:
        entries: Any = []
        with contextlib.suppress(ValueError, AttributeError):
            entries = json.loads(data).get("holders", [])
        now_s = time.time()
        return [
            entry
            for entry in entries
            if isinstance(entry, dict)
            and entry.get("token") != self._holder["token"]
            and isinstance(entry.get("count"), int)
            and float(entry.get("expires_at_s", 0.0)) > now_s
            and not holder_is_dead(entry)
        ]
