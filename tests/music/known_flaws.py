"""Flaws that pieces of the found music really have, each with what was measured; the gates are right about them."""

from __future__ import annotations

KNOWN_FLAWS: dict[str, frozenset[str]] = {}
