"""The fleet against real servers: work gets done, is shared, is stored once, and failures say what they are."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ace_assets.acestep.fleet import generate
from ace_assets.acestep.outcome import EventKind, FleetEvent
from ace_assets.acestep.server_facts import CAPABILITIES, CIRCUIT, RATE, ServerFacts
from ace_assets.acestep.servers import Server, load_servers, servers_at
from ace_assets.errors import ConfigError, ServerAuthError, ServerError, ServersGoneError
from ace_assets.preview.process import running_preview
from ace_assets.store import Store
from tests.acestep.plans import CELL, MODEL, QUICK, know, leftovers, plan, quick, set_faults, stats_of, stored_flacs

Serving = Callable[[str], str]


def test_every_planned_take_is_stored_with_what_was_asked_and_measured(
    serving: Serving, store: Store, tmp_path: Path
) -> None:
    server = serving(QUICK)
    (one,) = servers_at(server)
    know(store, server)
    priced = Server(one.url, "gpu-1", gpu="RTX 4090", price_usd_per_hour=0.5)
    result = generate(plan(7), servers=[priced], store=store, cell=CELL, plan_id="plan-1", settings=quick())
    assert (result.stored, result.reused, result.failed, result.still_planned) == (7, 0, 0, ())
    rows = result.frame().to_dicts()
    assert [row["take_index"] for row in rows] == [0] * 7
    for number, row in enumerate(rows):
        assert row["status"] == "stored"
        assert row["requested_seed"] == number
        assert row["reported_seed"] == str(number)
        assert (row["requested_model"], row["reported_model"]) == (MODEL, MODEL)
        assert (row["sample_rate_hz"], row["channels"]) == (48_000, 2)
        assert row["duration_s"] == pytest.approx(10.0, abs=0.05)
        assert row["seed_trusted"] is True
        assert row["preview"] is True
        assert row["plan_id"] == "plan-1"
        assert (row["server"], row["gpu"]) == ("gpu-1", "RTX 4090")
        assert row["cost_usd"] == pytest.approx(row["server_s"] / 3600 * 0.5, rel=0.1, abs=1e-6)
        assert row["attempts"] == 1
        facts = store.take_facts(row["take_id"])
        assert facts is not None
        assert facts["frames"] == 480_000
        assert facts["request"]["use_cot_caption"] is False
        assert facts["capabilities"]
    assert result.cost_usd == pytest.approx(sum(row["cost_usd"] for row in rows))
    assert len(stored_flacs(tmp_path)) == 7
    assert leftovers(tmp_path) == []


def test_takes_that_a_killed_run_stored_need_no_server_to_be_written_down(serving: Serving, store: Store) -> None:
    server = serving(QUICK)
    know(store, server)
    first = generate(plan(3), servers=servers_at(server), store=store, cell=CELL, settings=quick())
    again = generate(plan(3), servers=(), store=store, cell=CELL, settings=quick())
    assert (again.stored, again.reused, again.submissions) == (0, 3, 0)
    assert again.frame().equals(first.frame())
    with pytest.raises(ConfigError, match="servers: none, expected at least one ACE-Step server"):
        generate(plan(4), servers=(), store=store, cell=CELL, settings=quick())


def test_a_complete_cell_asks_the_servers_for_nothing(serving: Serving, store: Store) -> None:
    events: list[FleetEvent] = []
    server = serving(QUICK)
    know(store, server)
    servers = servers_at(server)
    first = generate(plan(4), servers=servers, store=store, cell=CELL, settings=quick())
    before = stats_of(server)["submitted_jobs"]
    again = generate(plan(4), servers=servers, store=store, cell=CELL, settings=quick(), progress=events.append)
    assert stats_of(server)["submitted_jobs"] == before
    assert (again.stored, again.reused) == (0, 4)
    assert [event.kind for event in events if event.take_id] == [EventKind.REUSED] * 4
    columns = ["take_id", "audio_sha256", "duration_s", "server", "status"]
    assert again.frame().select(columns).equals(first.frame().select(columns))


def test_four_servers_share_the_work_and_none_holds_more_than_its_depth(serving: Serving, store: Store) -> None:
    urls = [serving(f"{QUICK},queue=2") for _ in range(3)]
    know(store, *urls)
    result = generate(plan(36), servers=servers_at(urls), store=store, cell=CELL, settings=quick())
    found = [stats_of(url) for url in urls]
    assert result.stored == 36
    assert all(one["rendered_takes"] >= 6 for one in found)
    assert sum(one["submitted_jobs"] for one in found) == 36
    # one runs and two wait at most: with room for two nobody is ever sent away
    assert result.submissions == 36


def test_a_request_that_breaks_a_rule_is_never_sent_and_says_which(serving: Serving, store: Store) -> None:
    rows = list(plan(2))
    rows[0]["request_json"] = '{"prompt":"calm","audio_duration":9000}'
    server = serving(QUICK)
    know(store, server)
    result = generate(rows, servers=servers_at(server), store=store, cell=CELL, settings=quick())
    assert stats_of(server)["submitted_jobs"] == 1
    failed = result.frame().filter(status="failed").to_dicts()
    assert failed[0]["failure_class"] == "bad_request"
    assert "A-DURATION" in failed[0]["failure_message"]
    assert failed[0]["attempts"] == 0


def test_a_request_beyond_the_tier_of_every_server_is_refused_before_it_is_sent(serving: Serving, store: Store) -> None:
    server = serving(QUICK)
    know(store, server)
    small = Server(server, "small", gpu="RTX 3060", tier_table="mission")
    result = generate(plan(1, duration_s=400.0), servers=[small], store=store, cell=CELL, settings=quick())
    assert stats_of(server)["submitted_jobs"] == 0
    (row,) = result.frame().to_dicts()
    assert row["failure_class"] == "bad_request"
    assert "RTX 3060" in row["failure_message"]


def test_a_request_beyond_the_tier_of_one_server_goes_to_those_that_can(serving: Serving, store: Store) -> None:
    urls = [serving(QUICK), serving(QUICK)]
    know(store, *urls)
    small, large = Server(urls[0], "small", gpu="RTX 3060", tier_table="mission"), Server(urls[1], "large", gpu="A100")
    planned = [*plan(6, duration_s=400.0), *({**take, "take_id": take["take_id"][::-1]} for take in plan(12))]
    result = generate(planned, servers=[small, large], store=store, cell=CELL, settings=quick())
    assert (result.stored, result.failed) == (18, 0)
    asked_s = result.frame().filter(server="small")["requested_duration_s"].to_list()
    assert set(asked_s) == {10.0}


def test_takes_that_only_a_server_that_is_gone_could_make_are_given_up_by_name(store: Store) -> None:
    with running_preview(faults=f"{QUICK},die_after=1") as dying, running_preview(faults=QUICK) as living:
        know(store, dying.url, living.url)
        small = Server(living.url, "small", gpu="RTX 3060", tier_table="mission")
        large = Server(dying.url, "large", gpu="A100")
        result = generate(plan(4, duration_s=400.0), servers=[small, large], store=store, cell=CELL, settings=quick())
        assert stats_of(living.url)["submitted_jobs"] == 0
    failed = result.frame().filter(status="failed")
    assert set(failed["failure_class"]) == {"no_server"}
    assert all("large gone" in message for message in failed["failure_message"])


def test_a_take_that_always_fails_is_given_up_with_its_reason_and_the_rest_is_made(
    serving: Serving, store: Store, tmp_path: Path
) -> None:
    events: list[FleetEvent] = []
    server = serving(f"{QUICK},fail_match=piano 3$")
    know(store, server)
    settings = quick(max_attempts=3)
    result = generate(
        plan(6), servers=servers_at(server), store=store, cell=CELL, settings=settings, progress=events.append
    )
    assert (result.stored, result.failed) == (5, 1)
    (row,) = result.frame().filter(status="failed").to_dicts()
    assert row["prompt_id"] == "prompt-3"
    assert row["failure_class"] == "failed"
    assert "3 attempts" in row["failure_message"]
    assert row["attempts"] == 3
    assert [event.take_id for event in events if event.kind is EventKind.QUARANTINED] == [row["take_id"]]
    assert leftovers(tmp_path) == []


def test_a_failure_on_one_server_is_tried_on_another(serving: Serving, store: Store) -> None:
    bad = serving(f"{QUICK},empty=1")
    good = serving(QUICK)
    know(store, bad, good)
    result = generate(plan(8), servers=servers_at([bad, good]), store=store, cell=CELL, settings=quick())
    assert stats_of(bad)["submitted_jobs"] > 0
    assert (result.stored, result.failed) == (8, 0)
    good_name = servers_at(good)[0].name
    assert {row["server"] for row in result.rows} == {good_name}


def test_a_server_that_uses_another_model_is_not_believed(serving: Serving, store: Store) -> None:
    server = serving(f"{QUICK},wrong_model=1")
    know(store, server)
    settings = quick(max_attempts=2)
    rows = plan(1, model=MODEL)
    result = generate(rows, servers=servers_at(server), store=store, cell=CELL, settings=settings)
    (row,) = result.frame().to_dicts()
    assert row["failure_class"] == "wrong_model"
    assert "acestep-v15-base instead of" in row["failure_message"]


def test_clamped_lengths_are_recorded_not_believed(serving: Serving, store: Store) -> None:
    server = serving(f"{QUICK},clamp_s=12")
    know(store, server)
    result = generate(plan(1, duration_s=30.0), servers=servers_at(server), store=store, cell=CELL, settings=quick())
    (row,) = result.frame().to_dicts()
    assert (row["requested_duration_s"], row["duration_s"], row["duration_clamped"]) == (30.0, 12.0, True)


def test_ignored_seeds_are_noticed_by_one_clip_made_twice(serving: Serving, store: Store) -> None:
    liar = serving(f"{QUICK},seeds_ignored=1")
    honest = serving(QUICK)
    both = servers_at([liar, honest])
    settings = quick(check_seeds=True)
    result = generate(plan(10), servers=both, store=store, cell=CELL, settings=settings)
    trusted = {row["server"]: row["seed_trusted"] for row in result.rows}
    assert trusted == {both[0].name: False, both[1].name: True}
    known = ServerFacts(store, both[0]).recall(CAPABILITIES)
    assert known is not None
    assert known["seed_trusted"] is False


@pytest.mark.parametrize(
    "faults", ["flavour=gradio,models=list", "style=plain", "result=list", "result=dict", "result=path", "result=url"]
)
def test_every_style_of_reply_is_understood(faults: str, serving: Serving, store: Store) -> None:
    server = serving(f"{QUICK},{faults}")
    result = generate(plan(3), servers=servers_at(server), store=store, cell=CELL, settings=quick())
    assert (result.stored, result.failed) == (3, 0)


def test_a_wrong_key_ends_the_run_at_once_and_is_never_retried(store: Store) -> None:
    with running_preview(faults=QUICK, api_key="right") as server:
        (wrong,) = servers_at(server.url, environ={"ACESTEP_API_KEY": "sk-wrong-key"})
        with pytest.raises(ServerAuthError, match="Invalid API key") as caught:
            generate(plan(5), servers=[wrong], store=store, cell=CELL, settings=quick())
        assert stats_of(server.url)["calls"].get("release_task", 0) <= 3
    assert "sk-wrong-key" not in str(caught.value)


def test_a_server_that_dies_for_good_leaves_its_work_to_the_others(store: Store, tmp_path: Path) -> None:
    events: list[FleetEvent] = []
    with running_preview(faults=f"{QUICK},die_after=4") as dying, running_preview(faults=QUICK) as living:
        know(store, dying.url, living.url)
        both = servers_at([dying.url, living.url])
        result = generate(plan(24), servers=both, store=store, cell=CELL, settings=quick(), progress=events.append)
    assert (result.stored, result.failed) == (24, 0)
    assert result.servers[both[0].name].startswith("gone: ")
    assert any(event.kind is EventKind.SERVER and event.message.startswith("gone") for event in events)
    assert ServerFacts(store, both[0]).recall(CIRCUIT) is not None
    assert leftovers(tmp_path) == []


def test_all_servers_gone_is_one_error_with_every_last_state_and_keeps_what_was_finished(
    store: Store, tmp_path: Path
) -> None:
    with (
        running_preview(faults=f"{QUICK},die_after=3") as one,
        running_preview(faults=f"{QUICK},die_after=3") as other,
    ):
        know(store, one.url, other.url)
        both = servers_at([one.url, other.url])
        with pytest.raises(ServersGoneError) as caught:
            generate(plan(20), servers=both, store=store, cell=CELL, settings=quick())
    text, result = str(caught.value), caught.value.result
    assert all(f"{server.name} gone: " in text for server in both)
    assert "\n" not in text
    assert result.stored == len(stored_flacs(tmp_path)) >= 1
    assert result.stored + len(result.still_planned) == 20
    assert len(set(result.still_planned)) == len(result.still_planned)
    assert f"{result.stored} takes are stored, {20 - result.stored} are still planned" in text


def test_no_server_at_the_address_is_a_quick_and_clear_error(store: Store) -> None:
    began_s = time.monotonic()
    with pytest.raises(ServerError, match="nothing listens there"):
        generate(plan(2), servers=servers_at("http://127.0.0.1:9"), store=store, cell=CELL)
    assert time.monotonic() - began_s < 10


def test_a_server_that_comes_back_is_used_again(serving: Serving, store: Store) -> None:
    sick, well = serving(f"{QUICK},http500=1"), serving(f"{QUICK},service_s=0.15")
    know(store, sick, well)
    both = servers_at([sick, well])
    healed = threading.Timer(1.2, set_faults, (sick, QUICK))
    healed.start()
    result = generate(plan(40), servers=both, store=store, cell=CELL, settings=quick())
    healed.join()
    assert (result.stored, result.failed) == (40, 0)
    assert both[0].name in {row["server"] for row in result.rows}


def test_rates_are_remembered_for_the_next_run(serving: Serving, store: Store) -> None:
    server = serving(f"{QUICK},service_s=0.2")
    know(store, server)
    generate(plan(8), servers=servers_at(server), store=store, cell=CELL, settings=quick())
    rate = ServerFacts(store, servers_at(server)[0]).recall(RATE)
    assert rate is not None
    assert rate["seconds_per_take"] == pytest.approx(0.2, rel=0.5)


def test_it_works_inside_a_running_event_loop(serving: Serving, store: Store) -> None:

    async def main(url: str) -> int:
        return generate(plan(2), servers=servers_at(url), store=store, cell=CELL, settings=quick()).stored

    server = serving(QUICK)
    know(store, server)
    assert asyncio.run(main(server)) == 2


def test_no_servers_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="servers"):
        generate(plan(1), servers=[], store=Store.open(str(tmp_path)), cell=CELL)


def test_two_runs_at_once_never_fill_a_server_beyond_its_depth(serving: Serving, store: Store) -> None:
    server = serving(f"{QUICK},queue=2")
    know(store, server)
    results = []

    def run(cell: str) -> None:
        rows = [{**row, "cell": cell, "take_id": f"{row['take_id'][:-4]}{cell}"} for row in plan(12)]
        results.append(generate(rows, servers=servers_at(server), store=store, cell=cell, settings=quick()))

    threads = [threading.Thread(target=run, args=(cell,)) for cell in ("aaaa", "bbbb", "cccc")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = stats_of(server)
    assert sum(result.stored for result in results) == 36
    assert found["submitted_jobs"] == 36
    assert found["calls"]["release_task"] == 36, "nobody was ever told that the queue is full"


def test_the_example_of_a_servers_file_can_be_read() -> None:
    example = Path(__file__).parents[2] / "gpu" / "servers.example.toml"
    if example.exists():
        assert load_servers(example, environ={})
