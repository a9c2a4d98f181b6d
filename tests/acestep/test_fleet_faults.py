"""Every fault at once, and each way of losing a job alone: nothing is lost, stored twice or half written."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from ace_assets.acestep.fleet import generate
from ace_assets.acestep.outcome import EventKind, FleetEvent
from ace_assets.acestep.servers import servers_at
from ace_assets.acestep.watch import DETECTORS, Detector, overtaken_twice, past_deadline, unknown_twice
from ace_assets.errors import ServersGoneError
from ace_assets.store import Store
from tests.acestep.plans import CELL, QUICK, know, leftovers, plan, quick, set_faults, stats_of, stored_flacs

Serving = Callable[[str], str]

ALL_FAULTS = (
    "queue=3,http429=0.03,http500=0.03,drop=0.01,drop_after=0.005,failed=0.01,stuck=0.01,false2=0.1,fewer=0.1,empty=0.01,"
    "gone=0.01,short=0.03,truncated=0.03,slow=0.02,slow_bytes_per_s=2000000,seeds_ignored=0.05,wrong_model=0.005,"
    "latency_s=0.002,forget_every_s=3"
)


@pytest.mark.parametrize("seed", [1, 2])
def test_with_every_fault_switched_on_each_take_is_stored_exactly_once(
    seed: int, serving: Serving, store: Store, tmp_path: Path
) -> None:
    urls = [serving(f"{QUICK},{ALL_FAULTS},seed={seed}{n}") for n in range(3)]
    know(store, *urls)
    count = 40
    events: list[FleetEvent] = []
    settings = quick(deadline_floor_s=2.0)
    result = generate(
        plan(count), servers=servers_at(urls), store=store, cell=CELL, settings=settings, progress=events.append
    )
    injected = {name for url in urls for name in stats_of(url)["injected"]}
    assert (result.stored, result.failed, result.still_planned) == (count, 0, ())
    assert len(stored_flacs(tmp_path)) == count
    stored = [event.take_id for event in events if event.kind is EventKind.STORED]
    assert len(stored) == len(set(stored)) == count
    assert leftovers(tmp_path) == []
    assert len(injected) >= 4, f"too few faults struck to prove anything: {injected}"


def without(detector: Detector) -> tuple[Detector, ...]:
    return tuple(rule for rule in DETECTORS if rule is not detector)


def lost_reasons(events: list[FleetEvent]) -> str:
    return " ".join(event.message for event in events if event.kind is EventKind.RETURNED)


def test_jobs_that_a_restart_forgot_are_made_again(serving: Serving, store: Store, tmp_path: Path) -> None:
    events: list[FleetEvent] = []
    forget_queued_jobs(serving, store, DETECTORS, events)
    assert "the server forgot it" in lost_reasons(events)
    assert len(stored_flacs(tmp_path)) == 3


def forget_queued_jobs(serving: Serving, store: Store, rules: tuple[Detector, ...], events: list[FleetEvent]) -> None:
    """Let a server restart while one job runs, two wait in its queue, and no more are to come."""
    url = serving(f"{QUICK},service_s=5")
    know(store, url)

    def watch(event: FleetEvent) -> None:
        events.append(event)
        if event.kind is EventKind.SUBMITTED and sum(one.kind is EventKind.SUBMITTED for one in events) == 3:
            httpx.post(f"{url}/_preview/forget", trust_env=False)
            set_faults(url, QUICK)

    settings = quick(detectors=rules, deadline_floor_s=60.0, deadline_unmeasured_s=60.0)
    generate(plan(3), servers=servers_at(url), store=store, cell=CELL, settings=settings, progress=watch)


@pytest.mark.timeout(30)
def test_without_the_rule_for_forgotten_jobs_they_would_be_waited_for(serving: Serving, store: Store) -> None:
    with pytest.raises(_HangsError):
        with_a_limit(lambda events: forget_queued_jobs(serving, store, without(unknown_twice), events))


def test_a_job_that_hangs_while_later_ones_run_is_made_again(serving: Serving, store: Store, tmp_path: Path) -> None:
    events: list[FleetEvent] = []
    hang_one_of_many(serving, store, DETECTORS, events)
    assert "a later job ran before it" in lost_reasons(events)
    assert len(stored_flacs(tmp_path)) == 4


def hang_one_of_many(serving: Serving, store: Store, rules: tuple[Detector, ...], events: list[FleetEvent]) -> None:
    """Let the first job hang while later ones run."""
    url = serving(f"{QUICK},service_s=0.2,stuck=1")
    know(store, url)

    def watch(event: FleetEvent) -> None:
        events.append(event)
        if event.kind is EventKind.SUBMITTED and sum(one.kind is EventKind.SUBMITTED for one in events) == 1:
            set_faults(url, f"{QUICK},service_s=0.2")

    settings = quick(detectors=rules, deadline_floor_s=60.0, deadline_unmeasured_s=60.0, poll_min_s=0.1)
    generate(plan(4), servers=servers_at(url), store=store, cell=CELL, settings=settings, progress=watch)


@pytest.mark.timeout(30)
def test_without_the_rule_for_overtaken_jobs_they_would_be_waited_for(serving: Serving, store: Store) -> None:
    with pytest.raises(_HangsError):
        with_a_limit(lambda events: hang_one_of_many(serving, store, without(overtaken_twice), events))


def test_a_job_that_hangs_alone_is_made_again_after_its_deadline(
    serving: Serving, store: Store, tmp_path: Path
) -> None:
    events: list[FleetEvent] = []
    hang_the_last_one(serving, store, DETECTORS, events)
    assert "nothing moved for" in lost_reasons(events)
    assert len(stored_flacs(tmp_path)) == 3


def hang_the_last_one(serving: Serving, store: Store, rules: tuple[Detector, ...], events: list[FleetEvent]) -> None:
    """Let the very last job hang, with nothing behind it."""
    url = serving(f"{QUICK},service_s=0.2")
    know(store, url)

    def watch(event: FleetEvent) -> None:
        events.append(event)
        if sum(one.kind is EventKind.SUBMITTED for one in events) == 2:
            set_faults(url, f"{QUICK},service_s=0.2,stuck=1")
        if event.kind is EventKind.RETURNED:
            set_faults(url, f"{QUICK},service_s=0.2")

    settings = quick(detectors=rules, depth=1)
    generate(plan(3), servers=servers_at(url), store=store, cell=CELL, settings=settings, progress=watch)


@pytest.mark.timeout(30)
def test_without_the_deadline_a_job_that_hangs_alone_would_be_waited_for(serving: Serving, store: Store) -> None:
    with pytest.raises(_HangsError):
        with_a_limit(lambda events: hang_the_last_one(serving, store, without(past_deadline), events))


class _HangsError(KeyboardInterrupt):
    """A run made no progress for too long.

    An event loop swallows any other exception that a signal raises inside one of its callbacks.
    """


def with_a_limit(run: Callable[[list[FleetEvent]], None], limit_s: float = 4.0) -> None:
    """Run, and raise _HangsError when it does not end in time."""

    def ring(signum: int, frame: object) -> None:
        raise _HangsError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, limit_s, limit_s)
    try:
        run([])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_false_failure_is_waited_for_and_nothing_is_made_twice(serving: Serving, store: Store) -> None:
    url = serving(f"{QUICK},service_s=0.2,false2=1")
    know(store, url)
    result = generate(plan(5), servers=servers_at(url), store=store, cell=CELL, settings=quick())
    assert result.stored == result.submissions == 5


def test_a_full_queue_costs_no_attempt(serving: Serving, store: Store) -> None:
    url = serving(f"{QUICK},http429=0.5")
    know(store, url)
    settings = quick(max_attempts=1)
    result = generate(plan(8), servers=servers_at(url), store=store, cell=CELL, settings=settings)
    assert (result.stored, result.failed) == (8, 0)
    assert stats_of(url)["injected"]["http429"] >= 1


def test_bodies_that_end_early_are_fetched_again_not_made_again(serving: Serving, store: Store) -> None:
    url = serving(f"{QUICK},short=0.3,truncated=0.2")
    know(store, url)
    result = generate(plan(8), servers=servers_at(url), store=store, cell=CELL, settings=quick(download_tries=8))
    found = stats_of(url)
    assert result.stored == 8
    assert found["submitted_jobs"] == 8
    assert found["calls"]["v1.audio"] > 8


def test_a_hanging_server_is_given_up_and_says_why(serving: Serving, store: Store) -> None:
    url = serving(f"{QUICK},stuck=1")
    know(store, url)
    settings = replace(quick(max_attempts=50), deadline_unmeasured_s=0.3, start_attempts=1, gone_after_s=0.5)
    with pytest.raises(ServersGoneError, match="gone: lost a job: "):
        generate(plan(4), servers=servers_at(url), store=store, cell=CELL, settings=settings)
