"""The reduced size of `bench_orchestration`: sizes are held, times are only printed by the benchmark."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.bench_orchestration import KB, MB, measure

CELLS = 3
MOST_LOG_PER_CELL = 240 * KB  # Dagster's own part is 180 KB; in a small database its fixed pages weigh more
MOST_PRIVATE = 280 * MB  # 205 MB where the compiled detectors are cached, more where they are compiled first


@pytest.mark.timeout(1200)
def test_a_cell_costs_the_event_log_and_the_worker_no_more_than_planned(tmp_path: Path) -> None:
    found = measure(cells=CELLS, takes=2, service_s=0.2, root=tmp_path / "bench", look=False)
    assert found.event_log_bytes / CELLS < MOST_LOG_PER_CELL
    assert found.worker_private_bytes < MOST_PRIVATE
