"""The router's state as one file, replaced at once: alerts matter most when Kafka, Redis or Cassandra are down."""

from __future__ import annotations

from pathlib import Path

import msgspec

from infra.alerts.routing_state import RouterState
from schemas.errors import StateVersionError
from serving import folder

NAME = "router.json"


def load(place: Path) -> RouterState:
    """The state in this folder, an empty one where there is none. Raises StateVersionError when it is not readable."""
    try:
        raw = (place / NAME).read_bytes()
    except FileNotFoundError:
        return RouterState()
    try:
        state = msgspec.json.decode(raw, type=RouterState)
    except msgspec.MsgspecError as error:
        raise StateVersionError(f"{place / NAME} can not be read: {error}; move it away to start anew") from error
    if state.version != RouterState().version:
        raise StateVersionError(
            f"{place / NAME} is of version {state.version}, this release reads {RouterState().version}; "
            "use the release that wrote it, or move it away to start anew"
        )
    return state


def save(place: Path, state: RouterState) -> None:
    """Put the state in the place of the one before. Raises InputError when the disk refuses."""
    place.mkdir(parents=True, exist_ok=True)
    folder.replace(place / NAME, msgspec.json.encode(state))
