"""The replies of a server without faults, over real sockets, against the shapes recorded from the real one."""

from __future__ import annotations

import io
import json
import threading
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import soundfile

from ace_assets.preview.messages import MODEL_NAME, SERVICE_NAME, read_task
from ace_assets.preview.process import running_preview
from tests.preview.client import TAKE, Client

SHAPES = json.loads(Path(__file__).with_name("shapes.json").read_text())
UNKNOWN = "11111111-2222-3333-4444-555555555555"


def shape(value: Any) -> Any:
    """The keys of a reply with the types of its values; lists are told by their first element."""
    if isinstance(value, dict):
        return {key: shape(part) for key, part in value.items()}
    if isinstance(value, list):
        return [shape(part) for part in value[:1]]
    return "null" if value is None else type(value).__name__


@pytest.mark.parametrize(("name", "path"), [("health", "/health"), ("models", "/v1/models"), ("stats", "/v1/stats")])
def test_open_replies_have_the_real_server_s_shape(client: Client, name: str, path: str) -> None:
    assert shape(client.http.get(path).json()) == SHAPES[name]


def test_the_engine_says_what_it_is(client: Client) -> None:
    assert client.http.get("/health").json()["data"]["service"] == SERVICE_NAME
    assert "not ACE-Step" in SERVICE_NAME
    assert client.http.get("/v1/models").json()["data"][0]["id"] == f"acestep/{MODEL_NAME}"
    assert client.take()[1][0]["dit_model"] == MODEL_NAME
    assert "not ACE-Step" in client.http.get("/openapi.json").json()["info"]["title"]


def test_a_job_goes_through_the_recorded_stages(client: Client) -> None:
    client.faults("synthetic,service_s=0.4")
    release = client.http.post("/release_task", json=TAKE)
    assert shape(release.json()) == SHAPES["release"]
    task_id = release.json()["data"]["task_id"]
    waiting = client.release(seed=6)
    queued = json.loads(client.query(waiting)[0]["result"])
    assert shape(queued[0]) | {"metas": {}} == SHAPES["item_queued"]
    seen = []
    while True:
        reply = client.http.post("/query_result", json={"task_id_list": [task_id]}).json()
        assert shape(reply) == SHAPES["query"]
        item = json.loads(reply["data"][0]["result"])[0]
        seen.append((item["stage"], item["progress"]))
        if reply["data"][0]["status"]:
            break
        assert shape(item) == SHAPES["item_running"]
        time.sleep(0.01)
    assert item["status"] == 1
    finished = shape(item)
    finished["metas"]["bpm"] = "any"
    assert finished == SHAPES["item_finished"]
    stages = list(dict.fromkeys(stage for stage, _ in seen))
    assert "Generating music (batch size: 1)..." in stages
    assert stages[-1] == "succeeded"
    assert [progress for _, progress in seen] == sorted(progress for _, progress in seen)


def test_an_unknown_task_is_status_0_with_an_empty_list_for_ever(client: Client) -> None:
    for _ in range(2):
        reply = client.http.post("/query_result", json={"task_id_list": [UNKNOWN]})
        assert shape(reply.json()) == SHAPES["query_unknown"]
        assert reply.json()["data"] == [{"task_id": UNKNOWN, "result": "[]", "status": 0}]


@pytest.mark.parametrize(
    ("body", "expected"),
    [({}, []), ({"task_id_list": "not json"}, []), ({"task_id": "x"}, []), ({"task_id_list": '["x"]'}, ["x"])],
)
def test_task_lists_are_read_as_leniently_as_by_the_real_server(
    client: Client, body: dict[str, Any], expected: list[str]
) -> None:
    reply = client.http.post("/query_result", json=body)
    assert [entry["task_id"] for entry in reply.json()["data"]] == expected


def test_queries_come_as_forms_too(client: Client) -> None:
    reply = client.http.post("/query_result", data={"task_id_list": '["x"]'})
    assert reply.json()["data"][0]["task_id"] == "x"


@pytest.mark.parametrize(
    ("request_options", "status", "answer"),
    [
        ({"content": '{"prompt":', "headers": {"content-type": "application/json"}}, 500, "Internal Server Error"),
        ({"data": {"prompt": "p"}}, 500, "Internal Server Error"),
        ({"files": {"src_audio": b"x"}}, 500, "Internal Server Error"),
        ({"json": {"prompt": "p", "lm_backend": "onnx"}}, 500, "Internal Server Error"),
        ({"json": [1, 2]}, 400, {"detail": "JSON payload must be an object"}),
    ],
)
def test_wrong_content_crashes_where_the_real_server_crashes(
    client: Client, request_options: dict[str, Any], status: int, answer: object
) -> None:
    reply = client.http.post("/release_task", **request_options)
    assert reply.status_code == status
    if status == 500:
        assert reply.headers["content-type"].startswith("text/plain")
        assert reply.text == answer
    else:
        assert reply.json() == answer


