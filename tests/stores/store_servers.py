"""Servers that a store test starts for itself: a private Redis, and a gate before any server that can be shut."""

from __future__ import annotations

import contextlib
import selectors
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.ports import free_port


class PrivateRedis:
    """A Redis of the test's own, which it may stop and start again."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = shutil.which("redis-server")
        if program is None:
            pytest.skip("redis-server is missing; `make setup` installs it")
        flags = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder)]
        self._process = subprocess.Popen([program, *flags], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.2):
                return
            assert time.monotonic() < deadline, "the private Redis did not start"
            time.sleep(0.02)

    def age(self, pattern: str, ms: int) -> None:
        """Let so many ms pass for the keys of the pattern: each that has a time to live is left with less of it."""
        with redis.Redis(port=self.port) as client, client.pipeline() as reads, client.pipeline() as writes:
            keys = client.keys(pattern)
            for key in keys:
                reads.pttl(key)
            for key, left_ms in zip(keys, reads.execute(), strict=True):
                if left_ms >= 0:
                    writes.pexpire(key, left_ms - ms)
            writes.execute()

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Gate:
    """A loopback port that passes bytes on to `port`, until it is shut (refuses) or frozen (accepts, stays silent)."""

    def __init__(self, port: int) -> None:
        self.port = free_port()
        self._target = port
        self._frozen = threading.Event()
        self._sockets: list[socket.socket] = []
        self._listener: socket.socket | None = None
        self.open()

    def open(self) -> None:
        self._frozen.clear()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def freeze(self) -> None:
        self._frozen.set()

    def shut(self) -> None:
        for held in [self._listener, *self._sockets]:
            if held is not None:
                with contextlib.suppress(OSError):
                    held.shutdown(socket.SHUT_RDWR)
                held.close()
        self._listener, self._sockets = None, []

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += [near, far]
                threading.Thread(target=self._pass_on, args=(near, far), daemon=True).start()

    def _pass_on(self, near: socket.socket, far: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), selectors.DefaultSelector() as ready, near, far:
            ready.register(near, selectors.EVENT_READ, far)
            ready.register(far, selectors.EVENT_READ, near)
            while True:
                for key, _ in ready.select(0.5):
                    data = key.fileobj.recv(65536)  # type: ignore[union-attr]  # a socket was registered
                    if not data:
                        return
                    if not self._frozen.is_set():
                        key.data.sendall(data)


@contextlib.contextmanager
def gate(port: int) -> Iterator[Gate]:
    held = Gate(port)
    try:
        yield held
    finally:
        held.shut()
