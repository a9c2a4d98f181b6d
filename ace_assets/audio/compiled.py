"""The one decorator under which loops over samples become machine code.

Keeps the types of what it decorates, lets go of the interpreter's lock while the loop runs and stores the machine code
beside the source, or in the user's cache directory, so that only the first process on a machine pays for compiling.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

from ace_assets.lean_import import without

with without("coverage"):
    import numba

P = ParamSpec("P")
R = TypeVar("R")

# The rules of IEEE arithmetic that loops may bend. "nnan" and "ninf" stay out: a NaN in a file has to be seen.
_RELAXED = {"reassoc", "contract", "nsz", "arcp"}


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function over numpy arrays; where no cache can be written, compile it anew in each process."""
    try:
        compiled_function = numba.njit(cache=True, nogil=True, fastmath=_RELAXED, error_model="numpy")(function)
    except RuntimeError:  # numba found no place to cache: read-only installation without a home directory
        compiled_function = numba.njit(nogil=True, fastmath=_RELAXED, error_model="numpy")(function)
    return cast("Callable[P, R]", compiled_function)
