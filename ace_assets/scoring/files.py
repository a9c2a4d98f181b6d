"""Many audio files at once: each gets its result or its one error, in the order in which they were named.

Threads, not processes: decoding and measuring let go of the interpreter, so that both cores work, and one budget of memory
is kept for all. A file that is broken, or that nobody foresaw, costs the others nothing.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from ace_assets.audio import codecs, fingerprint, fingerprint_index
from ace_assets.audio.key import parse_key
from ace_assets.errors import AceAssetsError, AudioError
from ace_assets.scoring.analysis import Analysis, analyze
from ace_assets.scoring.fit import policy_for

MEMORY_BYTES = 3 * 2**30  # decoded audio and what is made of it, over all files in work; a larger file works alone
BYTES_PER_SAMPLE = 10  # float32 samples, their downmix and the spectra
Progress = Callable[[int, int], None]
T = TypeVar("T")


@dataclass(frozen=True)
class FileResult:
    """What became of one file: an analysis or an error, never both."""

    path: Path
    analysis: Analysis | None
    error: AceAssetsError | None


@dataclass(frozen=True)
class Pair:
    """Two files that hold the same music; `similarity` is 0 to 1."""

    a: Path
    b: Path
    similarity: float


class _Memory:
    """Lets files in as long as there is room; one that is larger than all the room waits until it is alone."""

    def __init__(self, total: int) -> None:
        self._free = self._total = total
        self._changed = threading.Condition()

    def take(self, wanted: int) -> int:
        share = min(wanted, self._total)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= share)
            self._free -= share
        return share

    def give_back(self, share: int) -> None:
        with self._changed:
            self._free += share
            self._changed.notify_all()


def _decoded(path: Path, memory: _Memory, work: Callable[[codecs.Audio], T]) -> T | AceAssetsError:
    """Return what `work` makes of a decoded file, or the error that speaks of it."""
    try:
        info = codecs.probe(path)
        share = memory.take(info.frames * info.channels * BYTES_PER_SAMPLE)
        try:
            return work(codecs.decode(path))
        finally:
            memory.give_back(share)
    except AceAssetsError as error:
        if str(path) in str(error):
            return error
        return AudioError(
            f"{path}, {error.thing}",
            value=error.value,
            expected=error.expected,
            remedy=error.remedy,
            rule=error.rule,
        )
    except MemoryError:
        return AudioError(
            str(path), value="too long for this machine's memory", expected="a shorter file", remedy="split the file"
        )
    except Exception as error:  # the other files must get their results, whatever this one did
        return AudioError(
            str(path),
            value=f"{type(error).__name__}: {error}",
            expected="audio that can be measured",
            remedy="report this file",
        )


def _in_order(
    paths: Sequence[Path], work: Callable[[Path], T], *, jobs: int | None, progress: Progress | None
) -> Iterator[T]:
    """Yield what `work` makes of each path, in order; at most twice as many are under way as there are workers."""
    workers = max(1, jobs or os.cpu_count() or 1)
    total = len(paths)
    done = 0
    waiting: deque[Future[T]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="audio") as pool:
        try:
            remaining = iter(paths)
            while True:
                while len(waiting) < 2 * workers and (path := next(remaining, None)) is not None:
                    waiting.append(pool.submit(work, path))
                if not waiting:
                    return
                result = waiting.popleft().result()
                done += 1
                if progress is not None:
                    progress(done, total)
                yield result
        finally:
            for future in waiting:
                future.cancel()


def analyze_files(
    paths: Sequence[Path],
    *,
    bpm: float | None = None,
    key: str | None = None,
    duration_s: float | None = None,
    zone: str | None = None,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Iterator[FileResult]:
    """Analyse files in parallel and yield their results in the order of `paths`, each as soon as it and those before are done.

    Args:
        paths: WAV, FLAC, MP3 or Ogg files.
        bpm, key, duration_s: what was requested of all of them, where something was.
        zone: whose policy the fit rules take; None takes the default's.
        jobs: files at once; None takes one per core.
        progress: called with (done, total) after each file.

    Raises:
        AudioError: `key` is not a key. What is wrong with a file is in its result.
    """
    if key is not None:
        parse_key(key)
    policy = policy_for(zone)
    memory = _Memory(MEMORY_BYTES)

    def measure(audio: codecs.Audio) -> Analysis:
        return analyze(audio, requested_bpm=bpm, requested_key=key, requested_duration_s=duration_s, fit=policy)

    def work(path: Path) -> FileResult:
        result = _decoded(path, memory, measure)
        if isinstance(result, AceAssetsError):
            return FileResult(path, None, result)
        return FileResult(path, result, None)

    yield from _in_order(paths, work, jobs=jobs, progress=progress)


def find_duplicates(
    paths: Sequence[Path],
    *,
    same_music: float = fingerprint.SAME_MUSIC,
    jobs: int | None = None,
    progress: Progress | None = None,
    on_error: Callable[[FileResult], None] | None = None,
) -> list[Pair]:
    """Return the pairs of files that hold the same music, most similar first.

    Args:
        paths: WAV, FLAC, MP3 or Ogg files.
        same_music: similarity from which two count as the same.
        jobs: files at once; None takes one per core.
        progress: called with (done, total) after each file.
        on_error: called for each file that could not be read; it takes no part then.
    """
    memory = _Memory(MEMORY_BYTES)

    def work(path: Path) -> tuple[Path, bytes | AceAssetsError | None]:
        return path, _decoded(path, memory, _fingerprint)

    known: list[tuple[Path, bytes]] = []
    for path, result in _in_order(paths, work, jobs=jobs, progress=progress):
        if isinstance(result, AceAssetsError):
            if on_error is not None:
                on_error(FileResult(path, None, result))
        elif result is not None:
            known.append((path, result))
    pairs = fingerprint_index.near_duplicates([mark for _, mark in known], same_music=same_music)
    return [Pair(known[a][0], known[b][0], similarity) for a, b, similarity in pairs]


def _fingerprint(audio: codecs.Audio) -> bytes | None:
    if not np.isfinite(audio.samples).all():
        raise AudioError(
            "samples", value="NaN or infinite", expected="finite samples", remedy="generate or export the file again"
        )
    return fingerprint.fingerprint_of_samples(audio.samples, audio.sample_rate_hz)
