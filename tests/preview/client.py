"""A plain client for the tests of the preview server: no retries, no cleverness."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx

TAKE = {
    "prompt": "calm lounge piano",
    "audio_duration": 10,
    "batch_size": 1,
    "seed": 5,
    "use_random_seed": False,
    "audio_format": "flac",
}


class Client:
    """One server at a time; `faults` replaces what the server injects."""

    def __init__(self, url: str, **options: Any) -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=20, trust_env=False, **options)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.http.close()

    def faults(self, spec: str) -> None:
        self.http.post("/_preview/faults", json={"spec": spec}).raise_for_status()

    def release(self, **fields: Any) -> str:
        reply = self.http.post("/release_task", json=TAKE | fields)
        assert reply.status_code == 200, reply.text
        return str(reply.json()["data"]["task_id"])

    def query(self, *task_ids: str) -> list[dict[str, Any]]:
        reply = self.http.post("/query_result", json={"task_id_list": list(task_ids)})
        return list(reply.json()["data"])

    def wait(self, task_id: str, within_s: float = 30.0) -> tuple[int, list[dict[str, Any]]]:
        """Return status and items once the job is no longer at 0."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            entry = self.query(task_id)[0]
            if entry["status"]:
                return entry["status"], json.loads(entry["result"])
            time.sleep(0.02)
        raise AssertionError(f"job {task_id} still at 0 after {within_s} s: {entry}")

    def take(self, **fields: Any) -> tuple[int, list[dict[str, Any]]]:
        return self.wait(self.release(**fields))

    def stats(self) -> dict[str, Any]:
        return dict(self.http.get("/_preview/stats").json())
