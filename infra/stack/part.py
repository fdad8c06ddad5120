"""What the launcher, `status`, `doctor` and docker-compose.yml must know of a part of the stack."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Running:
    """A live process of the stack; `started_s` is seconds since the epoch."""

    part: str
    pid: int
    started_s: float


@dataclass(frozen=True, kw_only=True)
class Part:
    """One process of the stack.

    `ports` are the loopback ports it listens on, by what they serve; the first is its own. `programs` and `jars`
    (profiles of infra/pom.xml) must be installed before `prepare` writes its configuration and data folder and
    before `command` is asked for. `probe` gives the reason why it is not healthy, or None. `version` is the one that
    is installed; `says_version` gives what a healthy part says of itself, None when it does not.
    `service` is its name in docker-compose.yml, shared by equal parts. `niceness` is how far it stands back from the
    others once it is healthy.
    """

    name: str
    service: str
    version: str
    ports: Mapping[str, int]
    programs: tuple[str, ...]
    memory_mb: int
    prepare: Callable[[], None]
    command: Callable[[], list[str]]
    probe: Callable[[Running], str | None]
    says_version: Callable[[Running], str | None] = lambda _: None
    jars: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    stop_timeout_s: float = 20.0
    niceness: int = 0

    @property
    def port(self) -> int:
        """The port a client uses."""
        return next(iter(self.ports.values()))


def class_path(*jars: Path) -> str:
    """Jars in the order given, as one Java class path."""
    return ":".join(str(jar) for jar in jars)
