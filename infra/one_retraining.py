"""One training by policy at a time: a timer does not ask whether the last one is through."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import InputError, OperatorError


@contextmanager
def alone(root: Path) -> Iterator[None]:
    """Keep other runs over this registry off, by a lock that dies with its process.

    Raises OperatorError when one runs, InputError when the folder can not be written.
    """
    path = root / ".retrain.lock"
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = path.open("w")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; set [registry] path to a folder you own") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise OperatorError(f"another sluice retrain runs and holds {path}; wait for it, or stop it") from error
        yield
