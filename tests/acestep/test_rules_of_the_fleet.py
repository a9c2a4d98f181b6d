"""The pure parts of the fleet: lost jobs, circuits, slots, what is remembered, spans on a server."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ace_assets.acestep.circuit import Circuit, LaneState
from ace_assets.acestep.flight import Flight, Pace, span_on_server
from ace_assets.acestep.replies import TaskReply, TaskState
from ace_assets.acestep.server_facts import RATE, ServerFacts
from ace_assets.acestep.servers import servers_at
from ace_assets.acestep.slots import Slots
from ace_assets.acestep.watch import Sightings, overtaken, overtaken_twice, past_deadline, unknown_twice
from ace_assets.store import Store

RUNNING = TaskReply("a", TaskState.RUNNING, "Generating music", 0.6)
UNKNOWN = TaskReply("a", TaskState.UNKNOWN)


def seen(*replies: TaskReply | None, late: bool = False) -> Sightings:
    sightings = Sightings(submitted_s=0.0, changed_s=0.0)
    for number, reply in enumerate(replies):
        sightings.see(reply, overtaken=late, now_s=float(number))
    return sightings


def test_a_job_is_forgotten_when_it_is_unknown_twice_in_a_row() -> None:
    assert unknown_twice(seen(UNKNOWN)) is None
    assert unknown_twice(seen(UNKNOWN, RUNNING, UNKNOWN)) is None
    assert unknown_twice(seen(RUNNING, UNKNOWN, UNKNOWN)) is not None
    assert unknown_twice(seen(None, None)) is not None, "left out of the answer is as good as unknown"


def test_a_job_is_dropped_when_a_later_one_ran_and_it_does_not_move() -> None:
    assert overtaken_twice(seen(RUNNING, late=True)) is None
    assert overtaken_twice(seen(RUNNING, RUNNING, late=True)) is not None
    assert overtaken_twice(seen(RUNNING, RUNNING)) is None


def test_a_job_that_moves_is_not_lost_even_if_a_later_one_is_faster() -> None:
    moving = [TaskReply("a", TaskState.RUNNING, "Generating music", 0.1 * step) for step in range(6)]
    assert overtaken_twice(seen(*moving, late=True)) is None


def test_a_job_stays_overtaken_when_the_later_one_is_long_done() -> None:
    sightings = seen(RUNNING, late=True)
    sightings.see(RUNNING, overtaken=False, now_s=9.0)
    assert overtaken_twice(sightings) is not None


def test_silence_longer_than_the_deadline_is_loss() -> None:
    sightings = seen(RUNNING)
    sightings.silent_s, sightings.deadline_s = 9.0, 10.0
    assert past_deadline(sightings) is None
    sightings.silent_s = 11.0
    assert past_deadline(sightings) == "nothing moved for 11 s"


def test_only_unfinished_jobs_before_one_that_ran_are_overtaken() -> None:
    answers = {
        "a": TaskReply("a", TaskState.SUCCEEDED),
        "b": TaskReply("b", TaskState.RUNNING),
        "c": TaskReply("c", TaskState.QUEUED),
    }
    assert overtaken(["a", "b", "c"], answers) == frozenset()
    answers["c"] = TaskReply("c", TaskState.RUNNING)
    assert overtaken(["a", "b", "c"], answers) == {"b"}
    assert overtaken(["z", "c"], answers) == {"z"}


def test_a_circuit_opens_after_three_failures_for_a_growing_while() -> None:
    circuit = Circuit()
    circuit.succeeded("query")
    assert circuit.state is LaneState.UP
    rests = []
    for number in range(3, 8):
        circuit.failed("query", "why", 0.0)
        if number == 3:
            circuit.failed("query", "why", 0.0)
            assert circuit.state is LaneState.UP
            circuit.failed("query", "why", 0.0)
        assert circuit.state is LaneState.OPEN
        rests.append(circuit.resting_s(0.0))
    assert rests == sorted(rests)
    assert rests[0] == pytest.approx(0.5, rel=0.21)
    circuit.succeeded("query")
    assert circuit.state is LaneState.UP
    assert circuit.resting_s(0.0) == 0.0


def test_a_server_that_fails_for_long_is_gone_and_can_come_back() -> None:
    circuit = Circuit(gone_after_s=30.0)
    circuit.succeeded("query")
    for moment in (0.0, 1.0, 2.0, 5.0, 10.0, 20.0):
        circuit.failed("release", "500", moment)
    assert circuit.state is LaneState.OPEN
    assert circuit.failed("release", "500", 31.0) is LaneState.GONE
    circuit.succeeded("query")
    assert circuit.state is LaneState.GONE, "a late answer does not revive it"
    circuit.came_back()
    assert circuit.state is LaneState.UP


def test_answering_polls_does_not_excuse_refusing_every_job() -> None:
    circuit = Circuit()
    circuit.succeeded("query")
    for _ in range(3):
        circuit.failed("release", "500", 0.0)
        circuit.succeeded("query")
    assert circuit.state is LaneState.OPEN


def test_a_server_that_never_answered_is_given_up_quickly() -> None:
    circuit = Circuit(start_attempts=3)
    assert [circuit.failed("query", "refused", 0.0) for _ in range(3)][-1] is LaneState.GONE


def test_slots_are_shared_over_holders_and_freed_by_giving_back(tmp_path: Path) -> None:
    blobs = Store.open(str(tmp_path)).blobs
    one, other = (Slots(blobs, "servers/a/slots.json", depth=3) for _ in range(2))
    assert one.take(2) == 2
    assert other.take(3) == 1
    assert one.take(3) == 2
    assert one.give_back(0) == 0
    assert other.take(3) == 3
    assert one.take(1) == 0
    assert other.give_back(1) == 1
    assert one.take(3) == 2


def test_slots_of_a_process_that_was_killed_are_free_at_once(tmp_path: Path) -> None:
    code = (
        "import sys, time; from ace_assets.store import Store; from ace_assets.acestep.slots import Slots\n"
        "print(Slots(Store.open(sys.argv[1]).blobs, 'servers/a/slots.json', depth=3).take(3), flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "3\n"
    mine = Slots(Store.open(str(tmp_path)).blobs, "servers/a/slots.json", depth=3)
    assert mine.take(3) == 0
    holder.kill()
    holder.communicate()
    assert mine.take(3) == 3


def test_slots_of_a_silent_holder_elsewhere_are_free_after_its_term(tmp_path: Path) -> None:
    blobs = Store.open(str(tmp_path)).blobs
    away = {"token": "x", "machine": "another", "pid": 1, "process_start": "1", "count": 3}
    blobs.put("s.json", json.dumps({"holders": [{**away, "expires_at_s": time.time() + 0.3}]}).encode())
    mine = Slots(blobs, "s.json", depth=3)
    assert mine.take(3) == 0
    time.sleep(0.35)
    assert mine.take(3) == 3


def test_a_book_of_slots_that_cannot_be_read_counts_as_empty(tmp_path: Path) -> None:
    blobs = Store.open(str(tmp_path)).blobs
    blobs.put("s.json", b"not json")
    assert Slots(blobs, "s.json", depth=3).take(2) == 2


def test_what_is_remembered_of_a_server_expires(tmp_path: Path) -> None:
    facts = ServerFacts(Store.open(str(tmp_path)), servers_at("http://127.0.0.1:8001")[0])
    facts.remember(RATE, {"seconds_per_take": 2.0})
    assert facts.recall(RATE) == {"seconds_per_take": 2.0}
    facts.remember(RATE, {"seconds_per_take": 2.0}, ttl_s=-1.0)
    assert facts.recall(RATE) is None
    Path(tmp_path, "servers", "127.0.0.1-8001", "rate.json").write_text("[")
    assert facts.recall(RATE) is None


def flight_of(*, submitted_at_s: float = 0.0, adopted_at_s: float | None = None) -> Flight:
    seen = Sightings(submitted_s=submitted_at_s, changed_s=submitted_at_s)
    return Flight(None, "t", seen, submitted_at_s=submitted_at_s, adopted_at_s=adopted_at_s)  # type: ignore[arg-type]


def test_the_pace_is_learnt_from_jobs_that_finish() -> None:
    pace = Pace()
    pace.finished([flight_of()], 2.0)
    for moment in (4.0, 6.0, 8.0):
        pace.finished([flight_of()], moment)
    assert pace.seconds == pytest.approx(2.0)
    pace.finished([flight_of(), flight_of()], 12.0)
    assert pace.seconds == pytest.approx(2.0)


def test_other_runs_jobs_make_a_server_look_slow_only_until_they_are_gone() -> None:
    pace = Pace()
    for moment in (6.0, 12.0, 18.0):
        pace.finished([flight_of()], moment)
    assert pace.look_after_s == pytest.approx(6.0)
    pace.finished([flight_of(), flight_of(), flight_of()], 24.0)
    assert pace.look_after_s == pytest.approx(2.0)
    assert pace.seconds == pytest.approx(4.8), "when to give up is not drawn from one quick finish"
    waited = flight_of()
    waited.seen.queued_s = 28.5
    pace.finished([waited], 30.0)
    assert pace.look_after_s == pytest.approx(1.5), "it was still waiting then"
    pace.finished([flight_of()], 130.0)
    assert pace.look_after_s == pytest.approx(0.7 * 1.5 + 0.3 * 7.0)


def test_a_job_that_waited_for_a_dead_run_does_not_tell_the_pace() -> None:
    pace = Pace(seconds=2.0)
    left_behind = flight_of(submitted_at_s=-3600.0, adopted_at_s=0.0)
    pace.finished([left_behind], 0.3)
    assert (pace.seconds, pace.measured) == (2.0, 0)
    pace.finished([flight_of(submitted_at_s=-3599.0, adopted_at_s=0.0)], 2.3)
    assert pace.seconds == pytest.approx(2.0)
    assert pace.measured == 1


def test_nobody_measured_an_adopted_job_that_began_before_anybody_watched() -> None:
    left_behind = flight_of(submitted_at_s=-3600.0, adopted_at_s=0.0)
    assert span_on_server(left_behind, None, 0.3, place=0, of=1) is None
    assert span_on_server(left_behind, 0.3, 2.3, place=0, of=1) == (0.3, 2.3)
    left_behind.seen.queued_s = 1.0
    assert span_on_server(left_behind, None, 2.3, place=0, of=1) == (1.0, 2.3)


def test_a_jobs_time_on_the_server_starts_when_the_one_before_it_ended() -> None:
    flight = flight_of()
    assert span_on_server(flight, None, 2.0, place=0, of=1) == (0.0, 2.0)
    assert span_on_server(flight, 2.0, 4.0, place=0, of=1) == (2.0, 4.0)
    assert span_on_server(flight, 2.0, 6.0, place=1, of=2) == (4.0, 6.0)
