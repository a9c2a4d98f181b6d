"""Which servers there are, and their keys. A key comes from the environment, travels as a header and shows nowhere.

A server's `server_id` comes from its address alone, so that runs which call it differently still share its slots.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

from ace_assets.errors import ConfigError
from ace_assets.toml_section import read_toml

DEFAULT_KEY_ENV = "ACESTEP_API_KEY"
KEY_MAX_CHARS = 4096


class ApiKey:
    """A key that no `repr`, `str`, format, pickle or traceback of ours shows."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def header(self) -> str:
        """Return the value of the Authorization header."""
        return f"Bearer {self.__value}"

    def hidden_in(self, text: str) -> str:
        """Return the text with the key blotted out, for what a server says back to us."""
        return text.replace(self.__value, "(hidden)")

    def __repr__(self) -> str:
        return "ApiKey(hidden)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an API key is never written anywhere")


@dataclass(frozen=True)
class Server:
    """One ACE-Step endpoint: one GPU.

    Attributes:
        url: scheme, host, port and an optional path prefix, without a slash at the end.
        name: what people call it; by default its id.
        key: its key, or None.
        key_env: the environment variable that the key comes from.
        gpu: what people call its GPU; None where nobody said.
        price_usd_per_hour: its declared price; None where nobody said.
        memory_gb: what its card reports; None where `gpu` says it.
        tier_table: the table of `tiers` that its version enforces; None for the default.
        offload: whether it moves parts of the models to main memory; None where nobody said.
        notes: for people.
    """

    url: str
    name: str
    key: ApiKey | None = field(default=None, compare=False, repr=False)
    key_env: str = DEFAULT_KEY_ENV
    gpu: str | None = None
    price_usd_per_hour: float | None = None
    memory_gb: float | None = None
    tier_table: str | None = None
    offload: bool | None = None
    notes: str = ""

    @property
    def server_id(self) -> str:
        """A file name for what is remembered of the server: host, port, and a hash of a path prefix."""
        return id_of(self.url)

    @property
    def in_words(self) -> str:
        """What an error calls it: its address, after its name where people gave it one."""
        return self.url if self.name == self.server_id else f"{self.name} ({self.url})"

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port."""
        parts = urlsplit(self.url)
        return parts.scheme, (parts.hostname or "").lower(), _port(parts.scheme, parts.port)


def _port(scheme: str, port: int | None) -> int:
    return port or (443 if scheme == "https" else 80)


def id_of(url: str) -> str:
    """Return the id of the server at a checked address.

    >>> id_of("http://127.0.0.1:8001"), id_of("http://localhost:8001")
    ('127.0.0.1-8001', '127.0.0.1-8001')
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    host = "127.0.0.1" if host == "localhost" else host
    place = re.sub(r"[^a-z0-9.]+", "_", host).strip("._") or "server"
    mark = f"-{hashlib.sha256(parts.path.encode()).hexdigest()[:6]}" if parts.path.strip("/") else ""
    return f"{place}-{_port(parts.scheme, parts.port)}{mark}"


def checked_url(url: str, *, thing: str = "server URL") -> str:
    """Return an address without a slash at its end.

    Raises:
        ConfigError: not http or https, no host, or a user, query or fragment in it (a key there would be logged).
    """
    text = url.strip()
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    printable = text.isprintable() and " " not in text and "\\" not in text
    if not printable or parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise ConfigError(
            thing, value=_shown(text), expected="http://HOST:PORT", remedy="correct it, e.g. http://127.0.0.1:8001"
        )
    if parts.username or parts.password or parts.query or parts.fragment or "@" in parts.netloc:
        raise ConfigError(
            thing,
            value=_shown(text),
            expected="an address without user, password or query",
            remedy=f"put the key into the environment variable {DEFAULT_KEY_ENV}",
        )
    return text.rstrip("/")


def _shown(url: str) -> str:
    """Return an address without what could be a secret in it."""
    url = re.sub(r"//[^/@]*@", "//(hidden)@", url)
    return re.split(r"[?#]", url, maxsplit=1)[0]


def key_from(name: str, environ: Mapping[str, str] | None = None) -> ApiKey | None:
    """Return the key in an environment variable, or None where it is unset or empty.

    Raises:
        ConfigError: it holds what cannot travel in a header. The error does not show the value.
    """
    value = (os.environ if environ is None else environ).get(name, "").strip()
    if not value:
        return None
    if len(value) > KEY_MAX_CHARS or not re.fullmatch(r"[\x21-\x7e]+", value):
        raise ConfigError(
            f"environment variable {name}",
            value="(hidden)",
            expected="a key of printable ASCII without spaces",
            remedy="set it again; look for a line break",
        )
    return ApiKey(value)


