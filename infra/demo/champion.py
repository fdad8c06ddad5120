"""The model of a name that is in Production, known to the registry and to the control topic alike."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from infra import control_topic, promotion, wall_clock
from infra.author import author
from infra.force import Force
from schemas.models import Promotion
from schemas.settings import Settings
from serving.registry import PRODUCTION, Registry


def present(settings: Settings, name: str) -> str | None:
    """Its version, None when there is none; the control topic is told again if it does not know."""
    champion = Registry(Path(settings.registry.path)).champion(name)
    if champion is not None and f"model/{name}" not in control_topic.current(settings.kafka):
        # The topics of a stack that was wiped are new, the registry is not.
        promote(settings, name, champion, wall_clock.now_ms(), "announced again")
    return champion


def promote(settings: Settings, name: str, version: str, at_ms: int, note: str) -> None:
    """Put a version into Production. Raises what `promotion.promote` raises."""
    wanted = Promotion(version, PRODUCTION, at_ms, author(), note)
    send = partial(control_topic.send, settings.kafka)
    promotion.promote(Registry(Path(settings.registry.path)), send, name, wanted, Force())
