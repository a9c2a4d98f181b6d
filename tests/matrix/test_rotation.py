"""Rotations use every value evenly, neighbours differ, and prompt k never depends on how many follow."""

from __future__ import annotations

from collections import Counter
from itertools import islice, pairwise

from hypothesis import given
from hypothesis import strategies as st

from ace_assets.matrix.rotation import rotate, spread

VALUES = st.lists(st.integers(0, 99), min_size=1, max_size=9, unique=True)


@given(values=VALUES, size=st.integers(1, 3), seed=st.text(max_size=8), count=st.integers(1, 60))
def test_every_prefix_uses_all_values_evenly(values: list[int], size: int, seed: str, count: int) -> None:
    used: Counter[int] = Counter(dict.fromkeys(values, 0))
    for chosen in islice(rotate(values, size, seed), count):
        assert len(set(chosen)) == len(chosen) == min(size, len(values))
        used.update(chosen)
        assert max(used.values()) - min(used.values()) <= 1


@given(values=VALUES, size=st.integers(1, 3), seed=st.text(max_size=8))
def test_neighbours_differ_wherever_they_can(values: list[int], size: int, seed: str) -> None:
    if len(values) > size:
        for before, after in pairwise(islice(rotate(values, size, seed), 40)):
            assert set(before) != set(after)


@given(values=VALUES, seed=st.text(max_size=8), few=st.integers(1, 20), many=st.integers(20, 60))
def test_a_longer_rotation_begins_with_the_shorter_one(values: list[int], seed: str, few: int, many: int) -> None:
    assert list(islice(rotate(values, 1, seed), many))[:few] == list(islice(rotate(values, 1, seed), few))


def test_another_seed_is_another_order() -> None:
    orders = {tuple(islice(rotate("abcdef", 1, f"cell {n}"), 12)) for n in range(20)}
    assert len(orders) == 20


@given(low=st.integers(10, 300), width=st.integers(0, 200), most=st.integers(1, 20))
def test_spread_numbers_rise_evenly_from_end_to_end(low: int, width: int, most: int) -> None:
    numbers = spread(low, low + width, most=most)
    assert numbers[0] == low
    assert len(numbers) <= most
    if most > 1:
        assert numbers[-1] == low + width
    steps = {b - a for a, b in pairwise(numbers)}
    assert all(step > 0 for step in steps)
    assert not steps or max(steps) - min(steps) <= 1
