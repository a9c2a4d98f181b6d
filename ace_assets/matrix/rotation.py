"""Balanced, seeded rotation: which value each prompt of a cell gets.

A rotation is an endless sequence. Every prefix of it uses all values evenly (counts differ by at most one),
neighbours differ wherever there is more than one value, and it depends on its seed and its values alone: prompt k is
the same however many follow.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def rotate(values: Sequence[T], sizes: Iterator[int] | int, seed: str) -> Iterator[tuple[T, ...]]:
    """Yield a tuple of different values for each prompt, the least used first.

    Ties are broken in favour of what the previous prompt did not have, then by a hash of the seed.

    Args:
        values: what to choose from, all different; their order does not matter to the balance, only to the ties.
        sizes: how many values each prompt gets (at most all of them), one number or one per prompt.
        seed: e.g. the cell's key and the name of the dimension.

    >>> "".join(value for (value,) in itertools.islice(rotate("ab", 1, "seed"), 4)) in {"abab", "baba"}
    True
    """
    count = len(values)
    used = [0] * count
    previous = [False] * count
    for index in itertools.count():
        size = min(sizes if isinstance(sizes, int) else next(sizes), count)
        ties = hashlib.shake_128(f"{seed}#{index}".encode()).digest(2 * count)
        order = sorted(range(count), key=lambda i: (used[i], previous[i], ties[2 * i : 2 * i + 2], i))
        chosen = order[:size]
        previous = [False] * count
        for i in chosen:
            used[i] += 1
            previous[i] = True
        yield tuple(values[i] for i in chosen)


def spread(low: int, high: int, *, most: int) -> list[int]:
    """Return whole numbers from low to high, both included, evenly spread, at most `most` of them.

    >>> spread(60, 72, most=4)
    [60, 64, 68, 72]
    """
    steps = min(high - low, most - 1)
    if steps <= 0:
        return [low]
    return [low + (2 * (high - low) * step + steps) // (2 * steps) for step in range(steps + 1)]
