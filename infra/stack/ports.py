"""Why a port can not be bound, and who holds it."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterable

import psutil

from infra.stack.part import LOOPBACK, Part
from schemas.errors import PortInUseError, SettingsError

GRACE_S = 5.0
WAY_OUT = "set [stack.ports] in sluice.toml"


def require_free(parts: Iterable[Part]) -> None:
    """Every port of these parts can be bound.

    Raises PortInUseError that names each busy port with the process that holds it, SettingsError for one that nobody
    holds and this user may not have.
    """
    wanted = [(part.name, use, port) for part in parts for use, port in part.ports.items()]
    # A killed JVM is dead at once, but the kernel takes a moment to tear down its memory and close its ports.
    deadline = time.monotonic() + GRACE_S
    while busy := [(name, use, port) for name, use, port in wanted if not _free(port, f"{name} {use}")]:
        holders = {port: holder(port) for _, _, port in busy}
        if any(holders.values()) or time.monotonic() > deadline:
            said = (_taken(port, f"{name} {use}", holders[port]) for name, use, port in busy)
            raise PortInUseError(f"{'; '.join(said)}. Stop it, or {WAY_OUT}")
        time.sleep(0.1)


def refused(port: int, use: str, error: OSError, way_out: str) -> PortInUseError | SettingsError:
    """What to raise where `use` could not bind the port; `way_out` says where another port is given."""
    if error.errno == errno.EADDRINUSE:
        return PortInUseError(f"{_taken(port, use, holder(port))}. Stop it, or {way_out}")
    hint = " (ports below 1024 are root's)" if error.errno == errno.EACCES else ""
    return SettingsError(f"port {port} ({use}) can not be bound: {error.strerror}{hint}; {way_out}")


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


def _taken(port: int, use: str, by: str | None) -> str:
    unknown = f"a process of another user (find it with: sudo ss -ltnp 'sport = :{port}')"
    return f"port {port} ({use}) is taken by {by or unknown}"


def _free(port: int, use: str) -> bool:
    """Nobody holds the port. Raises SettingsError when it can not be bound for another reason."""
    with socket.socket() as probe:
        # Connections of an earlier run that linger in TIME_WAIT do not make a port busy.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise refused(port, use, error, WAY_OUT) from error
    return True
