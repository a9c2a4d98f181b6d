"""Preview servers for the tests of the client and the fleet: a few processes, reset between tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from ace_assets.preview.process import running_preview
from ace_assets.store import Store
from tests.acestep.plans import set_faults


class Servers:
    """Running preview servers; one that is handed out has the faults asked for and nothing in its queue."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._urls: list[str] = []
        self.in_use = 0

    def __call__(self, faults: str) -> str:
        """Return the address of a server with these faults."""
        if self.in_use == len(self._urls):
            self._urls.append(self._stack.enter_context(running_preview(faults="synthetic=1")).url)
        url = self._urls[self.in_use]
        self.in_use += 1
        set_faults(url, faults)
        httpx.post(f"{url}/_preview/forget", trust_env=False)
        httpx.post(f"{url}/_preview/stats", trust_env=False)
        return url


@pytest.fixture(scope="session")
def all_servers() -> Iterator[Servers]:
    with ExitStack() as stack:
        yield Servers(stack)


@pytest.fixture
def serving(all_servers: Servers) -> Callable[[str], str]:
    """Return a function from faults to the address of a server that has them."""
    all_servers.in_use = 0
    return all_servers


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(str(tmp_path))
