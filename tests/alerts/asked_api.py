"""The API as a process of its own, and somebody who asks it for features again and again."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec

from schemas.settings import Settings

ASKED_PER_S = 10


@contextlib.contextmanager
def asked_api(settings: Settings, log: Path) -> Iterator[None]:
    """`sluice api` with these settings until the block ends; it is asked from when it answers."""
    ended = threading.Event()
    address = f"http://127.0.0.1:{settings.stack.ports.api}/features/user/nobody"

    def ask() -> None:
        with httpx.Client(timeout=10) as client:
            while not ended.wait(1 / ASKED_PER_S):
                with contextlib.suppress(httpx.TransportError):
                    client.get(address)

    asking = threading.Thread(target=ask, daemon=True)
    command = [sys.executable, "-m", "infra.bench.api_child"]
    with log.open("wb") as said, subprocess.Popen(command, stdin=subprocess.PIPE, stdout=said, stderr=said) as process:
        try:
            assert process.stdin is not None
            process.stdin.write(msgspec.json.encode(settings) + b"\n")
            process.stdin.flush()
            asking.start()
            yield
        finally:
            ended.set()
            process.kill()
            asking.join()
