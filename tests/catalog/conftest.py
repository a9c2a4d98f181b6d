"""A known store and its catalog, built once for the tests that only read it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import pytest

from ace_assets.catalog.build import ReleaseResult, build_release
from tests.catalog.synthetic import Synthetic, make_store

NOW = dt.datetime(2026, 11, 25, 3, 0, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Known:
    """A store whose rows are at hand, and the release built of it."""

    rows: Synthetic
    result: ReleaseResult


@pytest.fixture(scope="session")
def known(tmp_path_factory: pytest.TempPathFactory) -> Known:
    rows = make_store(tmp_path_factory.mktemp("known"), 720, cells=36, seed=7)
    return Known(rows, build_release(rows.store, reason="known", now=NOW))
