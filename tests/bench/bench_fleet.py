"""How busy the fleet keeps its servers, and what it costs: utilisation, polls, CPU and memory per take.

    python -m tests.bench.bench_fleet [--quick] [--only steady,overlap,soak,kill,memory]

Servers are preview engines in their synthetic mode: real processes and sockets, 2 s a take, 50 ms network delay. Prints
figures beside one request at a time and depth 1; decides nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from ace_assets.acestep.capabilities import Capabilities
from ace_assets.acestep.fleet import generate
from ace_assets.acestep.fleet_settings import FleetSettings
from ace_assets.acestep.messages import ReleaseRequest
from ace_assets.acestep.outcome import GenerationResult
from ace_assets.acestep.server_facts import CAPABILITIES, ServerFacts
from ace_assets.acestep.servers import servers_at
from ace_assets.preview.process import running_preview
from ace_assets.store import Store
from tests.bench.fleet_worker import plan

SERVICE_S = 2.0
LATENCY_S = 0.05
ALL_FAULTS = (
    "http429=0.02,http500=0.01,drop=0.005,drop_after=0.003,failed=0.005,stuck=0.003,false2=0.05,fewer=0.05,empty=0.003,"
    "gone=0.003,short=0.02,truncated=0.02,slow=0.01,slow_bytes_per_s=400000,seeds_ignored=0.02,wrong_model=0.003,"
    "clamp_s=60,queue=4"
)


@contextlib.contextmanager
def servers_with(count: int, faults: str, *, folder: Path | None = None) -> Iterator[list[str]]:
    """Give the addresses of that many servers; `{n}` in the faults is the server's number."""
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(
                running_preview(
                    faults=faults.replace("{n}", str(number)),
                    folder=None if folder is None else folder / f"server-{number}",
                )
            ).url
            for number in range(count)
        ]


def stats_of(urls: list[str]) -> list[dict[str, Any]]:
    """Return every server's own counters."""
    return [httpx.get(f"{url}/_preview/stats", trust_env=False).json() for url in urls]


def know(store: Store, urls: list[str]) -> None:
    """Let the store remember what a probe would have found, so that no test clips are made."""
    for server in servers_at(urls):
        known = Capabilities(server.name, server.url, "preview", ("ace-assets-preview",), seed_trusted=True)
        ServerFacts(store, server).remember(CAPABILITIES, known.to_facts())


@dataclass(frozen=True)
class Figures:
    """What one measurement shows."""

    label: str
    steady: float
    of_wall: float
    polls: float
    cpu_ms: float
    rss_mb: float

    def line(self) -> str:
        """Return it as one line."""
        return (
            f"{self.label:<34} steady {100 * self.steady:6.2f} %   of wall time {100 * self.of_wall:6.2f} %   "
            f"polls {self.polls:5.2f}/take   CPU {self.cpu_ms:6.1f} ms/take   {self.rss_mb:5.0f} MB"
        )


def measured(label: str, count: int, takes: int, settings: FleetSettings, *, service_s: float) -> Figures:
    """Run a fleet in a process of its own against `count` servers and return what servers and process show."""
    faults = f"synthetic=1,service_s={service_s},latency_s={LATENCY_S},seed={{n}}"
    with servers_with(count, faults) as urls, tempfile.TemporaryDirectory(prefix="bench-fleet-") as folder:
        know(Store.open(folder), urls)
        for url in urls:
            httpx.post(f"{url}/_preview/stats", trust_env=False)
        took = in_own_process(urls, folder, "bench", takes * count, settings)
        found = stats_of(urls)
    busy_s, gap_s = (sum(one[name] for one in found) for name in ("busy_s", "gap_s"))
    done = sum(one["rendered_takes"] for one in found)
    return Figures(
        label,
        steady=busy_s / (busy_s + gap_s),
        of_wall=busy_s / (count * took["wall_s"]),
        polls=sum(one["polls"] for one in found) / done,
        cpu_ms=1000 * took["cpu_s"] / done,
        rss_mb=took["rss_mb"],
    )


def in_own_process(urls: list[str], folder: str, cell: str, takes: int, settings: FleetSettings) -> dict[str, float]:
    """Run one fleet in a fresh interpreter; return its wall time, CPU time and memory."""
    return json.loads(start_worker(urls, folder, cell, takes, settings).communicate()[0].splitlines()[-1])