def test_other_content_types_and_methods_are_refused(client: Client) -> None:
    text = client.http.post("/release_task", content="hello", headers={"content-type": "text/plain"})
    assert (text.status_code, text.json()["detail"][:36]) == (415, "Unsupported Content-Type: text/plain")
    got = client.http.get("/release_task")
    assert (got.status_code, got.json()) == (405, {"detail": "Method Not Allowed"})
    assert client.http.get("/nope").json() == {"detail": "Not Found"}
    assert client.http.post("/query_result", json=["x"]).text == "Internal Server Error"


@pytest.mark.parametrize("told", ["flac", "mp3", "wav", "WAV", "ogg", ""])
def test_formats_are_kept_and_unknown_ones_become_flac(client: Client, told: str) -> None:
    status, items = client.take(audio_format=told)
    assert status == 1
    data = client.http.get(items[0]["file"])
    expected = told.lower() if told.lower() in ("mp3", "wav") else "flac"
    assert data.headers["content-type"] == {"mp3": "audio/mpeg", "wav": "audio/wav", "flac": "audio/flac"}[expected]
    info = soundfile.info(io.BytesIO(data.content))
    assert (info.samplerate, info.channels) == (48_000, 2)
    assert info.format == expected.upper()
    assert abs(info.duration - 10.0) < (0.1 if expected == "mp3" else 1e-9)


@pytest.mark.parametrize(("asked_s", "delivered_s"), [(0.5, 5.12), (9.99, 10.0), (12.35, 12.36), (31, 31.0)])
def test_lengths_are_as_asked_on_a_grid_of_40_ms(client: Client, asked_s: float, delivered_s: float) -> None:
    _, items = client.take(audio_duration=asked_s)
    assert items[0]["metas"]["duration"] == asked_s
    assert soundfile.info(io.BytesIO(client.http.get(items[0]["file"]).content)).duration == delivered_s


@pytest.mark.parametrize(("asked", "files"), [(1, 1), (4, 4), (9, 8)])
def test_batches_deliver_as_many_files_as_asked_up_to_eight(client: Client, asked: int, files: int) -> None:
    status, items = client.take(batch_size=asked)
    assert (status, len(items)) == (1, files)
    assert len({item["file"] for item in items}) == files
    assert {item["seed_value"] for item in items} == {",".join(str(5 + index) for index in range(files))}


@pytest.mark.parametrize("batch_size", [0, -3])
def test_an_empty_batch_fails(client: Client, batch_size: int) -> None:
    status, items = client.take(batch_size=batch_size)
    assert (status, items[0]["stage"], items[0]["status"], items[0]["file"]) == (2, "failed", 2, "")


def test_the_same_seed_gives_the_same_file_and_another_does_not(client: Client) -> None:
    def content(**fields: Any) -> bytes:
        return client.http.get(client.take(**fields)[1][0]["file"]).content

    assert content(seed=7) == content(seed=7) != content(seed=8)
    assert content(use_random_seed=True) != content(use_random_seed=True)


def test_every_alias_is_understood() -> None:
    body = {
        "caption": "a", "duration": 10, "keyScale": "F minor", "timeSignature": "3", "useRandomSeed": False,
        "seed": "1,2", "batchSize": 2, "audioFormat": "wav", "bpm": "90", "inferenceSteps": 4, "Model": "m",
    }  # fmt: skip
    task = read_task(body)
    assert (task.prompt, task.duration_s, task.key, task.beats_per_bar) == ("a", 10.0, "F minor", 3)
    assert (task.use_random_seed, task.seeds, task.batch_size) == (False, (1, 2), 2)
    assert (task.audio_format, task.bpm, task.steps, task.model) == ("wav", 90, 4, "m")


def test_metadata_objects_fill_what_the_top_leaves_out() -> None:
    task = read_task({"prompt": "p", "param_obj": '{"bpm": 71, "duration": 12}', "metas": {"key": "C major", "bpm": 9}})
    assert (task.bpm, task.duration_s, task.key) == (71, 12.0, "C major")
    assert read_task({"bpm": 100, "param_obj": '{"bpm": 71}'}).bpm == 100


def test_wrong_types_silently_become_defaults() -> None:
    task = read_task({"prompt": 123, "audio_duration": "twelve", "batch_size": "two", "bpm": "fast", "seed": "abc"})
    assert (task.prompt, task.duration_s, task.batch_size, task.bpm, task.seeds) == ("123", None, 2, None, ())
    assert read_task({"bpm": 88.6}).bpm is None
    assert (read_task({"time_signature": "7"}).beats_per_bar, read_task({"time_signature": "3/4"}).beats_per_bar) == (
        4,
        3,
    )


def test_format_input_answers_in_the_real_server_s_shape(client: Client) -> None:
    reply = client.http.post("/format_input", json={"prompt": "calm", "param_obj": {"duration": 120, "bpm": 70}})
    assert shape(reply.json()) == SHAPES["format"]
    data = reply.json()["data"]
    assert (data["bpm"], data["duration"], data["lyrics"]) == (70, 120.0, "[Instrumental]")


