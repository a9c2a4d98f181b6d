"""A disk that is full or read-only for a while: each cell says so in one line, and afterwards everything is completed."""

from __future__ import annotations

from pathlib import Path

import pytest
from dagster import DagsterRunStatus

from ace_assets.preview.process import running_preview
from tests.automation.deployment import TERMINAL, Deployment, preview_stats
from tests.automation.mounts import Disk, disk, may_mount

pytestmark = [
    pytest.mark.timeout(1200),
    pytest.mark.skipif(not may_mount(), reason="memory disks cannot be mounted here (needs root)"),
]


def test_a_full_and_then_a_read_only_disk_lose_nothing(tmp_path: Path) -> None:
    with running_preview() as preview, disk(tmp_path / "data", "size=3m") as small:
        deployment = Deployment(tmp_path, preview.url)
        deployment.prepare(cells=3)
        _fill_and_free(deployment, small)
        _read_only_for_a_while(deployment, small)
        seeds = {str(seed) for seed in deployment.planned()["seed"]}
        rendered = preview_stats(preview.url)["rendered"]
        assert seeds <= {key.split(":")[0] for key in rendered}
        with deployment.instance() as instance:
            assert {run.status for run in instance.get_runs()} <= TERMINAL


def _fill_and_free(deployment: Deployment, small: Disk) -> None:
    full = deployment.command("run", "--workers", "1", check=False)
    assert full.returncode == 1
    assert "No space left on device" in full.stderr
    assert "free some space" in full.stderr
    assert "Traceback" not in full.stdout + full.stderr
    small.remount("size=200m")
    said = deployment.command("run", "--workers", "1").stdout
    assert "3 of 3 tracks mastered in 3 of 3 cells" in said


def _read_only_for_a_while(deployment: Deployment, small: Disk) -> None:
    config = deployment.config / "genre_matrix.csv"
    config.write_text(config.read_text().replace("-16.0", "-18.0"))
    small.remount("ro")
    refused = deployment.command("run", "--workers", "1", "--yes", check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: ")
    assert "Read-only file system" in refused.stderr
    assert "Traceback" not in refused.stdout + refused.stderr
    small.remount("rw")
    deployment.command("run", "--workers", "1", "--yes")
    with deployment.instance() as instance:
        assert instance.get_runs(limit=1)[0].status == DagsterRunStatus.SUCCESS
    assert "3 of 3 done, 0 failed" in deployment.command("status").stdout
