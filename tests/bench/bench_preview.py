"""What the preview engine costs: CPU of a 120-s take per style, memory of a 600-s take, servers under a fleet's load.

Budgets: a 120-s take within 1 s of one core; sixteen servers of 2 s a take on two cores, busy more than 99 % of the
time with a client that always has a job waiting.
"""

from __future__ import annotations

import resource
import statistics
import sys
import time
from contextlib import ExitStack

from ace_assets.preview.process import running_preview
from ace_assets.preview.render import render
from ace_assets.preview.request import MusicRequest
from ace_assets.preview.styles import STYLES
from tests.preview.client import Client

TAKE_S, LONG_TAKE_S, BUDGET_S = 120.0, 600.0, 1.0
SERVERS, TAKES_PER_SERVER, SERVICE_S, POLL_S = 16, 6, 2.0, 0.5


def render_costs() -> None:
    render(MusicRequest("lounge", duration_s=6.0))  # compiles
    costs = {}
    for name in STYLES:
        begin = time.process_time()
        render(MusicRequest(name.replace("-", " "), bpm=100, key="C major", duration_s=TAKE_S, seed=1))
        costs[name] = time.process_time() - begin
    for name, cost in sorted(costs.items(), key=lambda pair: -pair[1]):
        print(f"  {name:18} {cost:.2f} s, {TAKE_S / cost:.0f} x realtime")
    print(f"CPU of a 120-s take: median {statistics.median(costs.values()):.2f} s, most {max(costs.values()):.2f} s")
    print(f"  against the budget of {BUDGET_S:.0f} s: {max(costs.values()) / BUDGET_S:.2f}")


def long_take() -> None:
    begin = time.process_time()
    audio = render(MusicRequest("deep house", bpm=120, key="A minor", duration_s=LONG_TAKE_S, seed=1))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    spent_s, audio_mb = time.process_time() - begin, audio.samples.nbytes / 1e6
    print(f"600-s take: {spent_s:.1f} s, {peak_mb:.0f} MB at most, {audio_mb:.0f} MB of it audio")


def sixteen_servers() -> None:
    with ExitStack() as stack:
        faults = f"synthetic,service_s={SERVICE_S},latency_s=0.05"
        servers = [stack.enter_context(running_preview(faults=faults)) for _ in range(SERVERS)]
        clients = [stack.enter_context(Client(server.url)) for server in servers]
        tasks = [[client.release(seed=seed) for seed in range(TAKES_PER_SERVER)] for client in clients]
        begin = time.monotonic()
        deadline = begin + SERVICE_S * TAKES_PER_SERVER * 3
        waiting = dict(enumerate(tasks))
        while waiting and time.monotonic() < deadline:
            time.sleep(POLL_S)
            waiting = {
                index: ids
                for index, ids in waiting.items()
                if any(not entry["status"] for entry in clients[index].query(*ids))
            }
        stats = [client.stats() for client in clients]
        cpu = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = [row["utilisation"] for row in stats]
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    takes = sum(row["rendered_takes"] for row in stats)
    spent = children.ru_utime + children.ru_stime - cpu.ru_utime - cpu.ru_stime
    print(f"{SERVERS} servers, {takes} takes of {SERVICE_S:.0f} s: utilisation {min(busy):.4f} to {max(busy):.4f}")
    print(f"  CPU of all servers, start included: {spent:.1f} s, {1000 * spent / takes:.0f} ms a take")


def main() -> int:
    render_costs()
    long_take()
    sixteen_servers()
    return 0


if __name__ == "__main__":
    sys.exit(main())
