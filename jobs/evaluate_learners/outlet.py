"""Whether a file can be written, asked before the minutes whose result it is to hold."""

from __future__ import annotations

import os
from pathlib import Path

from schemas.errors import InputError


def check_writable(file: Path, option: str) -> None:
    """Make the file's folder, unless it is there. Raises InputError that names the option where that fails."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{option} {file}: {error.strerror}; give a file in a folder of yours") from error
    if file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK):
        raise InputError(f"{option} {file} can not be written; give a file in a folder of yours")
