"""What scoring a take costs, beside the meter alone, stage by stage; and near-duplicates among 100,000 tracks.

Prints ratios of one run; budgets (DESIGN): scoring <= 4.5 x the meter with true peak, >= 450 x realtime on one core.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np

from ace_assets.audio import defects, fingerprint, fingerprint_index, key, loudness, spectra, structure, tempo
from ace_assets.audio.codecs import Audio
from ace_assets.preview.render import render
from ace_assets.preview.request import MusicRequest
from ace_assets.scoring import analyze

SECONDS = 180.0
REPEATS = 3


def best(work: Callable[[], object]) -> float:
    times = []
    for _ in range(REPEATS):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def scoring() -> None:
    samples = render(MusicRequest("retail house, upbeat synth", 124, "A minor", 4, SECONDS, 1)).samples
    audio = Audio(samples, 48_000)
    analyze(audio, requested_bpm=124, requested_key="A minor")
    statistics = loudness.block_statistics(samples, 48_000)
    views = spectra.views_of(samples, 48_000)
    chroma, bass = key.chroma_of(views)
    meter = best(lambda: loudness.measure(samples, 48_000))
    print(f"{SECONDS:.0f} s of stereo at 48 kHz, CPU seconds, best of {REPEATS}")
    stages: dict[str, Callable[[], object]] = {
        "meter with true peak": lambda: loudness.measure(samples, 48_000),
        "gates": lambda: defects.gather_evidence(samples, 48_000, statistics),
        "downmix and spectra": lambda: spectra.views_of(samples, 48_000),
        "tempo": lambda: tempo.pulse_of(views),
        "chroma": lambda: key.chroma_of(views),
        "key": lambda: key.estimate_key(chroma, bass, 12.0),
        "structure": lambda: structure.structure_of(chroma),
        "fingerprint": lambda: fingerprint.fingerprint_of(views),
        "everything": lambda: analyze(audio, requested_bpm=124, requested_key="A minor"),
    }
    for name, work in stages.items():
        spent = best(work)
        print(f"{name:24s} {spent:7.3f} s  {spent / meter:5.2f} x the meter  {SECONDS / spent:7.0f} x realtime")


def duplicates(tracks: int) -> None:
    rng = np.random.default_rng(0)
    words = [rng.integers(0, 2**32, int(rng.integers(700, 1400)), dtype=np.uint32) for _ in range(tracks)]
    planted = 100
    for number in range(planted):
        noise = (rng.random((words[number].size - 30, 32)) < 0.1).astype(np.uint64) @ (
            1 << np.arange(32, dtype=np.uint64)
        )
        words[tracks - 1 - number] = words[number][30:] ^ noise.astype(np.uint32)
    stored = [b"AF1\x00" + own.astype("<u4").tobytes() for own in words]
    started = time.perf_counter()
    found = fingerprint_index.near_duplicates(stored)
    expected = {(number, tracks - 1 - number) for number in range(planted)}
    hit = len({(a, b) for a, b, _ in found} & expected)
    print(f"{tracks} tracks: {time.perf_counter() - started:.1f} s, {hit} of {planted} found, {len(found) - hit} false")


def main() -> None:
    scoring()
    duplicates(5_000 if "--quick" in sys.argv else 100_000)


if __name__ == "__main__":
    main()
