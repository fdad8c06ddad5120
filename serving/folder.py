"""Files that are there whole or not at all: written under a temporary name, synced, renamed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from schemas.errors import InputError


def write(path: Path, files: dict[str, bytes]) -> None:
    """Make the folder `path` with these files; it must not exist. Raises InputError when the disk refuses."""
    part = path.with_name(f".{path.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        for name, content in files.items():
            _write_synced(part / name, content)
        _sync_folder(part)
        part.rename(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give a folder you can write to") from error


def replace(path: Path, content: bytes) -> None:
    """Put `content` in the place of the file `path`, at once. Raises InputError when the disk refuses."""
    part = path.with_name(f".{path.name}.part")
    try:
        _write_synced(part, content)
        part.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give a folder you can write to") from error


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
