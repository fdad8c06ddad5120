"""The parts that every demo needs, brought up as far as they are not there."""

from __future__ import annotations

from infra import stack, topics
from infra.demo.steps import Steps
from schemas.settings import Settings
from serving.stores import cassandra_history


def ensure(settings: Settings, steps: Steps) -> None:
    """Stack, topics and tables; what is there already is kept."""
    with steps.step("stack") as tell:
        running = stack.up(settings, lambda part, line: tell(f"{part} {line}".strip()))
        tell("topics and tables")
        topics.create(settings)
        cassandra_history.create_schema(settings.cassandra)
        tell(f"{len(running)} parts healthy")
