"""Configuration as Dagster resources: the store, the files that people edit, the GPU servers.

What belongs here: thin wrappers that the UI can show. What the environment variables mean is `ace_assets.settings`'.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from ace_assets.acestep import servers as server_lists
from ace_assets.acestep.servers import Server
from ace_assets.preview.process import running_preview
from ace_assets.settings import config_file, configured_servers, engine_of
from ace_assets.store import Store


class StoreResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The store of artefacts."""

    data_dir: str = ""

    def open(self) -> Store:
        """Open `data_dir`, else ACE_DATA_DIR, else data/."""
        return Store.open(self.data_dir or None)


class ConfigFiles(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The files that people edit."""

    config_dir: str = ""

    def path(self, name: str) -> Path:
        """Return the path of one of them."""
        return config_file(name, self.config_dir or None)


class AceStep(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The GPU resource: ACE-Step servers, or the embedded preview engine where none is named."""

    servers: str = ""

    def engine(self) -> str:
        """Return `ace-step` or `preview` (see `engine_of`)."""
        return engine_of(configured_servers(self.servers or None))

    @contextlib.contextmanager
    def session(self) -> Iterator[tuple[Server, ...]]:
        """Give the servers for the length of the block; an embedded engine is started and ended here."""
        chosen = configured_servers(self.servers or None)
        if chosen:
            yield chosen
            return
        with running_preview() as preview:
            yield server_lists.servers_at(preview.url)
