"""Models as the registry has them: versions, stages, what each version measured of itself; and what control changed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import msgspec

from schemas.errors import SluiceError
from schemas.events import ControlRecord
from schemas.models import Described, Promotion
from serving.registry import Registry

MAX_MODELS = 20
MAX_VERSIONS = 12
MAX_CHANGES = 30
MAX_HISTORY = 20


class VersionShown(msgspec.Struct, frozen=True):
    """A version: its stage, when its training data ended, and its figures."""

    version: str
    stage: str
    trained_to_ms: int
    figures: dict[str, float]


class ModelShown(msgspec.Struct, frozen=True):
    """A model and its newest versions, oldest first; `problem` says what could not be read."""

    name: str
    task: str
    champion: str
    versions: list[VersionShown]
    history: list[Promotion]
    problem: str = ""


class Change(msgspec.Struct, frozen=True):
    """A control record: what was changed, by whom and why."""

    kind: str
    name: str
    author: str
    note: str
    event_time_ms: int


class ModelsView(msgspec.Struct, frozen=True):
    """Models by name, changes newest first."""

    models: list[ModelShown]
    changes: list[Change]


class Models:
    """The last look at the registry, and the MAX_CHANGES control records that were read last."""

    def __init__(self) -> None:
        self.changes = 0
        self._models: list[ModelShown] = []
        self._changes: deque[Change] = deque(maxlen=MAX_CHANGES)

    def take(self, models: list[ModelShown]) -> None:
        """A look at the registry."""
        if models != self._models:
            self.changes += 1
            self._models = models

    def take_change(self, record: ControlRecord) -> None:
        """A control record was read."""
        self.changes += 1
        self._changes.appendleft(Change(record.kind, record.name, record.author, record.note, record.event_time_ms))

    def view(self) -> ModelsView:
        """As of the last look."""
        return ModelsView(self._models, list(self._changes))


class RegistryReader:
    """Reads the registry; a version never changes, so each is read once."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._known: dict[tuple[str, str], tuple[Described, dict[str, float]]] = {}

    def read(self) -> list[ModelShown]:
        """The models that are there now; one that is damaged says so."""
        shown = [self._model(name) for name in self._registry.names()[:MAX_MODELS]]
        current = {(model.name, version.version) for model in shown for version in model.versions}
        self._known = {key: value for key, value in self._known.items() if key in current}
        return shown

    def _model(self, name: str) -> ModelShown:
        try:
            stages = self._registry.stages(name)
            versions = [
                self._version(name, version, stages.stages.get(version, "None"))
                for version in self._registry.versions(name)[-MAX_VERSIONS:]
            ]
            task = self._registry.described(name, versions[-1].version).task
        except SluiceError as error:
            return ModelShown(name, "", "", [], [], str(error))
        champion = stages.champions[-1] if stages.champions else ""
        return ModelShown(name, task, champion, versions, stages.history[-MAX_HISTORY:])

    def _version(self, name: str, version: str, stage: str) -> VersionShown:
        if (name, version) not in self._known:
            measured = self._registry.measured(name, version, dict[str, Any])
            self._known[name, version] = self._registry.described(name, version), dict(_figures(measured))
        described, figures = self._known[name, version]
        return VersionShown(version, stage, described.trained_to_ms, figures)


def _figures(measured: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """The numbers among what a version measured, those of a part under the part's name."""
    for key, value in measured.items():
        if isinstance(value, dict) and not prefix and key != "importance":
            yield from _figures(value, f"{key}.")
        elif isinstance(value, int | float):
            yield prefix + key, float(value)
