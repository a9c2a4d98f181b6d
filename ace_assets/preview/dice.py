"""Random choices that stay the same on every machine and every Python version.

Only `random.Random.random()` is drawn, the one method whose sequence Python guarantees for a given seed; so a score
made from a seed is the same list of notes everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """Seeded choices for a composer.

    Args:
        *seed: anything printable; the same values give the same sequence.

    >>> Dice("a", 1).whole(0, 9) == Dice("a", 1).whole(0, 9)
    True
    """

    def __init__(self, *seed: object) -> None:
        self._random = Random("\x1f".join(str(part) for part in seed)).random

    def chance(self, probability: float) -> bool:
        """Return True with the given probability."""
        return self._random() < probability

    def between(self, low: float, high: float) -> float:
        """Return a number from [low, high)."""
        return low + (high - low) * self._random()

    def whole(self, low: int, high: int) -> int:
        """Return an integer from low to high, both included."""
        return low + int(self._random() * (high - low + 1))

    def pick(self, items: Sequence[T]) -> T:
        """Return one of the items, all equally likely."""
        return items[int(self._random() * len(items))]

    def around(self, spread: float) -> float:
        """Return a bell-shaped deviation around 0 that never exceeds twice the spread."""
        return spread * (self._random() + self._random() + self._random() - 1.5) * (4 / 3)
