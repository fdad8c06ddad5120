"""Cassandra's own word on its release, by CQL's native protocol v4 alone: `status` opens no driver for one word.

Source of the frames: native_protocol_v4.spec of Apache Cassandra.
"""

from __future__ import annotations

import socket
import struct

from infra.stack import probe
from infra.stack.part import LOOPBACK

QUERY = b"SELECT release_version FROM system.local"
# Version 4, no flags, stream 0, then the opcode and the length of the body.
_HEAD = struct.Struct(">BBhBi")
_REQUEST, _ANSWER = 0x04, 0x84
_STARTUP, _READY, _QUERY, _RESULT = 0x01, 0x02, 0x07, 0x08
_CONSISTENCY_ONE = 1
# An answer of one short value is far below this.
MAX_BODY_BYTES = 4096
_COUNT, _INT = struct.Struct(">H"), struct.Struct(">i")


def release(port: int) -> str | None:
    """The release that serves the loopback port; None when it does not say."""
    options = _COUNT.pack(1) + _string(b"CQL_VERSION") + _string(b"3.0.0")
    query = _INT.pack(len(QUERY)) + QUERY + struct.pack(">HB", _CONSISTENCY_ONE, 0)
    try:
        with socket.create_connection((LOOPBACK, port), timeout=probe.TIMEOUT_S) as connection:
            connection.settimeout(probe.TIMEOUT_S)
            if _ask(connection, _STARTUP, options, _READY) is None:
                return None
            body = _ask(connection, _QUERY, query, _RESULT)
    except OSError:
        return None
    return None if body is None else only_value(body)


def only_value(body: bytes) -> str | None:
    """The value of a RESULT body with one row of one text column, which stands last: its length, then itself."""
    for length in range(1, min(len(body) - _INT.size, 64) + 1):
        start = len(body) - length
        if _INT.unpack_from(body, start - _INT.size)[0] == length:
            return body[start:].decode("ascii", "replace")
    return None


def _ask(connection: socket.socket, opcode: int, body: bytes, wanted: int) -> bytes | None:
    connection.sendall(_HEAD.pack(_REQUEST, 0, 0, opcode, len(body)) + body)
    version, _, _, answered, length = _HEAD.unpack(_exactly(connection, _HEAD.size))
    if (version, answered) != (_ANSWER, wanted) or not 0 <= length <= MAX_BODY_BYTES:
        return None
    return _exactly(connection, length)


def _exactly(connection: socket.socket, count: int) -> bytes:
    """So many bytes; OSError when the other side closes before."""
    found = b""
    while len(found) < count:
        piece = connection.recv(count - len(found))
        if not piece:
            raise ConnectionResetError("closed within an answer")
        found += piece
    return found


def _string(text: bytes) -> bytes:
    return _COUNT.pack(len(text)) + text
