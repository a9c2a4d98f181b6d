"""Reads typed values out of the parsed venues file, with one clear error per bad entry; knows nothing of venues."""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ace_assets.errors import ConfigError


def read_toml(file: Path) -> dict[str, Any]:
    """Return a TOML file's content.

    Raises:
        ConfigError: it is missing, unreadable, not UTF-8 or not TOML.
    """
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            str(file), value=error.strerror, expected="a readable TOML file", remedy="give another path"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(file.name, value=error.reason, expected="UTF-8 text", remedy="save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(file.name, value=error, expected="valid TOML", remedy="mend the place it names") from error


def did_you_mean(name: str, known: Iterable[str], otherwise: str) -> str:
    """Return a remedy that names the nearest known name, or `otherwise` where none is near.

    >>> did_you_mean("lobbi", ["lobby", "spa"], "choose one")
    'did you mean lobby?'
    """
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else otherwise


class Section:
    """One table of a TOML file.

    Args:
        data: what was parsed.
        where: what the table is called in errors, e.g. `venues.toml [venues.spa-lotus]`.
    """

    def __init__(self, data: object, where: str) -> None:
        if not isinstance(data, dict):
            raise ConfigError(where, value=data, expected="a table", remedy="write it as [table]")
        self.data: dict[str, Any] = data
        self.where = where

    def bad(self, key: str, expected: str, remedy: str = "correct it") -> ConfigError:
        """Return the error for the value of `key`, whether it is wrong or missing."""
        if key not in self.data:
            return ConfigError(f"{self.where} {key}", value="missing", expected=expected, remedy="add it")
        return ConfigError(f"{self.where} {key}", value=self.data[key], expected=expected, remedy=remedy)

    def only(self, *known: str) -> None:
        """Refuse other keys, since a misspelt one would otherwise be ignored.

        Raises:
            ConfigError: there is another key.
        """
        for key in self.data:
            if key not in known:
                raise ConfigError(
                    f"{self.where} key",
                    value=key,
                    expected="one of " + ", ".join(known),
                    remedy=did_you_mean(key, known, "remove it"),
                )

    def text(self, key: str, default: str | None = None) -> str:
        """Return a text that is not empty (unless its default is)."""
        value = self.data.get(key, default)
        if not isinstance(value, str) or (not value.strip() and value != default):
            raise self.bad(key, "a text in quotes")
        return value

    def choice(self, key: str, known: Iterable[str], default: str | None = None) -> str:
        """Return a text that is one of the known ones."""
        names = list(known)
        value = self.text(key, default)
        if value not in names:
            raise self.bad(key, "one of " + ", ".join(names), did_you_mean(value, names, "choose one"))
        return value

    def number(self, key: str, *, low: float, high: float, default: float) -> float:
        """Return a finite number within bounds."""
        value = self.data.get(key, default)
        expected = f"a number from {low:g} to {high:g}"
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.bad(key, expected)
        if not low <= value <= high:
            raise self.bad(key, expected)
        return float(value)

    def count(self, key: str, *, low: int, high: int, default: int) -> int:
        """Return a whole number within bounds."""
        value = self.data.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.bad(key, f"a whole number from {low} to {high}")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts; empty where the key is missing."""
        value = self.data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise self.bad(key, 'a list of texts, e.g. ["a", "b"]')
        return tuple(value)

    def section(self, key: str, *, required: bool = True) -> Section:
        """Return the table `key` in this one."""
        if key not in self.data and required:
            raise self.bad(key, "a table")
        return Section(self.data.get(key, {}), f"{self.where} {key}")
