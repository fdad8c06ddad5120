"""A learner's private checkpoint: its whole state with its place in the log, in one file that is there whole or not.

The first line is JSON and says what follows: a pickle with this SHA-256. It is loaded after its hash was compared, from
a folder that only the process may write; nothing else of Sluice reads it, and it crosses no topic.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import msgspec

from online_learning.course import Course
from online_learning.definition import Definition
from online_learning.fingerprint import fingerprint
from online_learning.merge import Position
from schemas.errors import OperatorError, SignatureError, StateVersionError

# 3: features are clipped to a range of values; courses of before hold deviations.
VERSION = 3


class _Head(msgspec.Struct, frozen=True):
    version: int
    river: str
    learner: str
    names_sha256: str
    sha256: str
    definition_sha256: str
    partitions: int


class Saved(NamedTuple):
    """A course, its place in the log, and how many partitions that had."""

    course: Course
    positions: dict[int, Position]
    partitions: int


def _names_sha256(names: tuple[str, ...]) -> str:
    return hashlib.sha256(",".join(names).encode()).hexdigest()


class CheckpointFile:
    """The checkpoint of one learner in a folder. One process owns it at a time."""

    def __init__(self, folder: Path, learner: str) -> None:
        self.path = folder / f"{learner}.checkpoint"
        self._learner = learner

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Keep other processes off. Raises OperatorError when one learns it already, or nothing can be written."""
        with self._told():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            opened = self.path.with_suffix(".lock").open("w")
        with opened as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise OperatorError(
                    f"{self._learner} is learned by another process, which holds {lock.name}; stop it, or name others"
                ) from error
            yield

    def save(self, course: Course, positions: dict[int, Position], partitions: int = 0) -> None:
        """Replace the checkpoint; after a crash either the old or the new one is there.

        Raises OperatorError when it can not be written.
        """
        body = pickle.dumps((course, positions), protocol=5)
        head = _Head(
            VERSION,
            version("river"),
            self._learner,
            _names_sha256(course.names),
            hashlib.sha256(body).hexdigest(),
            fingerprint(course.definition, course.names),
            partitions,
        )
        with self._told():
            _replace(self.path, msgspec.json.encode(head) + b"\n" + body)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OperatorError(
                f"checkpoint {self.path}: {error.strerror}; make its folder writable, or give another as `learn.path` "
                "in the settings"
            ) from error

    def load(self, definition: Definition, names: tuple[str, ...]) -> Saved | None:
        """The course and its place in the log; None when there is no checkpoint.

        Raises SignatureError when the bytes are not those that were written, StateVersionError when another release
        wrote them, for another vector, or by another definition, OperatorError when they can not be read.
        """
        with self._told():
            if not self.path.exists():
                return None
            line, _, body = self.path.read_bytes().partition(b"\n")
        again = f"delete it, or `sluice learn {self._learner} --from-beginning`"
        try:
            head = msgspec.json.decode(line, type=_Head)
        except msgspec.MsgspecError as error:
            raise SignatureError(f"checkpoint {self.path} is not readable; {again}") from error
        if hashlib.sha256(body).hexdigest() != head.sha256:
            raise SignatureError(f"checkpoint {self.path} has another SHA-256 than it says; {again}")
        if (head.version, head.river) != (VERSION, version("river")):
            raise StateVersionError(
                f"checkpoint {self.path} has version {head.version} of River {head.river}, this release reads "
                f"{VERSION} of {version('river')}; {again}"
            )
        if head.names_sha256 != _names_sha256(names):
            raise StateVersionError(
                f"checkpoint {self.path} is of another vector than {definition.feature_set}; {again}"
            )
        if head.definition_sha256 != fingerprint(definition, names):
            raise StateVersionError(
                f"checkpoint {self.path} was learned by another definition of {self._learner} than this release has; "
                f"{again}"
            )
        course, positions = pickle.loads(body)  # noqa: S301  its hash was compared, and the file is our own
        course.definition = definition
        return Saved(course, positions, head.partitions)


def _replace(path: Path, content: bytes) -> None:
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
