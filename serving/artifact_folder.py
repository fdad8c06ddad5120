"""The folder of a model that a pointer names: its files, and a signature that is what the pointer says."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import msgspec

from schemas.control import ModelPointer
from schemas.errors import SignatureError

SIGNATURE = "signature.json"
T = TypeVar("T")


class ArtifactFolder:
    """Below the registry `root`. Whatever does not fit raises SignatureError, which names the model."""

    def __init__(self, pointer: ModelPointer, root: Path) -> None:
        self._folder, self._sha256 = root / pointer.path, pointer.sha256
        self.label = f"{pointer.name}@{pointer.version}"

    def signature(self, kind: type[T]) -> T:
        """The signature, once its hash is the pointer's."""
        described = self.read(SIGNATURE)
        if sha256(described).hexdigest() != self._sha256:
            raise SignatureError(f"model {self.label}: {SIGNATURE} differs from the pointer's hash")
        try:
            return msgspec.json.decode(described, type=kind)
        except msgspec.MsgspecError as error:
            raise SignatureError(f"model {self.label}: {SIGNATURE}: {error}") from error

    def read(self, name: str) -> bytes:
        """A file of the folder."""
        try:
            return (self._folder / name).read_bytes()
        except OSError as error:
            raise SignatureError(f"model {self.label}: {error.filename}: {error.strerror}") from error
