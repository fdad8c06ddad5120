"""The API as a process of its own, and somebody who asks it for features again and again."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import httpx

from infra.bench import endpoint
from schemas.settings import Settings

ASKED_PER_S = 10


@contextlib.contextmanager
def asked_api(settings: Settings) -> Iterator[None]:
    """`sluice api` with these settings, asked until the block ends."""
    ended = threading.Event()

    def ask(address: str) -> None:
        with httpx.Client(timeout=10) as client:
            while not ended.wait(1 / ASKED_PER_S):
                with contextlib.suppress(httpx.TransportError):
                    client.get(address)

    with endpoint.api(settings) as port:
        asking = threading.Thread(target=ask, args=[f"http://127.0.0.1:{port}/features/user/nobody"], daemon=True)
        asking.start()
        try:
            yield
        finally:
            ended.set()
            asking.join()
