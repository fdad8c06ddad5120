"""The decorator of functions that are compiled to machine code before their first call, and kept on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numba

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """The function as machine code. Numba keeps it beside its source file and compiles again when that changes.

    So a compiled function calls only compiled functions of its own file: a change elsewhere would go unseen.
    """
    made: Callable[P, R] = numba.njit(cache=True, error_model="numpy")(function)
    return made
