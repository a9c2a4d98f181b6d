"""A package of 320 three-minute tracks whose renditions exist: how long it takes to build, and how much memory.

Budget: 20 s on two cores, memory flat in the number of tracks. The time of making the renditions, of verifying and
of delivering is printed beside it.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from ace_assets.audio import renditions
from ace_assets.audio.codecs import write_flac
from ace_assets.blobs import LocalBlobs
from ace_assets.packages.build import build_package
from ace_assets.packages.delivery import deliver
from ace_assets.packages.verify import verify
from ace_assets.store import Store
from tests.packages.support import release, row, venue

BUDGET_S = 20.0
LENGTH_S = 180.0
PIECES = 2  # real masters; every track has its own id and hard-links one of them


def rss_mb() -> float:
    """Return the memory that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


class Peak(threading.Thread):
    """Watches the memory of this process."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.highest = self.lowest = rss_mb()
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.02):
            self.highest = max(self.highest, rss_mb())

    def __enter__(self) -> Peak:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.join()

    @property
    def grown_mb(self) -> float:
        return self.highest - self.lowest


def pieces(folder: Path) -> list[dict[str, Any]]:
    """Make the real masters."""
    made = []
    rng = np.random.default_rng(7)
    frames = round(LENGTH_S * 48_000)
    time_s = np.arange(frames) / 48_000
    for number in range(PIECES):
        chord = sum(np.sin(2 * np.pi * f * (1 + number / 7) * time_s) for f in (110.0, 220.5, 277.2, 331.0))
        wave = 0.06 * chord * (0.7 + 0.3 * np.sin(2 * np.pi * 0.5 * time_s)) + 0.01 * rng.standard_normal(frames)
        pcm = np.round(np.column_stack([wave, 0.9 * wave]) * 32767).astype(np.int16)
        source = folder / f"source-{number}.flac"
        write_flac(source, pcm, 48_000)
        files = {name: folder / f"piece-{number}.{name}" for name in ("flac", "mp3")}
        rendered = renditions.render(source, files)
        made.append(
            {
                "files": files,
                "integrated_loudness_lufs": rendered["flac"].integrated_loudness_lufs,
                "true_peak_dbtp": max(item.true_peak_dbtp for item in rendered.values()),
                "flac_sha256": hashlib.sha256(files["flac"].read_bytes()).hexdigest(),
                "mp3_sha256": hashlib.sha256(files["mp3"].read_bytes()).hexdigest(),
            }
        )
    return made


def catalog(folder: Path, count: int) -> tuple[Store, list[dict[str, Any]]]:
    """Return a store of masters and their rows."""
    store = Store(LocalBlobs(folder / "data"))
    made = pieces(folder)
    rows = []
    for number in range(count):
        piece = made[number % PIECES]
        facts = {name: value for name, value in piece.items() if name != "files"}
        one = row(number, duration_s=LENGTH_S, prompt_id=f"p{number // 2}", **facts)
        store.publish_master(one["master_id"], piece["files"], {})
        rows.append(one)
    return store, rows


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=320)
    count = parser.parse_args().tracks
    folder = Path(tempfile.mkdtemp(prefix="bench-packages-"))
    try:
        store, rows = catalog(folder, count)
        place = venue()
        start = time.perf_counter()
        first = build_package(store, place, release(rows))
        made_s = time.perf_counter() - start
        print(f"{count} tracks, renditions made (copied and tagged): {made_s:.1f} s")
        results = []
        for tracks in (count // 4, count):
            with Peak() as peak:
                start = time.perf_counter()
                built = build_package(store, venue(days=6), release(rows[:tracks]))
                took_s = time.perf_counter() - start
            results.append(peak.grown_mb)
            print(f"{tracks} tracks, renditions exist: {took_s:.2f} s, memory grew by {peak.grown_mb:.0f} MB")
        print(f"package of {count}: {took_s:.2f} s of {BUDGET_S:.0f} s = {took_s / BUDGET_S:.2f} of the budget")
        print(f"memory: four times the tracks, {results[1] / max(1.0, results[0]):.2f} times the growth")
        with Peak() as peak:
            start = time.perf_counter()
            report = verify(built.path)
            took_s = time.perf_counter() - start
        print(
            f"verify, {report.tracks} tracks decoded: {took_s:.1f} s, memory grew by {peak.grown_mb:.0f} MB, ok={report.ok}"
        )
        start = time.perf_counter()
        sent = deliver(store, place, str(folder / "stick"))
        print(f"delivered to a folder: {time.perf_counter() - start:.1f} s, {sent.sent_bytes / 1e6:.0f} MB")
        start = time.perf_counter()
        sent = deliver(store, place, str(folder / "stick"))
        print(f"delivered again: {time.perf_counter() - start:.1f} s, {sent.sent_bytes} bytes")
        assert first.promise_kept
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