def server_at(url: str, *, environ: Mapping[str, str] | None = None, **facts: Any) -> Server:
    """Return the server at an address, with the key that its environment variable holds."""
    address = checked_url(url)
    key_env = facts.pop("key_env", None) or DEFAULT_KEY_ENV
    name = facts.pop("name", None) or id_of(address)
    return Server(address, name, key=key_from(key_env, environ), key_env=key_env, **facts)


def servers_at(urls: Iterable[str] | str, *, environ: Mapping[str, str] | None = None) -> tuple[Server, ...]:
    """Return the servers at addresses; a string may hold several with commas between.

    Raises:
        ConfigError: an address cannot be used, or is named twice.
    """
    listed = urls.split(",") if isinstance(urls, str) else list(urls)
    return _distinct([server_at(url, environ=environ) for url in listed if url.strip()], "--servers")


def load_servers(path: Path, *, environ: Mapping[str, str] | None = None) -> tuple[Server, ...]:
    """Return the servers that a servers.toml lists in `[[servers]]`; gpu/servers.example.toml says what stands in one.

    Raises:
        ConfigError: names the file, the entry and the field that cannot be used.
    """
    found = read_toml(path, remedy="see gpu/servers.example.toml")
    entries = found.get("servers", found.get("server", []))
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigError(str(path), expected="[[servers]] tables", remedy="see gpu/servers.example.toml")
    return _distinct(
        [_server_of(entry, f"{path} server {n}", environ) for n, entry in enumerate(entries, 1)], str(path)
    )


def _server_of(entry: Mapping[str, Any], thing: str, environ: Mapping[str, str] | None) -> Server:
    kinds: dict[str, tuple[type, ...]] = {
        "url": (str,),
        "name": (str,),
        "key_env": (str,),
        "gpu": (str,),
        "price_usd_per_hour": (int, float),
        "memory_gb": (int, float),
        "tier_table": (str,),
        "offload": (bool,),
        "notes": (str,),
    }
    for name in ("key", "api_key", "token"):
        if name in entry:
            raise ConfigError(
                f"{thing}, {name}", value="(hidden)", expected="no key in a file", remedy="name its variable in key_env"
            )
    for name, value in entry.items():
        if name not in kinds:
            raise ConfigError(f"{thing}, {name}", expected="one of " + ", ".join(kinds), remedy="correct or remove it")
        if not isinstance(value, kinds[name]) or (isinstance(value, bool) and bool not in kinds[name]):
            expected = {str: "text", int: "a number", bool: "true or false"}[kinds[name][0]]
            raise ConfigError(f"{thing}, {name}", value=value, expected=expected, remedy="correct it")
        if isinstance(value, int | float) and not 0 <= value < float("inf"):
            raise ConfigError(f"{thing}, {name}", value=value, expected="0 or more", remedy="correct it")
    if "url" not in entry:
        raise ConfigError(f"{thing}, url", value="missing", expected="http://HOST:PORT", remedy="add it")
    called = entry.get("name")
    if called is not None and not re.fullmatch(r"[\w.\-]{1,80}", called):
        raise ConfigError(f"{thing}, name", value=called, expected="letters, digits, dot and dash", remedy="rename it")
    price, memory_gb = (entry.get(name) for name in ("price_usd_per_hour", "memory_gb"))
    address = checked_url(entry["url"], thing=f"{thing}, url")
    return server_at(
        address,
        environ=environ,
        name=called,
        key_env=entry.get("key_env"),
        gpu=entry.get("gpu"),
        price_usd_per_hour=None if price is None else float(price),
        memory_gb=None if memory_gb is None else float(memory_gb),
        tier_table=entry.get("tier_table"),
        offload=entry.get("offload"),
        notes=entry.get("notes", ""),
    )


def _distinct(servers: list[Server], thing: str) -> tuple[Server, ...]:
    seen: set[str] = set()
    for server in servers:
        if server.server_id in seen:
            raise ConfigError(thing, value=server.url, expected="every server once", remedy="remove the second mention")
        seen.add(server.server_id)
    return tuple(servers)
