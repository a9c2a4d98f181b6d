"""Libraries without the optional parts that they load wherever those happen to be installed.

dataframely brings SQLAlchemy along (16 MB per process), httpx its command line with rich and pygments (6 MB), alembic
pygments (3 MB), numba coverage (2 MB). Nothing here uses them; a fleet's process stays below 100 MB without them, the
worker of a run below 200 MB.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def without(*names: str) -> Iterator[None]:
    """Let optional modules look as if they were not installed, unless they are loaded already.

    >>> with without("colorsys"):
    ...     import colorsys
    Traceback (most recent call last):
    ModuleNotFoundError: import of colorsys halted; None in sys.modules
    >>> import colorsys
    """
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
