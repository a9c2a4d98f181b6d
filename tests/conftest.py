"""The order of the suite: files that may take longest start first, so that no worker waits for them at the end."""

from __future__ import annotations

import pytest


def longest_s(item: pytest.Item) -> float:
    """Return the time limit that a test declares; 0 for the common one."""
    return max((float(marker.args[0]) for marker in item.iter_markers("timeout") if marker.args), default=0.0)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort files by the longest limit in them; the order within a file stays."""
    limits: dict[str, float] = {}
    for item in items:
        file = str(item.path)
        limits[file] = max(limits.get(file, 0.0), longest_s(item))
    items.sort(key=lambda item: -limits[str(item.path)])
