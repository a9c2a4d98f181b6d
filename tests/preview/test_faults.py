"""Every fault is seen by a client over a real socket, and only when it is switched on."""

from __future__ import annotations

import io
import json
import time
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile

from ace_assets.errors import ConfigError
from ace_assets.preview.faults import PROBABILITIES, QUANTITIES, TEXTS, WORDS, describe_faults, parse_faults
from tests.preview.client import TAKE, Client

UNFINISHED = {"status": 0}


def audio_of(client: Client, **fields: Any) -> np.ndarray[Any, Any]:
    status, items = client.take(audio_format="wav", **fields)
    assert status == 1
    return soundfile.read(io.BytesIO(client.http.get(items[0]["file"]).content), always_2d=True)[0]


class TestSpecification:
    def test_names_values_and_switches_are_read(self) -> None:
        faults = parse_faults(" service_s=2, drop=0.02,seeds_ignored,style=plain,fail_match=a.c ,seed=7")
        assert faults.quantity("service_s") == 2
        assert faults.probabilities == {"drop": 0.02, "seeds_ignored": 1.0}
        assert faults.word("style") == "plain"
        assert faults.texts == {"fail_match": "a.c"}
        assert parse_faults("").probabilities == {}

    def test_an_unknown_name_lists_the_valid_ones(self) -> None:
        with pytest.raises(ConfigError) as error:
            parse_faults("drop=0.1,dropp=1")
        text = str(error.value)
        assert "dropp" in text
        assert all(name in text for name in [*PROBABILITIES, *QUANTITIES, *WORDS, *TEXTS])
        assert "\n" not in text

    @pytest.mark.parametrize(
        "spec", ["drop=2", "drop=x", "service_s=-1", "style=round", "fail_match=(", "latency_s=nan"]
    )
    def test_values_that_do_not_fit_are_refused(self, spec: str) -> None:
        with pytest.raises(ConfigError, match=spec.split("=", maxsplit=1)[0]):
            parse_faults(spec)

    def test_every_fault_is_explained_in_a_line(self) -> None:
        lines = describe_faults().splitlines()
        names = [*PROBABILITIES, *QUANTITIES, *WORDS, *TEXTS]
        assert [line.split("=")[0] for line in lines] == names
        assert len(set(names)) == len(names)

    def test_draws_follow_the_seed(self) -> None:
        def draws(seed: int) -> list[bool]:
            faults = parse_faults(f"drop=0.3,seed={seed}")
            return [faults.strikes("drop") for _ in range(400)]

        assert draws(1) == draws(1) != draws(2)
        assert 80 < sum(draws(1)) < 160
        faults = parse_faults("drop=1")
        assert faults.strikes("drop")
        assert not faults.strikes("stuck")
        assert faults.injected == {"drop": 1}

    def test_faults_can_be_changed_and_ended_while_running(self, client: Client) -> None:
        client.faults("synthetic,http500=1")
        assert client.http.get("/health").status_code == 500
        client.faults("synthetic")
        assert client.http.get("/health").status_code == 200
        bad = client.http.post("/_preview/faults", json={"spec": "nope=1"})
        assert (bad.status_code, "one of" in bad.json()["detail"]) == (400, True)
        assert client.stats()["injected"] == {"http500": 1}


