"""340 exchanges recorded with a real server, replayed through the client: no wrong reading."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from ace_assets.acestep.client import AceStepClient
from ace_assets.acestep.replies import ResultItem, TaskState, task_reply
from ace_assets.acestep.servers import Server
from ace_assets.errors import ServerAuthError, ServerBusyError, ServerError, ServerRefusedError

T = TypeVar("T")
RECORDED = [
    json.loads(line)
    for line in Path(__file__).with_name("recorded_exchanges.jsonl").read_text(encoding="utf-8").splitlines()
]
BY_CASE = {row["case"]: row for row in RECORDED}

# What each job came to, said by a person who read the recordings: files that can be fetched, by case; 0 is a failure.
FILES = {
    "t2m_min_json": 2, "t2m_empty_json": 2, "batch_4": 4, "batch_8": 8, "batch_9": 8, "batch_0": 0, "batch_-3": 0,
    "seed_only": 2, "seed_list_str": 2, "types_wrong": 2, "thinking": 2, "analysis_only": 0, "full_analysis_only": 0,
    "full_analysis_nofile": 0, "inject_FAIL": 0, "inject_OOM": 0, "inject_NAN": 0, "inject_ZERO": 0, "inject_SILENT": 0,
    "inject_LOUD": 2, "inject_SAVEFAIL": 0, "inject_BADLM": 0, "nollm_plain": 2, "nollm_thinking": 0, "nollm_sample": 0,
    "nollm_dur400_batch8": 2, "nollm_analysis": 0, "part_silent": 2, "seedfix_0": 2, "seedfix_1": 2,
}  # fmt: skip


def replayed(row: dict[str, Any], ask: Callable[[AceStepClient], Coroutine[Any, Any, T]]) -> T:
    """Return what the client makes of a recorded answer."""
    body = row["body"]
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(row["status"], content=content, headers={"content-type": row["type"]})

    async def run() -> T:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            return await ask(AceStepClient(Server("http://127.0.0.1:8001", "recorded"), http))

    return asyncio.run(run())


def expected_error(row: dict[str, Any]) -> type[ServerError] | None:
    """Return the kind of error that a status and a wrapped code stand for."""
    body = row["body"]
    code = row["status"]
    if code == 200 and isinstance(body, dict) and "data" in body and "code" in body:
        code = body["code"]
    if code == 200:
        return None
    kinds: dict[int, type[ServerError]] = {401: ServerAuthError, 429: ServerBusyError}
    return kinds.get(code, ServerRefusedError if 400 <= code < 500 else ServerError)


def test_all_recorded_exchanges_are_here() -> None:
    assert len(RECORDED) == 340


@pytest.mark.parametrize(
    "row", [r for r in RECORDED if r["path"] == "release_task" and r["method"] == "POST"], ids=lambda r: r["case"]
)
def test_a_release_is_accepted_or_its_error_is_an_error(row: dict[str, Any]) -> None:
    kind = expected_error(row)
    if kind is None:
        answer = replayed(row, lambda client: client.release({"prompt": "p"}))
        assert answer.task_id == row["body"]["data"]["task_id"]
        assert answer.done == (row["body"]["data"]["status"] == "succeeded")
        return
    with pytest.raises(ServerError) as caught:
        replayed(row, lambda client: client.release({"prompt": "p"}))
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("row", [r for r in RECORDED if r["path"] == "query_result"], ids=lambda r: r["case"])
def test_a_query_reads_every_task_as_it_is(row: dict[str, Any]) -> None:
    kind = expected_error(row)
    if kind is not None:
        with pytest.raises(ServerError) as caught:
            replayed(row, lambda client: client.query(["x"]))
        assert type(caught.value) is kind
        return
    found = replayed(row, lambda client: client.query(["x"]))
    entries = row["body"]["data"]
    assert set(found) == {entry["task_id"] for entry in entries}
    case, _, step = row["case"].rpartition(".")
    for entry in entries:
        reply = found[entry["task_id"]]
        if entry["result"] == "[]":
            assert reply.state is TaskState.UNKNOWN
        elif step == "final":
            files = FILES.get(case, 1)
            assert reply.state is (TaskState.SUCCEEDED if files else TaskState.FAILED)
            assert len(reply.items) == files
            assert all(item.reference.startswith("/v1/audio?path=%2Fsrv") for item in reply.items)
        elif step == "poll_mid":
            assert reply.state in {TaskState.QUEUED, TaskState.RUNNING}
            assert not reply.items
        assert "INFO" not in reply.reason, "a line of the server's log is no error of this job"
        assert "ERROR" not in reply.reason


def test_an_old_job_is_not_a_failed_one() -> None:
    timeline = BY_CASE["tmo_final"]["note"]["timeline"]
    falsely_failed = 0
    for _, tasks in timeline:
        for status, stage in tasks:
            result = (
                json.dumps([{"file": "/v1/audio?path=%2Fa.wav" if status == 1 else "", "stage": stage}])
                if stage
                else "[]"
            )
            reply = task_reply("a", {"task_id": "a", "status": status, "result": result})
            if status == 2:
                falsely_failed += 1
                assert reply.state is TaskState.RUNNING
            elif stage == "succeeded":
                assert reply.state is TaskState.SUCCEEDED
    assert falsely_failed >= 4


def test_jobs_after_a_restart_are_unknown_or_still_running() -> None:
    found = replayed(BY_CASE["after_kill9_restart"], lambda client: client.query(["x"]))
    assert [reply.state for reply in found.values()] == [TaskState.RUNNING, *3 * [TaskState.UNKNOWN]]


def test_a_mixed_queue_is_one_running_three_queued_one_unknown() -> None:
    found = replayed(BY_CASE["query_mixed"], lambda client: client.query(["x"]))
    assert [reply.state for reply in found.values()] == [
        TaskState.RUNNING, TaskState.QUEUED, TaskState.QUEUED, TaskState.QUEUED, TaskState.UNKNOWN,
    ]  # fmt: skip


def test_the_model_that_ran_is_seen_where_another_one_was_asked_for() -> None:
    asked = BY_CASE["model_openrouter_name.release"]["sent"]["model"]
    found = replayed(BY_CASE["model_openrouter_name.final"], lambda client: client.query(["x"]))
    (reply,) = found.values()
    assert asked == "acestep/acestep-v15-base"
    assert reply.items[0].dit_model == "acestep-v15-turbo"


def test_the_gradio_flavour_gives_a_url_beside_a_path() -> None:
    found = replayed(BY_CASE["gr_query"], lambda client: client.query(["x"]))
    reply = next(iter(found.values()))
    assert reply.items[0].reference.startswith("/v1/audio?path=")
    assert found["nope"].state is TaskState.UNKNOWN


@pytest.mark.parametrize("case", ["models", "models_two", "auth_none/v1/models", "gr_models"])
def test_both_lists_of_models_are_read_without_their_prefix(case: str) -> None:
    names = replayed(BY_CASE[case], lambda client: client.models())
    assert names[0] == "acestep-v15-turbo"
    assert not any("/" in name for name in names)
    assert len(names) == (2 if case == "models_two" else 1)


@pytest.mark.parametrize("row", [r for r in RECORDED if r["path"] == "v1/stats"], ids=lambda r: r["case"])
def test_statistics_are_read_or_refused(row: dict[str, Any]) -> None:
    kind = expected_error(row)
    if kind is not None:
        with pytest.raises(kind):
            replayed(row, lambda client: client.stats())
        return
    assert replayed(row, lambda client: client.stats()).queue_size == row["body"]["data"]["queue_size"]


def test_a_full_queue_is_told_by_queue_size_not_by_leaked_records() -> None:
    assert replayed(BY_CASE["stats_full"], lambda client: client.stats()).queue_size == 3


@pytest.mark.parametrize("row", [r for r in RECORDED if r["path"] == "health"], ids=lambda r: r["case"])
def test_health_is_read_whatever_the_key(row: dict[str, Any]) -> None:
    assert replayed(row, lambda client: client.health())["status"] == "ok"


@pytest.mark.parametrize("row", [r for r in RECORDED if r["path"] == "format_input"], ids=lambda r: r["case"])
def test_formatting_works_or_falls_back_to_the_caption_and_says_so(row: dict[str, Any]) -> None:
    if expected_error(row) is ServerAuthError:
        with pytest.raises(ServerAuthError):
            replayed(row, lambda client: client.format_input("my caption"))
        return
    formatted = replayed(row, lambda client: client.format_input("my caption"))
    if expected_error(row) is None and row["body"]["data"]["caption"].strip():
        assert formatted.used_language_model
        assert formatted.caption == row["body"]["data"]["caption"].strip()
    else:
        assert formatted.caption == "my caption"
        assert not formatted.used_language_model
        assert "original caption kept" in formatted.note


@pytest.mark.parametrize(
    "row",
    [r for r in RECORDED if r["path"].startswith("v1/audio") and r["method"] == "GET" and r["status"] != 200],
    ids=lambda r: r["case"],
)
def test_audio_that_is_refused_or_partial_is_never_a_download(row: dict[str, Any], tmp_path: Path) -> None:
    target = tmp_path / "take.flac"
    with pytest.raises(ServerError):
        replayed(row, lambda client: client.fetch(ResultItem("/v1/audio?path=%2Fsrv%2Fa.wav"), to=target))
    assert not target.exists()
