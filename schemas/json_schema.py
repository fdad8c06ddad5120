"""JSON Schema files of the events: `python -m schemas.json_schema` writes schemas/json, but no breaking change."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import msgspec

from schemas.compatibility import Schema, breaking
from schemas.events import Event
from schemas.topics import TOPICS

FOLDER = Path(__file__).parent / "json"
EVENTS: tuple[type[Event], ...] = tuple(dict.fromkeys(topic.schema for topic in TOPICS))


def file_name(kind: type[Event], version: int) -> str:
    """Such as `Transaction.v1.json`: every version keeps its file."""
    return f"{kind.__name__}.v{version}.json"


def schema(kind: type[Event]) -> Schema:
    """The JSON Schema of an event type as it is now."""
    return msgspec.json.schema(kind)


def render(kind: type[Event]) -> str:
    """The text of its file."""
    return json.dumps(schema(kind), indent=2, sort_keys=True) + "\n"


def changes(kind: type[Event], folder: Path = FOLDER) -> list[str]:
    """What the event type as it is now breaks of any version that has a file."""
    found = []
    for version in range(1, kind.VERSION + 1):
        path = folder / file_name(kind, version)
        if path.exists():
            found += [f"{path.name}: {line}" for line in breaking(json.loads(path.read_text("utf-8")), schema(kind))]
    return found


def write(folder: Path = FOLDER) -> list[str]:
    """Write the file of every event's version of today; writes none and returns the reasons when one breaks."""
    refused = [line for kind in EVENTS for line in changes(kind, folder)]
    if not refused:
        folder.mkdir(exist_ok=True)
        for kind in EVENTS:
            (folder / file_name(kind, kind.VERSION)).write_text(render(kind), "utf-8")
    return refused


if __name__ == "__main__":
    sys.exit("\n".join(write()) or 0)
