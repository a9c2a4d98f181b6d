"""Planned takes, servers and settings for the tests of the fleet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from ace_assets.acestep.capabilities import Capabilities
from ace_assets.acestep.fleet_settings import FleetSettings
from ace_assets.acestep.messages import ReleaseRequest
from ace_assets.acestep.server_facts import CAPABILITIES, ServerFacts
from ace_assets.acestep.servers import servers_at
from ace_assets.store import Store

CELL = "lobby.bossa-nova.morning.warm"
MODEL = "ace-assets-preview"
QUICK = "synthetic=1,service_s=0.05"


def quick(**changes: Any) -> FleetSettings:
    """Return settings with the waits of a server that needs a twentieth of a second."""
    chosen = {
        "poll_min_s": 0.03,
        "deadline_floor_s": 1.0,
        "deadline_unmeasured_s": 20.0,
        "gone_after_s": 1.5,
        "revive_s": 0.5,
        "check_seeds": False,
        **changes,
    }
    return FleetSettings(**chosen)


def plan(count: int, *, duration_s: float = 10.0, **fields: Any) -> Iterator[dict[str, Any]]:
    """Yield planned takes; `fields` go into every request."""
    for number in range(count):
        chosen = {"prompt": f"calm piano {number}", "audio_duration": duration_s, "seed": number, **fields}
        yield {
            "take_id": f"{number:04x}{'ab' * 14}",
            "prompt_id": f"prompt-{number}",
            "cell": CELL,
            "take_index": 0,
            "engine": "preview",
            "model": MODEL,
            "seed": number,
            "request_json": ReleaseRequest(**chosen).to_json(),
        }


def know(store: Store, *urls: str) -> None:
    """Let the store remember what a probe would have found."""
    for server in servers_at(urls):
        known = Capabilities(server.name, server.url, "preview", (MODEL,), seed_trusted=True)
        ServerFacts(store, server).remember(CAPABILITIES, known.to_facts())


def stats_of(url: str) -> dict[str, Any]:
    """Return the preview server's own counters."""
    found: dict[str, Any] = httpx.get(f"{url}/_preview/stats", trust_env=False).json()
    return found


def set_faults(url: str, spec: str) -> None:
    """Replace a running server's faults."""
    httpx.post(f"{url}/_preview/faults", json={"spec": spec}, trust_env=False).raise_for_status()


def stored_flacs(root: Path) -> list[Path]:
    """Return the audio files in a store."""
    return sorted(Path(root, "takes").rglob("*.flac"))


def leftovers(root: Path) -> list[str]:
    """Return what a run should not leave behind: partial files, scratch folders, journal entries, held slots."""
    found = [path for path in root.rglob("*") if path.is_file()]
    odd = [str(p) for p in found if ".part" in p.name or "scratch" in p.parts or "journal" in p.parts]
    odd += [str(path) for path in found if path.name == "slots.json" and b'"count"' in path.read_bytes()]
    return odd
