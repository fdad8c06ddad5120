"""The model registry: a folder, read and changed in steps that a crash can not leave half done.

    <root>/<name>/stages.json           which version is in which stage, and how it came there
    <root>/<name>/<version>/            signature.json, model.onnx, metrics.json, reference.json, card.md

A version is written under a temporary name and renamed when it is whole; it never changes afterwards. All stages of
a model are one small file that is replaced at once: the new Production version is there in the same instant in which
the old one is archived (T14). Writers take turns by a lock that dies with its process.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import msgspec

from schemas.control import ModelPointer
from schemas.errors import GateError, InputError, NotFoundError, SignatureError
from schemas.models import Described, Metrics, Promotion, Reference, Signature, Stage, Stages
from serving import folder

PRODUCTION: Stage = "Production"
SHADOW: Stage = "Shadow"
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
T = TypeVar("T")


class Registry:
    """The models under one root folder, which need not exist before the first is added."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self) -> list[str]:
        """The models that have a version."""
        if not self.root.is_dir():
            return []
        return sorted(
            path.name for path in self.root.iterdir() if NAME.fullmatch(path.name) and self.versions(path.name)
        )

    def versions(self, name: str) -> list[str]:
        """The versions of a model, oldest first; none for an unknown name."""
        home = self._home(name)
        if not home.is_dir():
            return []
        return sorted((path.name for path in home.iterdir() if path.is_dir() and path.name.isdigit()), key=int)

    def signature(self, name: str, version: str) -> Signature:
        """What the version takes and gives."""
        return self._read(name, version, "signature.json", Signature)

    def described(self, name: str, version: str) -> Described:
        """What is known of a version of any task."""
        return self._read(name, version, "signature.json", Described)

    def metrics(self, name: str, version: str) -> Metrics:
        """How a version for fraud did on its validation days."""
        return self.measured(name, version, Metrics)

    def reference(self, name: str, version: str) -> Reference:
        """What the training days of a version for fraud looked like."""
        return self._read(name, version, "reference.json", Reference)

    def measured(self, name: str, version: str, kind: type[T]) -> T:
        """What a version records of itself, as the metrics of its task."""
        return self._read(name, version, "metrics.json", kind)

    def stages(self, name: str) -> Stages:
        """The stages of the model's versions; empty before the first. Raises SignatureError for a damaged file."""
        path = self._home(name) / "stages.json"
        if not path.exists():
            return Stages()
        try:
            return msgspec.json.decode(path.read_bytes(), type=Stages)
        except msgspec.MsgspecError as error:
            raise SignatureError(f"{path}: {error}; restore the file from a backup") from error

    def champion(self, name: str) -> str | None:
        """The version in Production, None when there is none."""
        champions = self.stages(name).champions
        return champions[-1] if champions else None

    def shadow(self, name: str) -> str | None:
        """The version in Shadow, None when there is none."""
        return next((version for version, stage in self.stages(name).stages.items() if stage == SHADOW), None)

    def entered_shadow(self, name: str) -> Promotion | None:
        """When and how the version in Shadow came there, None when there is none."""
        version = self.shadow(name)
        steps = [step for step in self.stages(name).history if (step.version, step.stage) == (version, SHADOW)]
        return steps[-1] if steps else None

    def pointer(self, name: str, version: str, stage: Stage) -> ModelPointer:
        """What the control topic says of that version in that stage."""
        described = self._bytes(name, version, "signature.json")
        task = self.described(name, version).task
        return ModelPointer(name, version, stage, f"{name}/{version}", sha256(described).hexdigest(), task)

    def card(self, name: str, version: str) -> str:
        """The model card, Markdown."""
        return self._bytes(name, version, "card.md").decode()

    def add(self, name: str, files: Callable[[str], dict[str, bytes]], *, author: str, at_ms: int) -> str:
        """Add a version in Staging and return its number; `files` is told the number and gives contents by name."""
        with self.changing(name):
            version = str(max((int(known) for known in self.versions(name)), default=0) + 1)
            folder.write(self.root / name / version, files(version))
            self._move(name, Promotion(version, "Staging", at_ms, author, "registered"))
            return version

    def promote(self, name: str, promotion: Promotion) -> None:
        """Put the version into the stage; the version before it in Production is archived in the same write.

        There is one shadow, too: the one before it goes back to Staging.
        Call it while `changing`. Raises what `require_may_enter` raises.
        """
        self.require_may_enter(name, promotion)
        self._move(name, promotion)

    def require_may_enter(self, name: str, promotion: Promotion) -> None:
        """Raises NotFoundError when there is no such version, GateError when this would leave Production empty."""
        self._require(name, promotion.version)
        if promotion.stage != PRODUCTION and self.champion(name) == promotion.version:
            raise GateError(f"{name}@{promotion.version} is in Production; promote another version in its place first")

    def predecessor(self, name: str) -> str:
        """The Production version before the present one. Raises NotFoundError when there is none."""
        champions = self.stages(name).champions
        if len(champions) < 2:
            raise NotFoundError(f"{name} has no earlier Production version to roll back to")
        return champions[-2]

    def roll_back(self, name: str, *, author: str, at_ms: int, note: str) -> None:
        """Make the predecessor the Production version again. Call it while `changing`."""
        version, now = self.predecessor(name), self.stages(name)
        self._write_stages(
            name,
            Stages(
                now.stages | {now.champions[-1]: "Archived", version: PRODUCTION},
                now.champions[:-1],
                [*now.history, Promotion(version, PRODUCTION, at_ms, author, note)],
            ),
        )

    def require_writable(self, name: str) -> None:
        """To be asked before long work: raises InputError when no version could be added there; makes nothing."""
        home = self._home(name)
        there = next(path for path in (home, *home.parents) if os.access(path, os.F_OK))
        if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
            raise InputError(f"registry {home}: {there} can not be written; set [registry] path to a folder you own")

    @contextmanager
    def changing(self, name: str) -> Iterator[None]:
        """Hold the model's lock: one writer at a time. Raises InputError when the folder can not be written."""
        home = self._home(name)
        try:
            home.mkdir(parents=True, exist_ok=True)
            lock = (home / ".lock").open("w")
        except OSError as error:
            raise InputError(f"registry {home}: {error.strerror}; set [registry] path to a folder you own") from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # What a killed writer left: nobody else can be writing now.
            for left in home.glob(".*.part"):
                shutil.rmtree(left) if left.is_dir() else left.unlink()
            yield

    def _home(self, name: str) -> Path:
        if not NAME.fullmatch(name):
            raise InputError(f"{name!r} is no model name; use lower-case letters, digits, - and _")
        return self.root / name

    def _move(self, name: str, promotion: Promotion) -> None:
        now = self.stages(name)
        stages, champions = dict(now.stages), list(now.champions)
        if promotion.stage == PRODUCTION and champions[-1:] != [promotion.version]:
            if champions:
                stages[champions[-1]] = "Archived"
            champions.append(promotion.version)
        if promotion.stage == SHADOW:
            stages |= {other: "Staging" for other, stage in stages.items() if stage == SHADOW}
        stages[promotion.version] = promotion.stage
        self._write_stages(name, Stages(stages, champions, [*now.history, promotion]))

    def _write_stages(self, name: str, stages: Stages) -> None:
        written = msgspec.json.format(msgspec.json.encode(stages), indent=1)
        folder.replace(self._home(name) / "stages.json", written)

    def _require(self, name: str, version: str) -> None:
        versions = self.versions(name)
        if version not in versions:
            known = f"versions {', '.join(versions)}" if versions else "no version of it"
            raise NotFoundError(f"no model {name}@{version}; the registry {os.fspath(self.root)} has {known}")

    def _bytes(self, name: str, version: str, file: str) -> bytes:
        self._require(name, version)
        try:
            return (self.root / name / version / file).read_bytes()
        except OSError as error:
            raise SignatureError(f"model {name}@{version}: {file}: {error.strerror}; train it again") from error

    def _read(self, name: str, version: str, file: str, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(self._bytes(name, version, file), type=kind)
        except msgspec.MsgspecError as error:
            raise SignatureError(f"model {name}@{version}: {file}: {error}; train it again") from error
