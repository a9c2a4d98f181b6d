"""Typed reading of the TOML files that people edit: one clear error per bad entry, nothing of what the entries mean."""

from __future__ import annotations

import datetime as dt
import difflib
import math
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeGuard

from ace_assets.errors import ConfigError


def read_toml(file: Path, *, remedy: str = "give another path") -> dict[str, Any]:
    """Return a TOML file's content.

    Args:
        file: the file.
        remedy: what to do when it is not there.

    Raises:
        ConfigError: it is missing, unreadable, not UTF-8 or not TOML.
    """
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(file.name, value=error.strerror, expected="a readable TOML file", remedy=remedy) from error
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
    """One table of a TOML file. Every method raises ConfigError where the value is missing or not what it returns.

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
        """Refuse other keys, since a misspelt one would otherwise be ignored."""
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

    def texts(self, key: str, *, required: bool = False) -> tuple[str, ...]:
        """Return a list of texts; where it is not required, an empty one for a missing key."""
        value = self.data.get(key, None if required else [])
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise self.bad(key, 'a list of texts, e.g. ["a", "b"]')
        return tuple(value)

    def number(self, key: str, *, low: float = 0.0, high: float = math.inf, default: float | None = None) -> float:
        """Return a finite number within bounds."""
        expected = f"a number from {low:g}" + (f" to {high:g}" if math.isfinite(high) else "")
        value = self.data.get(key, default)
        if not is_number(value, low=low, high=high):
            raise self.bad(key, expected)
        return float(value)

    def optional_number(self, key: str, *, low: float = 0.0) -> float | None:
        """Return a number, or None where the key is missing."""
        return self.number(key, low=low) if key in self.data else None

    def numbers(self, key: str) -> tuple[float, ...]:
        """Return a list of numbers, none of them negative, at least one."""
        value = self.data.get(key)
        if not isinstance(value, list) or not value or not all(is_number(item, low=0.0) for item in value):
            raise self.bad(key, "a list of numbers of 0 or more")
        return tuple(map(float, value))

    def all_numbers(self) -> dict[str, float]:
        """Return the whole table as numbers, none of them negative."""
        return {key: self.number(key) for key in self.data}

    def count(self, key: str, *, low: int, high: int, default: int) -> int:
        """Return a whole number within bounds."""
        value = self.data.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.bad(key, f"a whole number from {low} to {high}")
        return value

    def day(self, key: str) -> dt.date:
        """Return a day."""
        value = self.data.get(key)
        if not isinstance(value, dt.date) or isinstance(value, dt.datetime):
            raise self.bad(key, "a day such as 2026-02-07", "write it unquoted")
        return value

    def flag(self, key: str) -> bool | None:
        """Return true or false, or None where the key is missing."""
        value = self.data.get(key)
        if value is not None and not isinstance(value, bool):
            raise self.bad(key, "true or false")
        return value

    def section(self, key: str, *, required: bool = True) -> Section:
        """Return the table `key` in this one."""
        if key not in self.data and required:
            raise self.bad(key, "a table")
        return Section(self.data.get(key, {}), f"{self.where} [{key}]")

    def sections(self, key: str) -> dict[str, Section]:
        """Return every table in the table `key`, by name."""
        outer = self.section(key)
        return {name: outer.section(name) for name in outer.data}

    def rows(self, key: str) -> list[Section]:
        """Return an array of tables, which is not empty."""
        value = self.data.get(key)
        if not isinstance(value, list) or not value:
            raise self.bad(key, "a list with at least one row", "add one")
        return [Section(row, f"{self.where} {key} row {number}") for number, row in enumerate(value, start=1)]


def is_number(value: object, *, low: float, high: float = math.inf) -> TypeGuard[float]:
    """Say whether a parsed value is a finite number within bounds.

    >>> is_number(2, low=0.0), is_number(True, low=0.0), is_number(float("nan"), low=0.0)
    (True, False, False)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and low <= value <= high
