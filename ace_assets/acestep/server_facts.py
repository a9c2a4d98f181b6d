"""What is remembered of a server between runs, in the store, each with an expiry: capabilities, rate, circuit.

What a server can do and how fast it is outlives a run, and other runs are glad of it; but servers change, so everything
expires. A fact that cannot be read counts as forgotten. Everything here blocks on the store: call it from a thread.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from typing import Any

from ace_assets.acestep.servers import Server
from ace_assets.errors import StoreError
from ace_assets.store import Store

CAPABILITIES = "capabilities"
RATE = "rate"
CIRCUIT = "circuit"
UNTESTED_TTL_S = 600.0  # not knowing whether seeds are honoured is worth another look soon
TTL_S: Mapping[str, float] = {CAPABILITIES: 24 * 3600.0, RATE: 7 * 24 * 3600.0, CIRCUIT: 120.0}


class ServerFacts:
    """What the store remembers of one server."""

    def __init__(self, store: Store, server: Server) -> None:
        self._store = store
        self._server = server

    def key(self, part: str) -> str:
        """Return where one part lies."""
        return self._store.server_key(self._server.server_id, part)

    def recall(self, part: str) -> dict[str, Any] | None:
        """Return a fact that has not expired, or None."""
        data = self._store.blobs.get(self.key(part))
        document: Any = None
        with contextlib.suppress(ValueError):
            document = json.loads(data) if data else None
        if not isinstance(document, dict) or not isinstance(document.get("facts"), dict):
            return None
        expires_at_s = document.get("expires_at_s")
        if not isinstance(expires_at_s, (int, float)) or expires_at_s < time.time():
            return None
        facts: dict[str, Any] = document["facts"]
        return facts

    def remember(self, part: str, facts: Mapping[str, Any], *, ttl_s: float | None = None) -> None:
        """Store a fact until its expiry."""
        expires_at_s = time.time() + (TTL_S[part] if ttl_s is None else ttl_s)
        document = {"expires_at_s": expires_at_s, "facts": dict(facts), "server": self._server.name}
        self._store.blobs.put(self.key(part), json.dumps(document, sort_keys=True).encode())

    def remember_capabilities(self, facts: Mapping[str, Any]) -> None:
        """Store what a server can do until its expiry, and its snapshot for good: takes refer to it by its id."""
        tested = facts.get("seed_trusted") is not None
        self.remember(CAPABILITIES, facts, ttl_s=None if tested else UNTESTED_TTL_S)
        snapshot = json.dumps(dict(facts), sort_keys=True).encode()
        self._store.blobs.put(self.key(f"capabilities-{facts['snapshot_id']}"), snapshot, if_absent=True)

    def lease(self, name: str) -> contextlib.AbstractContextManager[object]:
        """Hold a lease, so that only one run does something to the server; LeaseHeldError where another one does."""
        return self._store.lease(name, what=f"test of server {self._server.name}")

    def forget(self, part: str) -> None:
        """Forget a fact."""
        with contextlib.suppress(StoreError):
            self._store.blobs.delete(self.key(part))