def start_worker(urls: list[str], folder: str, cell: str, takes: int, settings: FleetSettings) -> subprocess.Popen[str]:
    """Start a fleet in a fresh interpreter; its last line of output is JSON."""
    chosen = {"depth": settings.depth, "poll_min_s": settings.poll_min_s, "deadline_floor_s": settings.deadline_floor_s}
    arguments = json.dumps({"urls": urls, "folder": folder, "cell": cell, "takes": takes, "settings": chosen})
    return subprocess.Popen(
        [sys.executable, "-m", "tests.bench.fleet_worker", arguments], stdout=subprocess.PIPE, text=True
    )


def steady(quick: bool) -> None:
    """Compare one run on 1, 4 and 16 servers with one request at a time and with depth 1."""
    takes, service_s = (12, 0.5) if quick else (50, SERVICE_S)
    poll_min_s = 0.1 if quick else 0.25
    deep, shallow = FleetSettings(poll_min_s=poll_min_s), FleetSettings(depth=1, poll_min_s=poll_min_s)
    for count in (1, 4) if quick else (1, 4, 16):
        print(measured(f"{count} servers, depth 3", count, takes, deep, service_s=service_s).line(), flush=True)
    print(measured("4 servers, depth 1", 4, takes, shallow, service_s=service_s).line(), flush=True)
    print(one_at_a_time(takes, service_s).line(), flush=True)


def one_at_a_time(takes: int, service_s: float) -> Figures:
    """Submit, poll every five seconds, fetch, submit the next: how a script would do it."""
    faults = f"synthetic=1,service_s={service_s},latency_s={LATENCY_S}"
    takes = min(takes, 20)
    with servers_with(1, faults) as urls, httpx.Client(base_url=urls[0], trust_env=False) as http:
        http.post("/_preview/stats")
        started_s, cpu_s = time.monotonic(), time.process_time()
        for row in plan(takes):
            body = ReleaseRequest.from_json(row["request_json"]).payload()
            task_id = http.post("/release_task", json=body).json()["data"]["task_id"]
            while True:
                time.sleep(min(5.0, 2.5 * service_s))
                entry = http.post("/query_result", json={"task_id_list": [task_id]}).json()["data"][0]
                if entry["status"]:
                    break
            http.get(json.loads(entry["result"])[0]["file"])
        wall_s, cpu_s = time.monotonic() - started_s, time.process_time() - cpu_s
        found = stats_of(urls)[0]
    rss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    busy_s = found["busy_s"]
    share = busy_s / (busy_s + found["gap_s"])
    return Figures(
        "1 server, one request at a time", share, busy_s / wall_s, found["polls"] / takes, 1000 * cpu_s / takes, rss_mb
    )


def overlap(quick: bool) -> None:
    """Let 20 runs in processes of their own share four servers through one store."""
    runs, takes, count, service_s = (4, 12, 2, 0.5) if quick else (20, 140, 16, SERVICE_S)
    faults = f"synthetic=1,service_s={service_s},latency_s={LATENCY_S},seed={{n}}"
    settings = FleetSettings(poll_min_s=0.1 if quick else 0.25)
    with servers_with(count, faults) as urls, tempfile.TemporaryDirectory(prefix="bench-fleet-") as folder:
        know(Store.open(folder), urls)
        workers = [start_worker(urls, folder, f"cell{run}", takes, settings) for run in range(runs)]
        deepest = 0
        while any(worker.poll() is None for worker in workers):
            time.sleep(0.5)
            with contextlib.suppress(httpx.HTTPError):
                queues = [httpx.get(f"{url}/v1/stats", trust_env=False).json()["data"] for url in urls]
                deepest = max([deepest, *(one["queue_size"] + one["jobs"]["running"] for one in queues)])
        ended = [json.loads(worker.communicate()[0].splitlines()[-1]) for worker in workers]
        found = stats_of(urls)
    busy_s, gap_s = (sum(one[name] for one in found) for name in ("busy_s", "gap_s"))
    done = sum(one["rendered_takes"] for one in found)
    print(
        f"{runs} runs of {takes} takes on {count} servers: steady {100 * busy_s / (busy_s + gap_s):.2f} %, deepest queue "
        f"{deepest}, {sum(one['stored'] for one in ended)} stored of {runs * takes}, {done} made, "
        f"{sum(one['polls'] for one in found) / done:.2f} polls and "
        f"{1000 * sum(one['cpu_s'] for one in ended) / done:.1f} ms CPU a take, "
        f"{max(one['rss_mb'] for one in ended):.0f} MB a run at most",
        flush=True,
    )


