"""Who holds a loopback port."""

from __future__ import annotations

import socket
from collections.abc import Iterable

import psutil

from infra.stack.part import LOOPBACK, Part
from schemas.errors import PortInUseError


def require_free(parts: Iterable[Part]) -> None:
    """Every port of these parts can be bound.

    Raises PortInUseError that names each busy port with the process that holds it.
    """
    busy = [
        f"port {port} ({part.name} {use}) is taken by {holder(port)}"
        for part in parts
        for use, port in part.ports.items()
        if not _bindable(port)
    ]
    if busy:
        raise PortInUseError(f"{'; '.join(busy)}. Stop it, or set [stack.ports] in sluice.toml")


def holder(port: int) -> str:
    """The process that listens on the port: its pid and command line."""
    try:
        for connection in psutil.net_connections(kind="tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                command = " ".join(psutil.Process(connection.pid).cmdline())
                return f"pid {connection.pid}: {command[:100]}"
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        pass
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
