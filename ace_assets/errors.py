"""Every deliberate error of the product.

An error names the thing, the value, what was expected and what to do next; the class composes the one-line message and
keeps the fields, so that tests and the Dagster UI read them without parsing text. What a user can cause is always an
`AceAssetsError`; anything else that reaches the command line is a bug.

    AceAssetsError
    +-- ConfigError         a setting, a matrix, a venue, a campaign
    +-- PlanError           a plan that may not be made or carried out (brakes, limits)
    +-- StoreError          the data folder or bucket
    |   +-- LeaseHeldError  somebody else is writing this cell
    |   +-- SchemaError     a table that is not what it should be, or newer than this code
    +-- ServerError         an ACE-Step server, or all of them
    |   +-- ServerAuthError     the key is missing or wrong: fatal at once
    |   +-- ServerBusyError     its queue is full
    |   +-- ServerRefusedError  it understood the request and said no
    |   +-- ServersGoneError    none is left; `result` holds what was finished
    +-- RequestError        a request that breaks a rule of the API, before it is sent
    +-- AudioError          a file that is not the audio it should be
    +-- MasteringError      a master that failed its own verification
    +-- CatalogError        a catalog, a query
    +-- PackageError        a package, a delivery
"""

from __future__ import annotations

MAX_VALUE_CHARS = 200


def shorten(value: object, limit: int = MAX_VALUE_CHARS) -> str:
    """Return the value as one printable line of at most `limit` characters.

    >>> shorten("a\\nb")
    'a b'
    """
    text = " ".join(str(value).split())
    text = "".join(c if c.isprintable() else "?" for c in text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


class AceAssetsError(Exception):
    """A deliberate error: what it is about, the value found, what was expected, what to do next.

    Args:
        thing: what the error is about, e.g. `genre_matrix.csv row 14, column bpm_max`.
        value: what was found; None where there is no value to show.
        expected: what should have been there.
        remedy: what the reader can do now.
        rule: the name of the rule that was broken, where there is one.
    """

    def __init__(
        self, thing: str, *, value: object = None, expected: str = "", remedy: str = "", rule: str | None = None
    ) -> None:
        self.thing = thing
        self.value = value
        self.expected = expected
        self.remedy = remedy
        self.rule = rule
        super().__init__(self._compose())

    def _compose(self) -> str:
        parts = [self.thing]
        if self.value is not None:
            parts[0] += f": {shorten(self.value)}"
        if self.expected:
            parts.append(f"expected {self.expected}")
        text = ", ".join(parts)
        if self.rule:
            text += f" (rule {self.rule})"
        if self.remedy:
            text += f"; {self.remedy}"
        return text


class ConfigError(AceAssetsError):
    """A setting, a matrix, a venue or a campaign that cannot be used."""


class PlanError(AceAssetsError):
    """A plan that may not be made or carried out: a brake, a limit, an unknown cell."""


class StoreError(AceAssetsError):
    """The data folder or the bucket cannot be read or written."""


class LeaseHeldError(StoreError):
    """Somebody else holds the lease of what was to be written."""


class SchemaError(StoreError):
    """A stored table is not what its schema says, or newer than this code."""


class ServerError(AceAssetsError):
    """An ACE-Step server, or every one of them, cannot be used."""


class ServerAuthError(ServerError):
    """A server wants another key; asking again cannot help."""


class ServerBusyError(ServerError):
    """A server's queue is full; asking later can help."""


class ServerRefusedError(ServerError):
    """A server understood the request and refused it (HTTP 4xx); asking the same of it again cannot help."""


class ServersGoneError(ServerError):
    """Not one server is left. `result` holds what was finished and what is still planned."""

    result: object = None


class RequestError(AceAssetsError):
    """A request breaks a rule of the API and was not sent."""


class AudioError(AceAssetsError):
    """A file is not the audio that it should be."""


class MasteringError(AceAssetsError):
    """A master failed its own verification."""


class CatalogError(AceAssetsError):
    """A catalog or a query cannot be used."""


class PackageError(AceAssetsError):
    """A package or a delivery is not what it should be."""
