"""What the environment says, as plain objects: which files people edit, which servers make the music.

ACE_DATA_DIR     the store: a folder or s3://bucket/prefix         (default data/)
ACE_CONFIG_DIR   genre_matrix.csv, campaigns.toml, venues.toml     (default: those that ship)
ACE_SERVERS      ACE-Step servers: URLs with commas, or a servers.toml   (default: the embedded preview engine)
ACESTEP_API_KEY  the servers' key; never anywhere else
"""

from __future__ import annotations

import os
from pathlib import Path

from ace_assets import shipped
from ace_assets.acestep import servers as server_lists
from ace_assets.acestep.identify import identify
from ace_assets.acestep.servers import Server
from ace_assets.errors import ConfigError

SERVERS_ENV = "ACE_SERVERS"
CONFIG_ENV = "ACE_CONFIG_DIR"
EMBEDDED = "embedded"


def config_file(name: str, folder: str | Path | None = None) -> Path:
    """Return the path of a file that people edit, from `folder`, else ACE_CONFIG_DIR, else the one that ships.

    Raises:
        ConfigError: the folder that was named has no such file.
    """
    chosen = folder or os.environ.get(CONFIG_ENV) or None
    if chosen is None:
        return shipped.path("config") / name
    path = Path(chosen).expanduser() / name
    if path.is_file():
        return path
    shipped_default = shipped.path("config") / name
    if Path(chosen).expanduser().is_dir() and shipped_default.is_file():
        return shipped_default  # a folder may hold only what differs from the defaults
    raise ConfigError(
        str(path), value="missing", expected="a file", remedy=f"run `ace-assets init` or correct {CONFIG_ENV}"
    )


def configured_servers(chosen: str | None = None) -> tuple[Server, ...]:
    """Return the servers that `chosen` or ACE_SERVERS names; none means the embedded preview engine.

    Args:
        chosen: URLs with commas between, or the path of a servers.toml.

    Raises:
        ConfigError: the list cannot be used.
    """
    text = (chosen or os.environ.get(SERVERS_ENV) or "").strip()
    if text in {"", EMBEDDED}:
        return ()
    if text.endswith(".toml"):
        return server_lists.load_servers(Path(text).expanduser())
    return server_lists.servers_at(text)


def engine_of(servers: tuple[Server, ...]) -> str:
    """Return what takes from these servers are called: `ace-step`, or `preview` for preview engines (or none at all).

    Raises:
        ServerError: no server answers, or one is no ACE-Step server.
        ConfigError: preview engines and real servers are mixed.
    """
    if not servers:
        return "preview"
    kinds = {server.url: "preview" if identify(server) == "preview" else "ace-step" for server in servers}
    if len(set(kinds.values())) > 1:
        raise ConfigError(
            "servers",
            value=", ".join(f"{url} is {kind}" for url, kind in kinds.items()),
            expected="servers of one engine",
            remedy="name either real servers or preview engines",
        )
    return next(iter(kinds.values()))
