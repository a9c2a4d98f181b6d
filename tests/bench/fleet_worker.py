"""The process that runs one fleet for `bench_fleet`: it imports what a fleet needs, so that its memory is a fleet's."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterator
from typing import Any

from ace_assets.acestep.fleet import generate
from ace_assets.acestep.fleet_settings import FleetSettings
from ace_assets.acestep.messages import ReleaseRequest
from ace_assets.acestep.servers import servers_at
from ace_assets.store import Store

TAKE_S = 10.0  # half a megabyte of FLAC; decoding it is part of the CPU figures


def plan(count: int, *, cell: str = "bench", duration_s: float = TAKE_S) -> Iterator[dict[str, Any]]:
    """Yield planned takes."""
    for number in range(count):
        request = ReleaseRequest(prompt=f"bench {cell} {number}", audio_duration=duration_s, seed=number)
        yield {
            "take_id": f"{number:06x}{cell}",
            "prompt_id": f"p{number}",
            "cell": cell,
            "take_index": 0,
            "engine": "preview",
            "model": "ace-assets-preview",
            "seed": number,
            "request_json": request.to_json(),
        }


def work(arguments: dict[str, Any]) -> None:
    """Be the process that runs one fleet."""
    settings = FleetSettings(check_seeds=False, **arguments["settings"])
    store = Store.open(arguments["folder"])
    started_s, cpu_s = time.monotonic(), time.process_time()
    result = generate(
        plan(arguments["takes"], cell=arguments["cell"], duration_s=arguments.get("duration_s", TAKE_S)),
        servers=servers_at(arguments["urls"]),
        store=store,
        cell=arguments["cell"],
        settings=settings,
    )
    figures = {
        "wall_s": time.monotonic() - started_s,
        "cpu_s": time.process_time() - cpu_s,
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "stored": result.stored,
        "reused": result.reused,
        "failed": result.failed,
    }
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    work(json.loads(sys.argv[1]))
