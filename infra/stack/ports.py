"""Who holds a loopback port."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable

import psutil

from infra.stack.part import LOOPBACK, Part
from schemas.errors import PortInUseError

GRACE_S = 5.0


def require_free(parts: Iterable[Part]) -> None:
    """Every port of these parts can be bound.

    Raises PortInUseError that names each busy port with the process that holds it.
    """
    wanted = [(part.name, use, port) for part in parts for use, port in part.ports.items()]
    # A killed JVM is dead at once, but the kernel takes a moment to tear down its memory and close its ports.
    deadline = time.monotonic() + GRACE_S
    while busy := [(name, use, port) for name, use, port in wanted if not _bindable(port)]:
        holders = {port: holder(port) for _, _, port in busy}
        if any(holders.values()) or time.monotonic() > deadline:
            said = (
                f"port {port} ({name} {use}) is taken by {holders[port] or _unknown(port)}" for name, use, port in busy
            )
            raise PortInUseError(f"{'; '.join(said)}. Stop it, or set [stack.ports] in sluice.toml")
        time.sleep(0.1)


def holder(port: int) -> str | None:
    """The process that listens on the port, its pid and command line; None when it can not be seen."""
    try:
        for connection in psutil.net_connections(kind="tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                command = " ".join(psutil.Process(connection.pid).cmdline())
                return f"pid {connection.pid}: {command[:100].strip()}" if command else None
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        return None
    return None


def _unknown(port: int) -> str:
    return f"a process of another user (find it with: sudo ss -ltnp 'sport = :{port}')"


def _bindable(port: int) -> bool:
    with socket.socket() as probe:
        # Connections of an earlier run that linger in TIME_WAIT do not make a port busy.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
