"""Whatever a server says is read within bounds, or is a ServerError: never a traceback, never a wrong reading."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ace_assets.acestep import replies
from ace_assets.acestep.replies import TaskState
from ace_assets.errors import ServerAuthError, ServerBusyError, ServerError, ServerRefusedError

FILE = "/v1/audio?path=%2Fa.flac"
THING = "gpu-1 /query_result"


@pytest.mark.parametrize(
    "result",
    [
        json.dumps([{"file": FILE}]),
        json.dumps({"file": FILE}),
        json.dumps(json.dumps([{"file": FILE}])),
        [{"file": FILE}],
        {"file": FILE},
        [FILE],
        FILE,
        json.dumps(FILE),
        {"file": "/srv/a.flac", "url": FILE},
        {"path": FILE},
    ],
    ids=str,
)
def test_every_form_of_a_result_names_its_file(result: Any) -> None:
    reply = replies.task_reply("a", {"status": 1, "result": result})
    assert reply.state is TaskState.SUCCEEDED
    assert [item.reference for item in reply.items] == [FILE]


@pytest.mark.parametrize(
    "result", ["[]", "", None, [], [{}], [{"file": ""}], {"file": " "}, "[null]", [1], {"file": 5}]
)
def test_a_success_without_a_file_is_a_failure(result: Any) -> None:
    reply = replies.task_reply("a", {"status": 1, "result": result})
    assert reply.state is TaskState.FAILED
    assert "without a file" in reply.reason


@pytest.mark.parametrize(
    ("status", "result", "state"),
    [
        (0, "[]", TaskState.UNKNOWN),
        (0, "", TaskState.UNKNOWN),
        (0, '[{"stage":"queued"}]', TaskState.QUEUED),
        (0, '[{"stage":"Decoding audio...","progress":0.8}]', TaskState.RUNNING),
        ("0", '[{"stage":"running"}]', TaskState.RUNNING),
        (2, '[{"stage":"failed"}]', TaskState.FAILED),
        (2, '[{"stage":"Generating music"}]', TaskState.RUNNING),
        (2, "error message", TaskState.FAILED),
        (2, "[]", TaskState.FAILED),
        (3, "[]", TaskState.FAILED),
        (None, "[]", TaskState.FAILED),
        (True, '[{"file":"/a"}]', TaskState.FAILED),
    ],
)
def test_a_status_is_read_together_with_its_stage(status: Any, result: Any, state: TaskState) -> None:
    assert replies.task_reply("a", {"status": status, "result": result}).state is state


def test_a_reason_comes_from_the_job_never_from_the_servers_log() -> None:
    entry = {"status": 2, "result": '[{"stage":"failed"}]', "progress_text": "ERROR of another job"}
    assert "another job" not in replies.task_reply("a", entry).reason
    assert replies.task_reply("a", {"status": 2, "result": "out of memory"}).reason == "out of memory"


def test_a_wrapped_reply_is_unwrapped_only_where_data_and_code_are_both_there() -> None:
    assert replies.unwrap(200, b'{"data":[1],"code":200}', thing=THING) == [1]
    assert replies.unwrap(200, b'{"object":"list","data":[1]}', thing=THING) == {"object": "list", "data": [1]}
    assert replies.unwrap(200, b"[1]", thing=THING) == [1]


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, b'{"detail":"Invalid API key"}', ServerAuthError),
        (429, b'{"detail":"Server busy: queue is full"}', ServerBusyError),
        (404, b'{"detail":"Not Found"}', ServerRefusedError),
        (422, b'{"detail":[{"type":"missing"}]}', ServerRefusedError),
        (500, b"Internal Server Error", ServerError),
        (502, b"<html>Bad Gateway</html>", ServerError),
        (302, b"", ServerError),
        (200, b'{"data":null,"code":500,"error":"format_sample failed"}', ServerError),
        (200, b'{"data":null,"code":401,"error":"no"}', ServerAuthError),
        (200, b'{"data":null,"code":"x"}', ServerError),
        (200, b'{"detail":"sorry"}', ServerError),
        (200, b"<html><body>login</body></html>", ServerError),
        (200, b"", ServerError),
        (200, b"\xff\xfe\x00", ServerError),
        (200, b"[" * 100_000 + b"]" * 100_000, ServerError),
        (200, b"[" * 500 + b"]" * 500, ServerError),
        (200, b"1" * 10_000, ServerError),
        (500, b"x" * 1_000_000, ServerError),
        (500, b"[" * 100_000, ServerError),
    ],
)  # fmt: skip
def test_everything_else_is_one_short_line_of_error(status: int, body: bytes, kind: type[ServerError]) -> None:
    with pytest.raises(ServerError) as caught:
        replies.unwrap(status, body, thing=THING)
    assert type(caught.value) is kind
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 600
    assert THING in text


def test_nested_results_cannot_break_the_reader() -> None:
    nested = "[" * 100_000 + "]" * 100_000
    assert replies.task_reply("a", {"status": 1, "result": nested}).state in {TaskState.SUCCEEDED, TaskState.FAILED}
    assert replies.task_reply("a", {"status": 0, "result": nested}).state is TaskState.QUEUED


def test_models_are_read_from_both_lists() -> None:
    own = {"models": [{"name": "a", "is_default": False}, {"name": "b", "is_default": True}], "default_model": "b"}
    router = {"object": "list", "data": [{"id": "acestep/a", "name": "ACE-Step a"}, {"id": "acestep/b"}]}
    assert replies.model_names(own, thing=THING) == ("b", "a")
    assert replies.model_names(router, thing=THING) == ("a", "b")


def test_a_surrogate_in_a_name_does_not_reach_a_file() -> None:
    entry = {"status": 1, "result": '[{"file":"/a.flac","dit_model":"m\\ud800","seed_value":"\\udfff1"}]'}
    item = replies.task_reply("a", entry).items[0]
    assert (item.dit_model or "").encode("utf-8")
    assert (item.seed_value or "").encode("utf-8")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
entries = st.fixed_dictionaries(
    {"task_id": st.text(max_size=5), "status": json_values | st.sampled_from([0, 1, 2])},
    optional={"result": json_values | json_values.map(json.dumps)},
)


@given(st.lists(entries | json_values, max_size=4) | json_values)
def test_any_json_is_a_reading_or_a_server_error(value: Any) -> None:
    readers = (replies.task_replies, replies.model_names, replies.stats, replies.accepted)
    for read in readers:
        with contextlib.suppress(ServerError):
            read(value, thing=THING)
    replies.route_names(value)


@given(st.binary(max_size=200), st.sampled_from([200, 400, 401, 429, 500]))
def test_any_bytes_are_a_value_or_a_server_error(data: bytes, status: int) -> None:
    with contextlib.suppress(ServerError):
        replies.unwrap(status, data, thing=THING)
