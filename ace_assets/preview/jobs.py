"""The jobs of the preview server: a bounded queue, one worker, a disk cache, files, counters.

Two memories, as in the real server: records that a crash forgets, and a disk cache that answers first and survives. The
cache holds running and finished jobs: after a crash finished jobs are still known, running ones stay at 0 for ever,
queued ones are unknown.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
import uuid
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from ace_assets.preview.defects import DEFECTS
from ace_assets.preview.encode import write_encoded, write_float_wav
from ace_assets.preview.faults import Faults
from ace_assets.preview.messages import (
    MODEL_NAME,
    Json,
    Task,
    audio_address,
    finished_item,
    queued_item,
    running_item,
)
from ace_assets.preview.request import MusicRequest, delivered_duration_s
from ace_assets.preview.synthetic import ToneBank

AUDIO_FOLDER, CACHE_FOLDER = "api_audio", "cache"
_WRONG_MODEL = "acestep-v15-base"
_STAGES = ((0.03, 0.51, "Preparing inputs..."), (0.8, 0.79, "Generating music"), (0.97, 0.8, "Decoding audio..."))
_FIRST_AVERAGE_S = 5.0


@dataclass
class Job:
    """One submitted task and where it stands: queued, running, succeeded or failed."""

    task_id: str
    task: Task
    created_s: float
    state: str = "queued"
    started: float = 0.0
    expected_s: float = 1.0
    falsely_failed: bool = False
    items: list[Json] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)

    def running_view(self) -> tuple[int, list[Json]]:
        """Return the status and items of a job that waits or runs."""
        created = int(self.created_s)
        if self.state == "queued":
            return 0, [queued_item(created)]
        share = min(1.0, (time.monotonic() - self.started) / max(self.expected_s, 1e-3))
        progress, stage = 0.99, "Preparing audio data..."
        if share < 0.005:
            progress, stage = 0.01, "running"
        else:
            for until, value, name in _STAGES:
                if share < until:
                    progress, stage = value, name
                    break
        if stage == "Generating music":
            stage = f"Generating music (batch size: {self.task.batch_size})..."
            progress = round(0.52 + 0.27 * share / 0.8, 5)
        status = 2 if self.falsely_failed else 0
        return status, [running_item(created, progress, stage, status)]


class Counters:
    """What a test may want to know; reset by `reset`."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Set everything to zero."""
        self.started_at = time.monotonic()
        self.submitted: Counter[str] = Counter()
        self.rendered: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.busy_s = 0.0
        self.gap_s = 0.0
        self.first_start_s: float | None = None
        self.last_end_s: float | None = None
        self.polled_ids = 0
        self.audio_bytes = 0
        self.forgotten = 0

    def as_json(self) -> Json:
        """Return everything; `utilisation` is busy time against busy time plus the gaps between jobs."""
        whole = self.busy_s + self.gap_s
        return {
            "submitted": dict(self.submitted),
            "submitted_jobs": sum(self.submitted.values()),
            "rendered": dict(self.rendered),
            "rendered_takes": sum(self.rendered.values()),
            "calls": dict(self.calls),
            "polls": self.calls["query_result"],
            "polled_ids": self.polled_ids,
            "audio_bytes": self.audio_bytes,
            "busy_s": round(self.busy_s, 6),
            "gap_s": round(self.gap_s, 6),
            "utilisation": round(self.busy_s / whole, 6) if whole else None,
            "first_start_s": self.first_start_s,
            "last_end_s": self.last_end_s,
            "elapsed_s": round(time.monotonic() - self.started_at, 6),
            "forgotten": self.forgotten,
        }


def _warm_up() -> None:
    """Load and, on a machine's first time, compile what renders, before a client waits for it."""
    from ace_assets.preview.render import render

    render(MusicRequest(caption="deep house", duration_s=5.12))


def _write_bytes(file: BinaryIO, data: bytes) -> None:
    file.write(data)


class QueueFullError(Exception):
    """The queue of waiting jobs is full."""


