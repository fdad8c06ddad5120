"""Redis: the online store. Its append-only file survives a SIGKILL of the process."""

from __future__ import annotations

import re

from infra.stack import install, probe, versions
from infra.stack.home import Home
from infra.stack.part import LOOPBACK, Part
from schemas.settings import Settings

MEMORY_MB = 512
REWRITE_FROM = "256mb"
# The second line of INFO's first section.
VERSION_WITHIN_BYTES = 256


def part(settings: Settings) -> Part:
    """The online store."""
    home, port = Home.of(settings), settings.stack.ports.redis

    def command() -> list[str]:
        options = {
            "bind": LOOPBACK,
            "port": str(port),
            "dir": str(home.data("redis")),
            "appendonly": "yes",
            "save": "",
            # Each payment adds kilobytes: from the default of 64 MiB it would be rewritten every few seconds.
            "auto-aof-rewrite-min-size": REWRITE_FROM,
            "daemonize": "no",
            # Writing a title would overwrite the environment that marks the process as ours.
            "set-proc-title": "no",
        }
        return [
            str(install.program("redis-server")),
            *(word for key, value in options.items() for word in (f"--{key}", value)),
        ]

    return Part(
        name="redis",
        service="redis",
        version=versions.REDIS,
        ports={"clients": port},
        programs=("redis-server",),
        memory_mb=MEMORY_MB,
        prepare=lambda: home.data("redis").mkdir(parents=True, exist_ok=True),
        command=command,
        probe=lambda _: probe.exchange(port, b"PING\r\n", b"+PONG"),
        says_version=lambda _: _version(port),
    )


def _version(port: int) -> str | None:
    try:
        answer = probe.first_bytes(port, b"INFO server\r\n", VERSION_WITHIN_BYTES)
    except OSError:
        return None
    found = re.search(rb"^redis_version:([0-9.]+)\r$", answer, re.MULTILINE)
    return found[1].decode() if found else None
