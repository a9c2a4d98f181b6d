"""Killed, terminated or cancelled at any moment: the next run repeats little, and nothing half lies in the store."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ace_assets.acestep.fleet import Fleet, generate
from ace_assets.acestep.outcome import EventKind, FleetEvent
from ace_assets.acestep.servers import servers_at
from ace_assets.store import Store
from tests.acestep.plans import CELL, QUICK, know, leftovers, plan, quick, stats_of, stored_flacs

Serving = Callable[[str], str]

CHILD = """
import json, sys
from ace_assets.acestep.fleet import generate
from ace_assets.acestep.servers import servers_at
from ace_assets.store import Store
from tests.acestep.plans import CELL, plan, quick
folder, count, *urls = sys.argv[1:]
def tell(event):
    print(event.kind, flush=True)
generate(plan(int(count)), servers=servers_at(urls), store=Store.open(folder), cell=CELL, settings=quick(), progress=tell)
"""


def started(folder: Path, count: int, *urls: str) -> subprocess.Popen[str]:
    """Start a run in a process of its own."""
    command = [sys.executable, "-c", CHILD, str(folder), str(count), *urls]
    root = Path(__file__).parents[2]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root)


def wait_for(run: subprocess.Popen[str], kind: EventKind, times: int) -> None:
    """Read a run's events until one was seen that often."""
    assert run.stdout is not None
    while times:
        line = run.stdout.readline()
        assert line, "the run ended early: " + (run.stderr.read() if run.stderr else "")
        times -= line.strip() == str(kind)


@pytest.mark.parametrize(("kind", "times"), [("submitted", 1), ("submitted", 5), ("stored", 3), ("stored", 9)])
def test_after_kill_9_at_most_what_the_servers_held_is_made_again(
    kind: str, times: int, serving: Serving, store: Store, tmp_path: Path
) -> None:
    count = 12
    urls = [serving(f"{QUICK},service_s=0.2") for _ in range(2)]
    know(store, *urls)
    run = started(tmp_path, count, *urls)
    wait_for(run, EventKind(kind), times)
    run.kill()
    run.communicate()
    finished = len(stored_flacs(tmp_path))
    result = generate(plan(count), servers=servers_at(urls), store=store, cell=CELL, settings=quick())
    sent = sum(stats_of(url)["submitted_jobs"] for url in urls)
    assert (result.stored + result.reused, result.failed) == (count, 0)
    assert result.reused >= finished
    assert sent - count <= 3 * len(urls)
    assert len(stored_flacs(tmp_path)) == count
    store.sweep_partials(older_than_s=0)
    assert [path for path in leftovers(tmp_path) if "scratch" not in path] == []


def test_jobs_that_a_dead_run_left_on_a_server_are_asked_for_not_submitted_again(
    serving: Serving, store: Store, tmp_path: Path
) -> None:
    url = serving(f"{QUICK},service_s=0.5")
    know(store, url)
    run = started(tmp_path, 3, url)
    wait_for(run, EventKind.SUBMITTED, 3)
    time.sleep(0.3)  # the journal is written beside the next submission
    run.kill()
    run.communicate()
    events: list[FleetEvent] = []
    result = generate(
        plan(3), servers=servers_at(url), store=store, cell=CELL, settings=quick(), progress=events.append
    )
    assert result.stored + result.reused == 3
    assert result.submissions == 0
    assert EventKind.ADOPTED in {event.kind for event in events}
    assert stats_of(url)["submitted_jobs"] == 3


def test_a_journal_of_a_server_that_is_no_longer_there_is_no_obstacle(
    serving: Serving, store: Store, tmp_path: Path
) -> None:
    store.journal_put(CELL, next(plan(1))["take_id"], {"server_id": "elsewhere-1", "task_id": "x"})
    store.journal_put(CELL, "a-take-of-an-older-plan", {"server_id": "elsewhere-1", "task_id": "y"})
    url = serving(QUICK)
    know(store, url)
    result = generate(plan(2), servers=servers_at(url), store=store, cell=CELL, settings=quick())
    assert result.stored == 2
    assert leftovers(tmp_path) == []


def test_terminated_it_ends_soon_leaves_a_clean_store_and_remembers_its_jobs(
    serving: Serving, store: Store, tmp_path: Path
) -> None:
    url = serving(f"{QUICK},service_s=0.3")
    know(store, url)
    run = started(tmp_path, 20, url)
    wait_for(run, EventKind.STORED, 2)
    run.send_signal(signal.SIGTERM)
    _, errors = run.communicate(timeout=15)
    assert run.returncode != 0
    assert "KeyboardInterrupt: terminated" in errors
    left = leftovers(tmp_path)
    assert left
    assert all("journal" in path for path in left), "jobs stay in the journal, nothing else stays"
    before = stats_of(url)["submitted_jobs"]
    result = generate(plan(6), servers=servers_at(url), store=store, cell=CELL, settings=quick())
    assert result.stored + result.reused == 6
    assert stats_of(url)["submitted_jobs"] <= max(before, 6)


def test_cancelled_as_a_task_it_leaves_a_clean_store(serving: Serving, store: Store, tmp_path: Path) -> None:
    url = serving(f"{QUICK},service_s=0.2,slow=1,slow_bytes_per_s=50000")
    know(store, url)

    async def main() -> None:
        fleet = Fleet(servers_at(url), store=store, cell=CELL, settings=quick())
        task = asyncio.create_task(fleet.run(plan(8)))
        await asyncio.sleep(2.0)  # downloads are under way
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert all("journal" in path for path in leftovers(tmp_path))
    assert not list(tmp_path.rglob("*.part"))
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and "scratch" in path.parts]


def test_a_listener_that_fails_ends_the_run_cleanly(serving: Serving, store: Store, tmp_path: Path) -> None:
    url = serving(QUICK)
    know(store, url)

    def tell(event: FleetEvent) -> None:
        if event.kind is EventKind.STORED:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        generate(plan(5), servers=servers_at(url), store=store, cell=CELL, settings=quick(), progress=tell)
    assert all("journal" in path for path in leftovers(tmp_path))


def test_the_plan_is_drawn_lazily(serving: Serving, store: Store) -> None:
    url = serving(QUICK)
    know(store, url)
    drawn = 0
    ahead: list[int] = []

    def rows() -> Any:
        nonlocal drawn
        for row in plan(30):
            drawn += 1
            yield row

    def tell(event: FleetEvent) -> None:
        if event.kind is EventKind.STORED:
            ahead.append(drawn - event.stored)

    result = generate(rows(), servers=servers_at(url), store=store, cell=CELL, settings=quick(), progress=tell)
    assert result.stored == 30
    assert max(ahead) <= 3 + quick().backlog + 1


def test_a_take_is_never_published_without_its_facts(serving: Serving, store: Store, tmp_path: Path) -> None:
    url = serving(QUICK)
    know(store, url)
    generate(plan(3), servers=servers_at(url), store=store, cell=CELL, settings=quick())
    for flac in stored_flacs(tmp_path):
        facts = json.loads(flac.with_suffix(".json").read_text())
        assert facts["take_id"] == flac.stem
        assert facts["audio_bytes"] == flac.stat().st_size
