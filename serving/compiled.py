"""The decorator of functions that are compiled to machine code before their first call, and kept on disk."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numba

P = ParamSpec("P")
R = TypeVar("R")


def _folder() -> str:
    """Beside the sources, named by the content of all that hold compiled functions.

    Numba looks only at the file of the function that is called, and would keep what another file said before.
    """
    here = Path(__file__).parent
    sources = [path.read_bytes() for path in sorted(here.rglob("*.py"))]
    digest = sha256(b"".join(source for source in sources if b"\n@compiled" in source))
    return str(here / "__pycache__" / f"compiled-{digest.hexdigest()[:12]}")


_FOLDER = _folder()


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """The function as machine code; it may call compiled functions of other files of this package."""
    settings: Any = numba.config  # a module that Numba fills from the environment
    before = settings.CACHE_DIR
    settings.CACHE_DIR = _FOLDER
    try:
        made: Callable[P, R] = numba.njit(cache=True, error_model="numpy")(function)
    finally:
        settings.CACHE_DIR = before
    return made
