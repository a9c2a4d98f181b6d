"""Typed reading of the TOML files that people edit for servers, tiers and prices: one clear error per bad entry.

Knows nothing of what the files mean; `tiers`, `prices` and `servers` do.
"""

from __future__ import annotations

import datetime as dt
import math
import tomllib
from pathlib import Path
from typing import cast

from ace_assets.errors import ConfigError


def read_toml(file: Path) -> dict[str, object]:
    """Return a TOML file's content.

    Raises:
        ConfigError: it is missing, not UTF-8 or not TOML.
    """
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            str(file), value=error.strerror, expected="a readable file", remedy="give another path"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(file.name, value=error.reason, expected="UTF-8 text", remedy="save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(file.name, value=error, expected="valid TOML", remedy="mend the line it names") from error


class Reader:
    """Reads typed values out of parsed TOML, with one clear error per bad entry.

    Args:
        data: the table to read from.
        where: what the table is called in errors, e.g. `tiers.toml [tables.mission]`.
    """

    def __init__(self, data: object, where: str) -> None:
        if not isinstance(data, dict):
            raise ConfigError(where, value=data, expected="a table", remedy="mend the entry")
        self.data = cast("dict[str, object]", data)
        self.where = where

    def only(self, *names: str) -> None:
        """Refuse keys other than these, since a misspelt key would otherwise be ignored.

        Raises:
            ConfigError: there is another key.
        """
        for name in self.data:
            if name not in names:
                raise ConfigError(
                    f"{self.where} {name}", expected="one of " + ", ".join(names), remedy="correct or remove the key"
                )

    def missing(self, name: str, expected: str) -> ConfigError:
        """Return the error for a key that is not there."""
        return ConfigError(f"{self.where} {name}", value="missing", expected=expected, remedy="add it")

    def number(self, name: str, *, low: float = 0.0, high: float = math.inf, default: float | None = None) -> float:
        """Return a finite number within bounds."""
        expected = f"a number from {low:g}" + (f" to {high:g}" if math.isfinite(high) else "")
        value = self.data.get(name, default)
        if value is None:
            raise self.missing(name, expected)
        return check_number(value, f"{self.where} {name}", low=low, high=high, expected=expected)

    def optional_number(self, name: str, *, low: float = 0.0) -> float | None:
        """Return a number, or None where the key is not there."""
        return self.number(name, low=low) if name in self.data else None

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text."""
        value = self.data.get(name, default)
        if value is None:
            raise self.missing(name, "a text")
        if not isinstance(value, str):
            raise ConfigError(f"{self.where} {name}", value=value, expected="a text", remedy="put it in quotes")
        return value

    def day(self, name: str) -> dt.date:
        """Return a day."""
        value = self.data.get(name)
        if value is None:
            raise self.missing(name, "a day such as 2026-02-07")
        if not isinstance(value, dt.date) or isinstance(value, dt.datetime):
            raise ConfigError(
                f"{self.where} {name}", value=value, expected="a day such as 2026-02-07", remedy="write it unquoted"
            )
        return value

    def flag(self, name: str) -> bool | None:
        """Return true or false, or None where the key is not there."""
        value = self.data.get(name)
        if value is not None and not isinstance(value, bool):
            raise ConfigError(f"{self.where} {name}", value=value, expected="true or false", remedy="correct it")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts."""
        value = self.data.get(name)
        if value is None:
            raise self.missing(name, "a list of texts")
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ConfigError(f"{self.where} {name}", value=value, expected="a list of texts", remedy="correct it")
        return tuple(cast("list[str]", value))

    def table(self, name: str) -> Reader:
        """Return the reader of a table inside this one."""
        if name not in self.data:
            raise self.missing(name, "a table")
        return Reader(self.data[name], f"{self.where} [{name}]")

    def tables(self, name: str) -> dict[str, Reader]:
        """Return the readers of every table inside the table `name`, by their names."""
        outer = self.table(name)
        return {key: outer.table(key) for key in outer.data}

    def rows(self, name: str) -> list[Reader]:
        """Return the readers of an array of tables, which is not empty."""
        value = self.data.get(name)
        if not isinstance(value, list) or not value:
            raise ConfigError(
                f"{self.where} {name}", value=value, expected="a list with at least one row", remedy="add one"
            )
        return [Reader(row, f"{self.where} {name} row {index}") for index, row in enumerate(value, start=1)]

    def numbers(self) -> dict[str, float]:
        """Return the whole table as numbers that are not negative."""
        return {key: self.number(key) for key in self.data}


def check_number(value: object, thing: str, *, low: float, high: float = math.inf, expected: str) -> float:
    """Return the value as a number within bounds.

    Raises:
        ConfigError: it is not a number, not finite or out of bounds.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(thing, value=value, expected=expected, remedy="correct it")
    if not low <= value <= high:
        raise ConfigError(thing, value=value, expected=expected, remedy="correct it")
    return float(value)
