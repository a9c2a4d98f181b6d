"""The examples in docstrings are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import ace_assets.matrix

MODULES = [
    "ace_assets.identity",
    *(f"ace_assets.matrix.{m.name}" for m in pkgutil.iter_modules(ace_assets.matrix.__path__)),
]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_are_true(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0