class TestAudioRoute:
    @pytest.fixture
    def file(self, client: Client) -> str:
        return str(client.take()[1][0]["file"])

    def test_ranges_work(self, client: Client, file: str) -> None:
        whole = client.http.get(file)
        part = client.http.get(file, headers={"range": "bytes=0-99"})
        assert (part.status_code, part.content) == (206, whole.content[:100])
        assert whole.headers["accept-ranges"] == "bytes"
        assert "etag" in whole.headers
        assert client.http.get(file, headers={"range": f"bytes={10**9}-"}).status_code == 416

    def test_paths_outside_are_forbidden_and_gone_files_are_404(self, client: Client, file: str) -> None:
        path = urllib.parse.unquote(file.split("path=")[1])
        folder = path.rsplit("/", 1)[0]
        denied = {"detail": "Access denied: path outside allowed directory"}
        outside = ["/etc/passwd", f"{folder}/../../../etc/passwd", f"{folder}-other/x.flac"]
        outside += ["nope.mp3", "", "//etc/passwd"]
        for told in outside:
            reply = client.http.get("/v1/audio", params={"path": told})
            assert (reply.status_code, reply.json()) == (403, denied), told
        gone = client.http.get("/v1/audio", params={"path": f"{folder}/nope.mp3"})
        assert (gone.status_code, gone.json()) == (404, {"detail": "Audio file not found"})
        assert client.http.get("/v1/audio", params={"path": folder}).text == "Internal Server Error"

    def test_head_is_not_allowed_and_a_path_is_required(self, client: Client, file: str) -> None:
        assert client.http.head(file).status_code == 405
        missing = client.http.get("/v1/audio")
        assert (missing.status_code, missing.json()["detail"][0]["loc"]) == (422, ["query", "path"])


@pytest.fixture(scope="module")
def locked() -> Iterator[Client]:
    """A server that asks for the key "sk-test"."""
    with running_preview(faults="synthetic", api_key="sk-test") as server, Client(server.url) as plain:
        yield plain


class TestKey:
    def test_health_and_models_are_open(self, locked: Client) -> None:
        assert locked.http.get("/health").status_code == 200
        assert locked.http.get("/v1/models").status_code == 200

    @pytest.mark.parametrize(
        ("path", "detail"),
        [
            ("/v1/stats", "Missing Authorization header"),
            ("/v1/audio?path=/x", "Missing Authorization header"),
            ("/release_task", "Missing ai_token or Authorization header"),
            ("/query_result", "Missing ai_token or Authorization header"),
            ("/format_input", "Missing ai_token or Authorization header"),
        ],
    )
    def test_everything_else_wants_the_key(self, locked: Client, path: str, detail: str) -> None:
        method = "GET" if path.startswith("/v1") else "POST"
        body = {"json": {}} if method == "POST" else {}
        none = locked.http.request(method, path, **body)
        assert (none.status_code, none.json()) == (401, {"detail": detail})
        wrong = locked.http.request(method, path, headers={"authorization": "Bearer nope"}, **body)
        assert (wrong.status_code, wrong.json()) == (401, {"detail": "Invalid API key"})
        for header in ("Bearer sk-test", "sk-test"):
            assert locked.http.request(method, path, headers={"authorization": header}, **body).status_code in (
                200,
                403,
            )

    def test_a_bad_token_in_the_body_beats_a_good_header(self, locked: Client) -> None:
        good = {"authorization": "Bearer sk-test"}
        assert locked.http.post("/release_task", json=TAKE | {"ai_token": "sk-test"}).status_code == 200
        bad = locked.http.post("/release_task", json=TAKE | {"ai_token": "bad"}, headers=good)
        assert (bad.status_code, bad.json()) == (401, {"detail": "Invalid ai_token"})


def test_polling_stays_quick_while_music_is_rendered() -> None:
    with running_preview() as server, Client(server.url) as client:
        client.take(audio_duration=6)  # compiles and loads
        task_id = client.release(prompt="deep house", audio_duration=120)
        waits = []
        while not client.query(task_id)[0]["status"]:
            begin = time.monotonic()
            client.query(task_id)
            waits.append(time.monotonic() - begin)
            time.sleep(0.02)
        _, items = client.wait(task_id)
        assert sorted(waits)[len(waits) // 2] < 0.3
        data, rate = soundfile.read(io.BytesIO(client.http.get(items[0]["file"]).content))
        assert (len(data), rate) == (120 * 48_000, 48_000)
        assert items[0]["metas"]["genres"] == "deep-house"


def test_many_clients_at_once_are_all_answered(client: Client) -> None:
    done: list[int] = []

    def one(seed: int) -> None:
        with Client(client.url) as own:
            done.append(own.take(seed=seed)[0])

    threads = [threading.Thread(target=one, args=(seed,)) for seed in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert done == [1] * 12
    stats = client.stats()
    assert (stats["submitted_jobs"], stats["rendered_takes"]) == (12, 12)
    assert isinstance(client.http, httpx.Client)
