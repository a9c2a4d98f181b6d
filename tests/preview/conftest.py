from __future__ import annotations

from collections.abc import Iterator

import pytest

from ace_assets.preview.process import PreviewProcess, running_preview
from tests.preview.client import Client


@pytest.fixture(scope="session")
def tone_server() -> Iterator[PreviewProcess]:
    """A server that makes tones instead of music; its faults are set by each test."""
    with running_preview(faults="synthetic") as server:
        yield server


@pytest.fixture
def client(tone_server: PreviewProcess) -> Iterator[Client]:
    with Client(tone_server.url) as plain:
        plain.faults("synthetic")
        plain.http.post("/_preview/forget").raise_for_status()
        plain.http.post("/_preview/stats").raise_for_status()
        yield plain
        plain.faults("synthetic")