def soak(quick: bool) -> None:
    """Switch every fault on, over several seeds."""
    seeds, takes, count = (2, 60, 3) if quick else (6, 400, 4)
    service_s, forget_s = 0.1, 12
    for seed in range(seeds):
        faults = (
            f"synthetic=1,service_s={service_s},latency_s=0.002,forget_every_s={forget_s},seed={seed}{{n}},{ALL_FAULTS}"
        )
        with servers_with(count, faults) as urls, tempfile.TemporaryDirectory(prefix="bench-fleet-") as folder:
            know(Store.open(folder), urls)
            settings = FleetSettings(poll_min_s=0.05, deadline_floor_s=5)
            began_s = time.monotonic()
            result = run_here(urls, folder, takes, settings, duration_s=10.0)
            found = stats_of(urls)
            partial = [path for path in Path(folder).rglob("*") if path.is_file() and "part" in path.name]
            flacs = len(list(Path(folder, "takes").rglob("*.flac")))
        made = sum(one["rendered_takes"] for one in found)
        sent = sum(one["submitted_jobs"] for one in found)
        injected = sum(sum(one["injected"].values()) for one in found)
        print(
            f"seed {seed}: {flacs} of {takes} stored, {result.failed} given up, {len(partial)} partial files, {injected} faults, "
            f"{100 * (made / takes - 1):.1f} % extra takes made, {100 * (sent / takes - 1):.1f} % extra jobs submitted, "
            f"{time.monotonic() - began_s:.0f} s",
            flush=True,
        )


def run_here(
    urls: list[str], folder: str, takes: int, settings: FleetSettings, *, duration_s: float
) -> GenerationResult:
    """Run one fleet in this process."""
    return generate(
        plan(takes, duration_s=duration_s),
        servers=servers_at(urls),
        store=Store.open(folder),
        cell="bench",
        settings=settings,
    )


def kill(quick: bool) -> None:
    """Kill the client at twenty random moments; count what is made twice."""
    moments, takes, count, service_s = (3, 20, 2, 0.2) if quick else (20, 40, 4, 0.3)
    randomly = random.Random(7)
    worst = 0
    for moment in range(moments):
        faults = f"synthetic=1,service_s={service_s},latency_s=0.005,seed={{n}}"
        with servers_with(count, faults) as urls, tempfile.TemporaryDirectory(prefix="bench-fleet-") as folder:
            know(Store.open(folder), urls)
            settings = FleetSettings(poll_min_s=0.05)
            worker = start_worker(urls, folder, "bench", takes, settings)
            while not sum(one["submitted_jobs"] for one in stats_of(urls)):
                time.sleep(0.05)
            time.sleep(randomly.uniform(0.0, takes * service_s / count))
            worker.kill()
            worker.communicate()
            ended = in_own_process(urls, folder, "bench", takes, settings)
            sent = sum(one["submitted_jobs"] for one in stats_of(urls))
            flacs = len(list(Path(folder, "takes").rglob("*.flac")))
        worst = max(worst, sent - takes)
        print(
            f"kill {moment}: {ended['reused']} reused, {flacs} of {takes} stored, {sent - takes} repeated", flush=True
        )
    print(f"most repeated: {worst}; depth x servers is {3 * count}", flush=True)


def memory(quick: bool) -> None:
    """Compare the memory of a short and a long run."""
    counts = (50, 200) if quick else (100, 1000, 4000)
    for takes in counts:
        with servers_with(4, "synthetic=1,service_s=0.001") as urls, tempfile.TemporaryDirectory() as folder:
            know(Store.open(folder), urls)
            ended = in_own_process(urls, folder, "bench", takes, FleetSettings(poll_min_s=0.02))
        print(f"{takes} takes: {ended['rss_mb']:.0f} MB, {1000 * ended['cpu_s'] / takes:.1f} ms CPU a take", flush=True)


PARTS = {"steady": steady, "overlap": overlap, "soak": soak, "kill": kill, "memory": memory}


def main() -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="minutes become seconds")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas between")
    options = parser.parse_args()
    for name in options.only.split(","):
        print(f"--- {name}", flush=True)
        PARTS[name](options.quick)


if __name__ == "__main__":
    main()
