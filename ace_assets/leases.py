"""Leases: who may write a cell now. Two machines, or a command and the daemon, never write one cell.

A lease is a small JSON object `{token, fence, expires_at_s, ...}` changed only by compare-and-swap. The holder's thread
renews it; a holder that died stops renewing, and after the term the next one takes over with a higher fencing number. A
holder on this machine whose process is gone is taken over at once.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from ace_assets.blobs import Blobs
from ace_assets.errors import LeaseHeldError, StoreError

DEFAULT_TERM_S = 60.0


@functools.cache
def machine_id() -> str:
    """Return what tells this machine (this boot, this PID namespace) from others."""
    boot = namespace = ""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    with contextlib.suppress(OSError):
        namespace = str(Path("/proc/self/ns/pid").readlink())
    return f"{socket.gethostname()}/{boot}/{namespace}"


def process_start(pid: int) -> str | None:
    """Return a mark that a reused process number does not share, or None where the process is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return None
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        except PermissionError:
            pass
        return ""
    except OSError:
        return None
    fields = stat.rsplit(")", 1)[-1].split()
    return None if fields[0] in {"Z", "X"} else fields[19]


def holder_is_dead(document: dict[str, object]) -> bool:
    """Say whether a lease's holder ran on this machine and its process is gone."""
    if document.get("machine") != machine_id():
        return False
    pid = document.get("pid")
    return isinstance(pid, int) and process_start(pid) != document.get("process_start")


def is_abandoned(blobs: Blobs, key: str, *, for_s: float) -> bool:
    """Say whether a lease ran out `for_s` seconds ago or longer without being given back: its holder died."""
    found = blobs.get(key)
    document: dict[str, object] = json.loads(found) if found else {}
    if not document or document.get("released"):
        return False
    return float(str(document.get("expires_at_s", 0.0))) + for_s < time.time()


class Lease:
    """A held lease: `fence` grows with every new holder; `check()` raises once the lease was lost."""

    def __init__(self, blobs: Blobs, key: str, document: dict[str, object], etag: str, term_s: float) -> None:
        self._blobs = blobs
        self._key = key
        self._document = document
        self._etag = etag
        self._term_s = term_s
        self._stop = threading.Event()
        self._lost = threading.Event()
        self._expires_at_s = time.time() + term_s
        self._thread = threading.Thread(target=self._renew, name=f"lease {key}", daemon=True)

    @property
    def fence(self) -> int:
        """The fencing number: higher than that of every earlier holder."""
        return int(str(self._document["fence"]))

    def check(self) -> None:
        """Raise LeaseHeldError when the lease was lost or could not be renewed in time."""
        if self._lost.is_set() or time.time() > self._expires_at_s:
            raise LeaseHeldError(
                f"lease {self._key}",
                value="lost",
                expected="to hold it until the end",
                remedy="nothing was overwritten; run again when the other holder is done",
            )

    def _renew(self) -> None:
        while not self._stop.wait(self._term_s / 3):
            with contextlib.suppress(StoreError):
                expires_at_s = time.time() + self._term_s
                document = self._document | {"expires_at_s": expires_at_s}
                if not self._blobs.compare_and_put(self._key, _encode(document), expected_etag=self._etag):
                    found = self._blobs.get_versioned(self._key)
                    if found is None or json.loads(found[0]).get("token") != self._document["token"]:
                        self._lost.set()
                        return
                    self._etag = found[1]
                    continue
                found = self._blobs.get_versioned(self._key)
                if found is not None and json.loads(found[0]).get("token") == self._document["token"]:
                    self._document, self._etag, self._expires_at_s = document, found[1], expires_at_s

    def _release(self) -> None:
        self._stop.set()
        self._thread.join(timeout=self._term_s)
        with contextlib.suppress(StoreError):
            released = self._document | {"expires_at_s": 0.0, "released": True}
            self._blobs.compare_and_put(self._key, _encode(released), expected_etag=self._etag)


def _encode(document: dict[str, object]) -> bytes:
    return json.dumps(document, sort_keys=True).encode()


@contextlib.contextmanager
def hold(
    blobs: Blobs, key: str, *, what: str, term_s: float = DEFAULT_TERM_S, wait_s: float = 0.0, poll_s: float = 0.5
) -> Iterator[Lease]:
    """Hold the lease `key` for the length of the block.

    Args:
        blobs: where the lease lies.
        key: its name there.
        what: what is being written, for the error text, e.g. `cell lobby.bossa-nova.morning.warm`.
        term_s: how long a holder may be silent before it counts as dead.
        wait_s: how long to wait for another holder before giving up.
        poll_s: how often to look while waiting.

    Raises:
        LeaseHeldError: another living holder has it.
    """
    token = uuid.uuid4().hex
    deadline = time.monotonic() + wait_s
    while True:
        found = blobs.get_versioned(key)
        document: dict[str, object] = json.loads(found[0]) if found else {}
        held = float(str(document.get("expires_at_s", 0.0))) > time.time() and not holder_is_dead(document)
        if not held:
            fresh: dict[str, object] = {
                "token": token,
                "what": what,
                "machine": machine_id(),
                "pid": os.getpid(),
                "process_start": process_start(os.getpid()),
                "fence": int(str(document.get("fence", 0))) + 1,
                "expires_at_s": time.time() + term_s,
            }
            if blobs.compare_and_put(key, _encode(fresh), expected_etag=found[1] if found else None):
                now = blobs.get_versioned(key)
                if now is not None and json.loads(now[0]).get("token") == token:
                    lease = Lease(blobs, key, fresh, now[1], term_s)
                    break
        if time.monotonic() >= deadline:
            holder = f"process {document.get('pid')} on {str(document.get('machine', '?')).split('/')[0]}"
            raise LeaseHeldError(
                what,
                value=f"being written by {holder}",
                expected="nobody else at work on it",
                remedy="wait for it to end; a dead holder's lease expires by itself",
            )
        time.sleep(poll_s)
    lease._thread.start()
    try:
        yield lease
    finally:
        lease._release()
