"""The one definition of the stack: which parts there are. Read by the launcher, `status`, `doctor` and the tests."""

from __future__ import annotations

from infra.stack import alertmanager, cassandra, flink, kafka, prometheus, redis
from infra.stack.part import Part
from schemas.errors import NotFoundError
from schemas.settings import Settings


def parts(settings: Settings) -> tuple[Part, ...]:
    """Every part, the slowest to start first."""
    return (
        cassandra.part(settings),
        kafka.part(settings),
        *flink.parts(settings),
        redis.part(settings),
        prometheus.part(settings),
        alertmanager.part(settings),
    )


def part(settings: Settings, name: str) -> Part:
    """The part of that name.

    Raises NotFoundError that lists the names there are.
    """
    known = {part.name: part for part in parts(settings)}
    if name not in known:
        raise NotFoundError(f"the stack has no part {name!r}; its parts are {', '.join(known)}")
    return known[name]
