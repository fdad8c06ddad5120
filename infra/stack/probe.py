"""Questions that tell whether a part answers: each gives the reason why not, or None."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any

from infra.stack.part import LOOPBACK

# A part that is not there refuses at once; only one that is busy is waited for.
TIMEOUT_S = 10.0


def exchange(port: int, request: bytes, expected: bytes) -> str | None:
    """Send the request to a loopback port: the answer must hold the expected bytes in its first 64 bytes."""
    try:
        answer = first_bytes(port, request, 64)
    except OSError as error:
        return f"port {port}: {error}"
    return None if expected in answer else f"port {port} answered {answer[:32]!r}"


def first_bytes(port: int, request: bytes, count: int) -> bytes:
    """The first bytes, at most `count`, of what a loopback port answers; OSError when it does not."""
    with socket.create_connection((LOOPBACK, port), timeout=TIMEOUT_S) as connection:
        connection.settimeout(TIMEOUT_S)
        connection.sendall(request)
        return connection.recv(count)


def opens(port: int) -> str | None:
    """The loopback port takes connections."""
    try:
        socket.create_connection((LOOPBACK, port), timeout=TIMEOUT_S).close()
    except OSError as error:
        return f"port {port}: {error}"
    return None


def http(port: int, path: str) -> str | None:
    """A GET answers 200."""
    try:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}{path}", timeout=TIMEOUT_S):
            return None
    except OSError as error:
        return f"port {port}{path}: {error}"


def word(port: int, path: str, *keys: str) -> str | None:
    """The text under these keys of the JSON that a GET answers; None when there is none."""
    try:
        found = get_json(f"http://{LOOPBACK}:{port}{path}")
    except (OSError, HTTPException, ValueError):
        return None
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, str) else None


def get_json(url: str, timeout_s: float = TIMEOUT_S) -> Any:
    """The JSON a GET answers; OSError when it can not be had."""
    with urllib.request.urlopen(url, timeout=timeout_s) as answer:  # noqa: S310  the address is a setting
        return json.load(answer)
