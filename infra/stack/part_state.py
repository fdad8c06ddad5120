"""How each part of the stack is."""

from __future__ import annotations

from dataclasses import dataclass

from infra.stack import process, topology
from infra.stack.home import Home
from schemas.settings import Settings


@dataclass(frozen=True)
class PartState:
    """A part; `problem` is None when it is healthy. The process fields are None when it does not run.

    `version` is what the part says of itself, or else, with `version_said` false, that of the stack's definition.
    """

    name: str
    version: str
    port: int
    problem: str | None
    pid: int | None = None
    memory_mb: float | None = None
    started_s: float | None = None
    version_said: bool = False


def parts(settings: Settings) -> list[PartState]:
    """The state of every part, in the order of the topology."""
    home = Home.of(settings)
    states = []
    for part in topology.parts(settings):
        running = process.find(home, part.name)
        if running is None:
            states.append(PartState(part.name, part.version, part.port, "not running"))
            continue
        memory_mb = process.rss_mb(running)
        problem = part.probe(running)
        said = None if problem else part.says_version(running)
        states.append(
            PartState(
                part.name,
                said or part.version,
                part.port,
                problem,
                running.pid,
                memory_mb,
                running.started_s,
                version_said=said is not None,
            )
        )
    return states
