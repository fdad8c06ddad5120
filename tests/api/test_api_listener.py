"""The API's socket, and what serves on it."""

import http.client
import socket
import statistics
import sys
import threading
import time
from contextlib import contextmanager

import pytest
import uvicorn

from infra.cli import api


async def short_answer(scope, _receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"{}"})


@contextmanager
def served(listener, loop="auto"):
    """Uvicorn on the socket; gives its settings."""
    config = uvicorn.Config(short_answer, log_level="warning", access_log=False, lifespan="off", loop=loop)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield config
    finally:
        server.should_exit = True
        thread.join(10)


def test_answers_do_not_wait_for_an_acknowledgement():
    with api._bound(0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


@pytest.mark.parametrize("loop", ["auto", "asyncio"])
def test_a_short_answer_comes_at_once(loop):
    taken_s = []
    with api._bound(0) as listener, served(listener, loop):
        client = http.client.HTTPConnection(*listener.getsockname(), timeout=10)
        for _ in range(60):
            begun_s = time.perf_counter()
            client.request("GET", "/")
            client.getresponse().read()
            taken_s.append(time.perf_counter() - begun_s)
        client.close()
    # A client acknowledges at once in its first requests, and 40 ms late from then on.
    assert statistics.median(taken_s[20:]) < 0.035


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop is not made for Windows")
def test_requests_are_parsed_and_waited_for_by_compiled_code():
    with api._bound(0) as listener, served(listener) as config:
        client = http.client.HTTPConnection(*listener.getsockname(), timeout=10)
        client.request("GET", "/")
        client.getresponse().read()
        client.close()
    assert config.http_protocol_class.__module__ == "uvicorn.protocols.http.httptools_impl"
    assert config.get_loop_factory().__module__.startswith("uvloop")