class TestWire:
    def test_drop_answers_nothing_and_does_nothing(self, client: Client) -> None:
        client.faults("synthetic,drop=1")
        with pytest.raises(httpx.TransportError):
            client.http.post("/release_task", json=TAKE)
        client.faults("synthetic")
        assert client.stats()["submitted_jobs"] == 0

    def test_drop_after_takes_the_job_and_does_not_say_so(self, client: Client) -> None:
        client.faults("synthetic,drop_after=1")
        with pytest.raises(httpx.TransportError):
            client.http.post("/release_task", json=TAKE)
        assert client.stats()["submitted_jobs"] == 1

    def test_http500_is_plain_text(self, client: Client) -> None:
        client.faults("synthetic,http500=1")
        reply = client.http.post("/query_result", json={})
        assert (reply.status_code, reply.text) == (500, "Internal Server Error")
        assert reply.headers["content-type"].startswith("text/plain")

    def test_hang_never_answers(self, client: Client) -> None:
        client.faults("synthetic,hang=1")
        with pytest.raises(httpx.ReadTimeout):
            client.http.get("/health", timeout=0.3)

    def test_latency_delays_every_answer(self, client: Client) -> None:
        client.faults("synthetic,latency_s=0.2")
        begin = time.monotonic()
        client.http.get("/health")
        assert time.monotonic() - begin >= 0.2

    def test_a_short_body_ends_before_its_length(self, client: Client) -> None:
        _, items = client.take()
        client.faults("synthetic,short=1")
        with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
            client.http.get(items[0]["file"])

    def test_a_truncated_body_fits_its_length_and_holds_half(self, client: Client) -> None:
        _, items = client.take()
        whole = client.http.get(items[0]["file"]).content
        client.faults("synthetic,truncated=1")
        half = client.http.get(items[0]["file"])
        assert half.content == whole[: len(whole) // 2]
        assert int(half.headers["content-length"]) == len(half.content)

    def test_a_slow_body_comes_at_its_speed(self, client: Client) -> None:
        _, items = client.take()
        size = len(client.http.get(items[0]["file"]).content)
        client.faults(f"synthetic,slow=1,slow_bytes_per_s={size * 2}")
        begin = time.monotonic()
        assert len(client.http.get(items[0]["file"]).content) == size
        assert time.monotonic() - begin > 0.35

    def test_gone_files_answer_404(self, client: Client) -> None:
        _, items = client.take()
        client.faults("synthetic,gone=1")
        assert client.http.get(items[0]["file"]).status_code == 404


class TestQueue:
    def test_a_full_queue_answers_429_and_leaks_a_phantom(self, client: Client) -> None:
        client.http.post("/_preview/forget")
        client.faults("synthetic,service_s=3,queue=2")
        first = client.release()
        deadline = time.monotonic() + 5
        while json.loads(client.query(first)[0]["result"])[0]["stage"] == "queued" and time.monotonic() < deadline:
            time.sleep(0.01)
        positions = [client.http.post("/release_task", json=TAKE).json()["data"]["queue_position"] for _ in range(2)]
        assert positions == [1, 2]
        for _ in range(2):
            full = client.http.post("/release_task", json=TAKE)
            assert (full.status_code, full.json()) == (429, {"detail": "Server busy: queue is full"})
            assert "retry-after" not in full.headers
        stats = client.http.get("/v1/stats").json()["data"]
        assert (stats["queue_size"], stats["queue_maxsize"]) == (2, 2)
        assert stats["jobs"]["queued"] == 4  # two real ones, two phantoms
        client.http.post("/_preview/forget")

    def test_http429_strikes_an_empty_queue_too(self, client: Client) -> None:
        client.faults("synthetic,http429=1")
        assert client.http.post("/release_task", json=TAKE).status_code == 429

    def test_service_time_is_per_take(self, client: Client) -> None:
        client.faults("synthetic,service_s=0.2")
        begin = time.monotonic()
        client.take(batch_size=3)
        assert time.monotonic() - begin >= 0.6
        stats = client.stats()
        assert stats["busy_s"] >= 0.6
        assert stats["rendered_takes"] == 3


class TestMemory:
    def test_a_restart_forgets_the_queue_keeps_what_is_done_and_freezes_what_ran(self, client: Client) -> None:
        done = client.release()
        client.wait(done)
        client.faults("synthetic,service_s=30")
        running = client.release(seed=1)
        time.sleep(0.2)
        queued = client.release(seed=2)
        client.http.post("/_preview/forget")
        client.faults("synthetic")
        later = client.release(seed=3)
        client.wait(later)
        for _ in range(2):
            entries = client.query(done, running, queued)
            assert [entry["status"] for entry in entries] == [1, 0, 0]
            assert json.loads(entries[1]["result"])[0]["stage"] != "queued"
            assert entries[2]["result"] == "[]"
        assert client.http.get("/v1/stats").json()["data"]["jobs"]["total"] == 1

    def test_forget_every_s_forgets_by_itself(self, client: Client) -> None:
        client.faults("synthetic,service_s=30,forget_every_s=0.3")
        client.release()
        waiting = client.release()
        deadline = time.monotonic() + 5
        while client.query(waiting)[0]["result"] != "[]" and time.monotonic() < deadline:
            time.sleep(0.05)
        assert client.query(waiting)[0] == {"task_id": waiting, "result": "[]", "status": 0}

    def test_a_stuck_job_stays_at_0_while_later_ones_run(self, client: Client) -> None:
        client.faults("synthetic,stuck=1")
        stuck = client.release()
        deadline = time.monotonic() + 5
        while not client.stats()["injected"].get("stuck") and time.monotonic() < deadline:
            time.sleep(0.01)
        client.faults("synthetic")
        later = client.release(seed=9)
        assert client.wait(later)[0] == 1
        entry = client.query(stuck)[0]
        assert entry["status"] == 0
        assert json.loads(entry["result"])[0]["stage"] not in ("queued", "failed", "succeeded")

    def test_a_false_failure_says_2_with_a_running_stage_and_flips_to_1(self, client: Client) -> None:
        client.faults("synthetic,service_s=0.6,false2=1")
        task_id = client.release()
        status, items = client.wait(task_id)
        assert (status, items[0]["status"]) == (2, 2)
        assert items[0]["stage"] != "failed"
        deadline = time.monotonic() + 5
        while client.query(task_id)[0]["status"] != 1 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert client.query(task_id)[0]["status"] == 1


class TestResults:
    def test_failed_jobs_have_no_error_text(self, client: Client) -> None:
        client.faults("synthetic,failed=1")
        status, items = client.take()
        assert (status, items[0]["stage"], items[0]["file"], "error" in items[0]) == (2, "failed", "", False)

    def test_fail_match_fails_by_caption_or_seed(self, client: Client) -> None:
        client.faults("synthetic,fail_match=bossa|77")
        assert client.take(prompt="warm bossa nova")[0] == 2
        assert client.take(seed=77)[0] == 2
        assert client.take(seed=7)[0] == 1

    def test_seeds_can_be_ignored(self, client: Client) -> None:
        client.faults("synthetic,seeds_ignored")
        files = [client.http.get(client.take()[1][0]["file"]).content for _ in range(2)]
        assert files[0] != files[1]

    def test_lengths_are_clamped_while_metas_echo_the_request(self, client: Client) -> None:
        client.faults("synthetic,clamp_s=8")
        _, items = client.take(audio_duration=20)
        assert items[0]["metas"]["duration"] == 20
        assert soundfile.info(io.BytesIO(client.http.get(items[0]["file"]).content)).duration == 8.0

    def test_fewer_files_than_the_batch(self, client: Client) -> None:
        client.faults("synthetic,fewer=1")
        assert len(client.take(batch_size=3)[1]) == 2
        assert len(client.take(batch_size=1)[1]) == 1
        client.faults("synthetic,batch_max=2")
        assert len(client.take(batch_size=4)[1]) == 2

    def test_an_empty_file_with_status_1(self, client: Client) -> None:
        client.faults("synthetic,empty=1")
        status, items = client.take()
        assert (status, items[0]["file"], items[0]["status"]) == (1, "", 1)

    def test_the_model_can_be_a_wrong_one_or_named_by_the_test(self, client: Client) -> None:
        client.faults("synthetic,wrong_model=1")
        assert client.take()[1][0]["dit_model"] == "acestep-v15-base"
        client.faults("synthetic,model=acestep-v15-turbo")
        assert client.take()[1][0]["dit_model"] == "acestep-v15-turbo"
        assert client.http.get("/v1/models").json()["data"][0]["id"] == "acestep/acestep-v15-turbo"

    def test_no_language_model(self, client: Client) -> None:
        client.faults("synthetic,no_lm=1")
        reply = client.http.post("/format_input", json={"prompt": "p"})
        assert (reply.status_code, reply.json()["detail"][:15]) == (500, "LLM init failed")

    def test_plain_replies_have_no_envelope(self, client: Client) -> None:
        client.faults("synthetic,style=plain")
        assert client.http.get("/health").json()["status"] == "ok"
        released = client.http.post("/release_task", json=TAKE).json()
        assert set(released) == {"task_id", "status", "queue_position"}
        assert client.http.post("/query_result", json={"task_id_list": ["x"]}).json()[0]["task_id"] == "x"

    @pytest.mark.parametrize("form", ["string", "list", "dict", "path", "url"])
    def test_every_form_of_result_leads_to_the_file(self, client: Client, form: str) -> None:
        task_id = client.release()
        client.wait(task_id)
        client.faults(f"synthetic,result={form}")
        result = client.query(task_id)[0]["result"]
        if form in ("string", "path"):
            result = json.loads(result)
        item = result[0] if isinstance(result, list) else result
        file = item if form == "url" else item["url"] if form == "path" else item["file"]
        assert client.http.get(file).status_code == 200
        assert form != "path" or item["file"].startswith("/")

    def test_the_gradio_flavour_answers_when_the_job_is_finished(self, client: Client) -> None:
        client.faults("synthetic,flavour=gradio,service_s=0.3")
        begin = time.monotonic()
        reply = client.http.post("/release_task", json=TAKE).json()["data"]
        assert time.monotonic() - begin >= 0.3
        assert reply["status"] == "succeeded"
        item = json.loads(client.query(reply["task_id"])[0]["result"])[0]
        assert item["file"].startswith("/")
        assert client.http.get(item["url"]).status_code == 200
        assert client.http.get("/v1/stats").status_code == 404
        assert client.http.get("/v1/models").json()["data"]["models"][0]["is_default"]
        client.faults("synthetic,flavour=gradio,failed=1")
        assert client.http.post("/release_task", json=TAKE).status_code == 500


class TestAudioDefects:
    def test_silence(self, client: Client) -> None:
        client.faults("audio_silence=1")
        assert not audio_of(client).any()

    def test_dropout(self, client: Client) -> None:
        client.faults("audio_dropout=1")
        x = audio_of(client)
        assert not x[len(x) // 2 : len(x) // 2 + 48_000].any()
        assert x[: len(x) // 2].any()

    def test_clipping(self, client: Client) -> None:
        client.faults("audio_clipping=1")
        x = np.abs(audio_of(client))
        assert np.sum(x >= x.max() - 1e-4) > 1000

    def test_dc(self, client: Client) -> None:
        client.faults("audio_dc=1")
        assert abs(audio_of(client).mean() - 0.08) < 0.01

    def test_abrupt_ending(self, client: Client) -> None:
        client.faults("audio_abrupt=1")
        x = audio_of(client)
        assert np.sqrt(np.mean(x[-2880:] ** 2)) > 0.2 * np.sqrt(np.mean(x**2))

    def test_phase_cancellation(self, client: Client) -> None:
        client.faults("audio_cancel=1")
        assert np.abs(audio_of(client).mean(axis=1)).max() < 1e-4

    def test_lowpass(self, client: Client) -> None:
        client.faults("audio_lowpass=1")
        spectrum = np.abs(np.fft.rfft(audio_of(client)[:, 0]))
        assert spectrum[len(spectrum) // 4 :].max() < 1e-3 * spectrum.max()

    def test_noise_at_the_end(self, client: Client) -> None:
        client.faults("audio_noise=1")
        x = audio_of(client)[-48_000:, 0]
        spectrum = np.abs(np.fft.rfft(x)) ** 2
        assert np.exp(np.mean(np.log(spectrum + 1e-12))) / spectrum.mean() > 0.3

    def test_values_that_are_not_numbers(self, client: Client) -> None:
        client.faults("audio_nan=1")
        x = audio_of(client)
        assert np.isnan(x).any()
        assert np.isinf(x).any()


class TestHostileReplies:
    def test_a_file_on_another_host_or_outside(self, client: Client) -> None:
        task_id = client.release()
        client.wait(task_id)
        client.faults("synthetic,hostile_host=1")
        assert json.loads(client.query(task_id)[0]["result"])[0]["file"].startswith("http://192.0.2.1/")
        client.faults("synthetic,hostile_path=1")
        assert "etc%2Fpasswd" in json.loads(client.query(task_id)[0]["result"])[0]["file"]

    def test_a_body_of_ten_gigabytes(self, client: Client) -> None:
        _, items = client.take()
        client.faults("synthetic,hostile_huge=1")
        with client.http.stream("GET", items[0]["file"]) as reply:
            assert int(reply.headers["content-length"]) == 10_000_000_000
            assert len(next(reply.iter_bytes())) > 0

    def test_html_and_deeply_nested_json(self, client: Client) -> None:
        client.faults("synthetic,hostile_html=1")
        assert client.http.post("/query_result", json={}).text.startswith("<html>")
        client.faults("synthetic,hostile_nested=1")
        assert client.http.post("/query_result", json={}).text.startswith("[[[[")

    def test_an_error_text_of_a_megabyte(self, client: Client) -> None:
        client.faults("synthetic,hostile_error=1")
        reply = client.http.post("/release_task", json=TAKE)
        assert (reply.status_code, reply.json()["code"], reply.json()["data"]) == (200, 500, None)
        assert len(reply.json()["error"]) > 1_000_000


def test_without_a_switch_nothing_is_injected(client: Client) -> None:
    for seed in range(5):
        assert client.take(seed=seed)[0] == 1
    assert client.stats()["injected"] == {}


def test_the_counters_tell_utilisation_and_takes(client: Client) -> None:
    client.faults("synthetic,service_s=0.15")
    for task_id in [client.release(seed=seed, prompt="x") for seed in range(4)]:
        client.wait(task_id)
    stats = client.stats()
    assert sorted(stats["submitted"]) == sorted(stats["rendered"])
    assert len(stats["submitted"]) == 4
    assert all(key.split(":")[0] in "0123" for key in stats["submitted"])
    assert stats["utilisation"] > 0.9
    assert stats["busy_s"] >= 0.6
    assert stats["polls"] >= 4
    assert stats["calls"]["release_task"] == 4