def take_key(prompt: str, seed: object) -> str:
    """Return what the counters call a take: its seed and a short hash of its prompt."""
    return f"{seed}:{hashlib.sha256(prompt.encode()).hexdigest()[:12]}"


class JobStore:
    """Queue, records, cache, files and the one worker thread.

    Args:
        folder: where audio and the disk cache lie.
        faults: what to inject; may be replaced while running.
        most_audio_bytes: the oldest audio files are deleted beyond this.
    """

    def __init__(self, folder: Path, faults: Faults, *, most_audio_bytes: int) -> None:
        self.folder = folder
        self.audio_folder = folder / AUDIO_FOLDER
        self.faults = faults
        self.counters = Counters()
        self.log_line = f"INFO:     {MODEL_NAME} started"
        self._cache_folder = folder / CACHE_FOLDER
        self._most_audio_bytes = most_audio_bytes
        self._files: OrderedDict[str, int] = OrderedDict()
        self._audio_bytes = 0
        self._jobs: dict[str, Job] = {}
        self._cache: dict[str, tuple[int, list[Json]]] = {}
        self._queue: deque[Job] = deque()
        self._phantoms = 0
        self._finished = 0
        self._seconds: deque[float] = deque(maxlen=50)
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._bank = ToneBank()
        self._extra_seed = 0
        self.audio_folder.mkdir(parents=True, exist_ok=True)
        self._cache_folder.mkdir(exist_ok=True)
        self._read_cache()
        self._thread = threading.Thread(target=self._work, name="preview-worker", daemon=True)
        self._thread.start()

    # Requests

    def submit(self, task: Task) -> tuple[Job, int]:
        """Queue a task and return its job and its place in the queue.

        Raises:
            QueueFullError: as many jobs wait as may; a phantom record is left behind, as in the real server.
        """
        job = Job(str(uuid.uuid4()), task, time.time())
        with self._changed:
            if len(self._queue) >= self.faults.quantity("queue") or self.faults.strikes("http429"):
                self._phantoms += 1
                raise QueueFullError
            self._jobs[job.task_id] = job
            self._queue.append(job)
            seed = ",".join(map(str, task.seeds)) if not task.use_random_seed else "random"
            self.counters.submitted[take_key(task.prompt, seed)] += 1
            self._changed.notify_all()
            return job, len(self._queue)

    def find(self, task_id: str) -> tuple[int, list[Json]] | None:
        """Return status and items of a task, the disk cache first; None for an unknown one."""
        with self._changed:
            job = self._jobs.get(task_id)
            if job and job.state in ("queued", "running"):
                return job.running_view()
            return self._cache.get(task_id)

    def stats(self) -> Json:
        """Return the body of /v1/stats."""
        with self._changed:
            states = Counter(job.state for job in self._jobs.values())
            average = sum(self._seconds) / len(self._seconds) if self._seconds else _FIRST_AVERAGE_S
            return {
                "jobs": {
                    "total": len(self._jobs) + self._phantoms,
                    "queued": states["queued"] + self._phantoms,
                    "running": states["running"],
                    "succeeded": states["succeeded"],
                    "failed": states["failed"],
                },
                "queue_size": len(self._queue),
                "queue_maxsize": int(self.faults.quantity("queue")),
                "avg_job_seconds": average,
            }

    def forget(self) -> None:
        """Lose what a crash loses: every record in memory; the disk cache stays."""
        with self._changed:
            for job in self._jobs.values():
                if job.state == "running":
                    self._cache[job.task_id] = job.running_view()
                job.state = "lost" if job.state in ("queued", "running") else job.state
                job.done.set()
            self._jobs.clear()
            self._queue.clear()
            self._phantoms = 0
            self.counters.forgotten += 1

    def close(self) -> None:
        """Stop the worker; a running take is abandoned."""
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        self._thread.join(timeout=5)

    # The worker

    def _work(self) -> None:
        if not self.faults.quantity("synthetic"):
            _warm_up()
        last_end = 0.0
        while not self._closing.is_set():
            with self._changed:
                while not self._queue and not self._closing.is_set():
                    self._changed.wait(1.0)
                if self._closing.is_set():
                    return
                job = self._queue.popleft()
                job.state, job.started = "running", time.monotonic()
                takes = max(1, job.task.batch_size)
                average = sum(self._seconds) / len(self._seconds) if self._seconds else 1.0
                job.expected_s = max(self.faults.quantity("service_s") * takes, average)
                job.falsely_failed = self.faults.strikes("false2")
                self._remember(job.task_id, 0, [running_item(int(job.created_s), 0.01, "running")])
            if self.faults.strikes("stuck"):
                continue
            if last_end and self.counters.first_start_s is not None:
                self.counters.gap_s += job.started - last_end
            elif self.counters.first_start_s is None:
                self.counters.first_start_s = round(job.started - self.counters.started_at, 6)
            try:
                items = self._run(job)
            except Exception as error:  # a render that crashes is a failed job, as in the real server
                self.log_line = f"{time.strftime('%H:%M:%S')} | ERROR | [generate_music] Generation failed: {error!r}"
                items = None
            last_end = time.monotonic()
            self.counters.busy_s += last_end - job.started
            self.counters.last_end_s = round(last_end - self.counters.started_at, 6)
            self._finish(job, items, last_end - job.started)

    def _finish(self, job: Job, items: list[Json] | None, seconds: float) -> None:
        with self._changed:
            if job.state == "lost":
                return
            if items is None:
                job.state = "failed"
                self._remember(job.task_id, 2, [running_item(int(job.created_s), 0.0, "failed", 2)])
            else:
                job.state = "succeeded"
                self._remember(job.task_id, 1, items)
            self._seconds.append(seconds)
            self._finished += 1
            job.done.set()
        limit = self.faults.quantity("die_after")
        if limit and self._finished >= limit:
            os._exit(70)

    def _run(self, job: Job) -> list[Json] | None:
        """Render the takes of a job; None when it fails."""
        task, faults = job.task, self.faults
        self.log_line = f"{time.strftime('%H:%M:%S')} | INFO | [generate_music] Starting generation..."
        batch = min(task.batch_size, int(faults.quantity("batch_max")))
        seeds = self._choose_seeds(task, batch)
        shown = task.seeds[0] if task.seeds else ""
        if batch <= 0 or faults.strikes("failed") or faults.fails(task.prompt, shown):
            self._serve_time(job, time.monotonic(), faults.quantity("service_s") if batch > 0 else 0.0)
            self.log_line = f"{time.strftime('%H:%M:%S')} | ERROR | Music generation failed"
            return None
        used = seeds
        if faults.strikes("seeds_ignored"):
            self._extra_seed += 1 + len(seeds)
            used = [seed + self._extra_seed for seed in seeds]
        rendered = []
        for seed in used:
            begin = time.monotonic()
            name, write, metas = self._take(task, seed)
            self.counters.rendered[take_key(task.prompt, seed)] += 1
            if not self._serve_time(job, begin, faults.quantity("service_s")):
                return None
            rendered.append((self._save(name, write), metas))
        if len(rendered) > 1 and faults.strikes("fewer"):
            rendered = rendered[:-1]
        if faults.strikes("empty"):
            rendered = [("", rendered[0][1])]
        model = faults.texts.get("model", MODEL_NAME)
        if faults.strikes("wrong_model"):
            model = _WRONG_MODEL
        seconds = time.monotonic() - job.started
        return [
            finished_item(
                task,
                file=file,
                create_time_s=int(job.created_s),
                seeds=seeds,
                metas=metas,
                model=model,
                seconds=seconds,
                files=len(rendered),
            )
            for file, metas in rendered
        ]

    def _serve_time(self, job: Job, begin: float, least_s: float) -> bool:
        """Wait until a take has taken its time; False when the job was lost meanwhile."""
        left = least_s - (time.monotonic() - begin)
        if left > 0:
            job.done.wait(left)
        return job.state == "running" and not self._closing.is_set()

    def _choose_seeds(self, task: Task, batch: int) -> list[int]:
        seeds = [] if task.use_random_seed else list(task.seeds[: max(0, batch)])
        if len(seeds) == 1 and batch > 1:
            seeds += [seeds[0] + index for index in range(1, batch)]
        while len(seeds) < batch:
            seeds.append(int.from_bytes(os.urandom(4)))
        return seeds

    def _take(self, task: Task, seed: int) -> tuple[str, Callable[[BinaryIO], object], Json]:
        """Render one take; returns its file's name, what writes the file, and the metas of its item."""
        wanted = task.duration_s
        if wanted is None or wanted <= 0:
            wanted = 20.0 + (seed % 1000) * 0.04
        clamp = self.faults.quantity("clamp_s")
        duration = delivered_duration_s(min(wanted, clamp) if clamp else wanted)
        request = MusicRequest(task.prompt, task.bpm, task.key, task.beats_per_bar, duration, seed)
        defect = next((name for name in DEFECTS if self.faults.strikes(name)), None)
        metas: Json = {
            "bpm": task.bpm or "N/A", "duration": wanted, "genres": "N/A", "keyscale": task.key or "N/A",
            "timesignature": task.told_time_signature or "4", "prompt": task.prompt, "lyrics": task.lyrics,
        }  # fmt: skip
        if self.faults.quantity("synthetic") and defect is None:
            data = self._bank.take(task.prompt, seed, duration, task.audio_format)
            write: Callable[[BinaryIO], object] = partial(_write_bytes, data=data)
        else:
            from ace_assets.preview.render import render  # the synthetic server never loads it

            audio = render(request)
            metas |= {
                "bpm": round(audio.score.bpm),
                "keyscale": task.key or audio.score.key.name,
                "genres": audio.score.style,
            }
            samples = DEFECTS[defect](audio.samples, audio.sample_rate_hz) if defect else audio.samples
            rate = audio.sample_rate_hz
            if defect == "audio_nan":
                write = partial(write_float_wav, samples=samples, sample_rate_hz=rate)
            else:
                write = partial(write_encoded, samples=samples, sample_rate_hz=rate, audio_format=task.audio_format)
        text = json.dumps(
            [task.prompt, task.lyrics, wanted, task.bpm, task.key, task.told_time_signature, task.steps, seed]
        )
        name = str(uuid.UUID(hashlib.sha256(text.encode()).hexdigest()[:32]))
        return f"{name}.{task.extension}", write, metas

    # Files and the disk cache

    def _save(self, name: str, write: Callable[[BinaryIO], object]) -> str:
        path = self.audio_folder / name
        beside = path.with_name(f".{name}.part")
        with beside.open("wb+") as file:
            write(file)
        size = beside.stat().st_size
        beside.replace(path)
        self.log_line = (
            f"{time.strftime('%H:%M:%S')} | DEBUG | [AudioSaver] Saved audio to {path} ({path.suffix[1:]}, 48000Hz)"
        )
        self._audio_bytes += size - self._files.pop(name, 0)
        self._files[name] = size
        while self._audio_bytes > self._most_audio_bytes and len(self._files) > 1:
            oldest, size = self._files.popitem(last=False)
            self._audio_bytes -= size
            (self.audio_folder / oldest).unlink(missing_ok=True)
        return audio_address(str(path))

    def _remember(self, task_id: str, status: int, items: list[Json]) -> None:
        self._cache[task_id] = (status, items)
        path = self._cache_folder / f"{task_id}.json"
        beside = path.with_suffix(".part")
        beside.write_text(json.dumps({"status": status, "items": items}), encoding="utf-8")
        beside.replace(path)

    def _read_cache(self) -> None:
        for path in self._cache_folder.glob("*.json"):
            record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            self._cache[path.stem] = (record["status"], record["items"])

    def with_faults(self, faults: Faults) -> None:
        """Replace the faults; what was injected so far stays counted."""
        faults.injected.update(self.faults.injected)
        self.faults = replace(faults)
