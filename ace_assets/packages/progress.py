"""How long work tells how far it is."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called with how much of a kind of work is done, how much there is, and its name (`audio`, `verify`)."""

    def __call__(self, done: int, total: int, what: str, /) -> None:
        """Take note."""
        ...


def silent(_done: int, _total: int, _what: str, /) -> None:
    """Take no note."""
