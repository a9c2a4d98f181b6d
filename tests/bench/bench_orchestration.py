"""What orchestration costs: cells backfilled through a real daemon against a server whose takes are time-scaled.

Prints how long the server stood idle between its first and its last take, the event log's size, a worker's memory and how
long the partition page takes in a real Chromium. `--cells 300` is the full size; decides nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ace_assets.preview.process import running_preview
from tests.automation.deployment import CELL_ASSETS, Deployment, deployed, preview_stats, until
from tests.ui.browser import browsing

REAL_TAKE_S = 2.0
KB, MB = 1000, 1_000_000


@dataclass(frozen=True)
class Cost:
    """What was measured: seconds, share, bytes; the page's time is None where it was not looked at."""

    cells: int
    took_s: float
    idle_share: float
    event_log_bytes: int
    worker_peak_bytes: int
    worker_private_bytes: int
    page_s: float | None


def measure(*, cells: int, takes: int, service_s: float, root: Path, look: bool = True, wait_s: float = 7200.0) -> Cost:
    """Backfill cells of so many takes each, one at a time on one server that takes `service_s` for each."""
    with running_preview(faults=f"service_s={service_s}") as preview:
        made = Deployment(root, preview.url, extra={"ACE_SENSOR_INTERVAL_S": "86400"})  # the backfill alone makes cells
        made.prepare(cells=cells, takes=takes)
        with deployed(made):
            until(lambda: made.last_skip("carry_refresh"), "the sensor has looked once")
            config = {"campaign": "first_test", "allow_large_change": True}
            made.wait_for_run(made.launch("refresh", {"ops": {"prompt_table": {"config": config}}}))
            before = _size(made.home / "history")
            planned = made.planned()["cell"].unique(maintain_order=True).to_list()
            start = time.monotonic()
            with _watching(made.processes["code"].pid) as peaks:
                runs = made.wait_for_backfill(made.backfill(CELL_ASSETS, planned), wait_s=wait_s)
            took_s = time.monotonic() - start
            assert len(runs) == cells
            assert all(run.is_success for run in runs)
            stats = preview_stats(preview.url)
            page_s = _page_s(made, cells) if look else None
        return Cost(
            cells=cells,
            took_s=took_s,
            idle_share=stats["gap_s"] / (stats["gap_s"] + stats["busy_s"]),
            event_log_bytes=_size(made.home / "history") - before,
            worker_peak_bytes=max(peaks["VmHWM"]),
            worker_private_bytes=max(peaks["RssAnon"]),
            page_s=page_s,
        )


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and path.suffix == ".db")


@contextlib.contextmanager
def _watching(parent: int) -> Iterator[dict[str, list[int]]]:
    """Note the memory of a process's children for the length of the block."""
    peaks: dict[str, list[int]] = {"VmHWM": [0], "RssAnon": [0]}
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.2):
            for child in Path(f"/proc/{parent}/task").glob("*/children"):
                with contextlib.suppress(OSError):
                    for pid in child.read_text().split():
                        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                            name, _, value = line.partition(":")
                            if name in peaks:
                                peaks[name].append(int(value.split()[0]) * 1024)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peaks
    finally:
        stop.set()
        thread.join()


def _page_s(made: Deployment, cells: int) -> float:
    with browsing() as page:
        page.goto(made.url)
        page.wait_for_load_state("networkidle")
        start = time.monotonic()
        page.goto(f"{made.url}/assets/generated_audio?view=partitions")
        page.get_by_text(f"Materialized ({cells})").wait_for()
        return time.monotonic() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=300)
    parser.add_argument("--takes", type=int, default=12, help="takes per cell; a real cell has about 50")
    parser.add_argument("--service-s", type=float, default=0.5, help="seconds of a take; 2 in reality")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ace-bench-") as folder:
        root = Path(folder) / "deployment"
        found = measure(cells=options.cells, takes=options.takes, service_s=options.service_s, root=root)
    print(
        f"{found.cells} cells of {options.takes} takes at {options.service_s} s ({REAL_TAKE_S / options.service_s:.0f} x time)"
        f" in {found.took_s:.0f} s\n"
        f"server idle between its first and last take: {found.idle_share:.2%} (budget 2 %)\n"
        f"event log: {found.event_log_bytes / MB:.1f} MB, {found.event_log_bytes / found.cells / KB:.0f} KB a cell"
        f" (budget 60 MB for 300 cells, 200 KB a cell)\n"
        f"worker: {found.worker_private_bytes / MB:.0f} MB of its own, {found.worker_peak_bytes / MB:.0f} MB at most with shared"
        f" libraries (budget 200 MB)\n"
        f"partition page in Chromium: {found.page_s:.2f} s (budget 2 s)"
    )


if __name__ == "__main__":
    main()
