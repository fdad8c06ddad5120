"""The client of the endpoint: paced from a stated instant, asking for all kinds of users, over a connection of its own.

The API is a server of a few lines that closes idle connections sooner than uvicorn.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from infra.bench.asker import RATE, WARM_UP, Asking, Endpoint, drawn, paced
from infra.bench.child import Child
from schemas.errors import PartFailedError

IDLE_S = 0.5
USERS = 1_000
COUNT = 20


class _Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE_S
    disable_nagle_algorithm = True

    def do_GET(self):
        server = self.server
        server.paths.append(self.path)
        if len(server.paths) > server.answers:
            self.close_connection = True
            return
        body = b'{"origin": "list"}' if len(server.paths) <= server.well else b'{"error": "no Redis"}'
        self.send_response(200 if len(server.paths) <= server.well else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextmanager
def api(answers=10_000, well=10_000):
    """A server that answers so many requests, so many of them well."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Api) as server:
        server.daemon_threads = True
        server.paths, server.answers, server.well = [], answers, well
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def client(server):
    with Child("infra.bench.asker", Asking(server.server_port, USERS, COUNT), Endpoint) as child:
        yield child


def begin(child):
    child.tell(str(round(time.time() * 1000) + 50).encode())


def test_requests_are_of_random_users_from_the_start_of_the_load_on():
    asked: list[tuple[float, str]] = []

    def once(user: str) -> str:
        asked.append((time.time(), user))
        return "list" if len(asked) % 2 else "trending"

    begin_s = time.time() + 0.1
    found = paced(once, drawn([f"u{n}" for n in range(1_000)]), begin_s * 1000, 40)
    assert asked[0][0] >= begin_s - 0.01
    assert asked[-1][0] >= begin_s + 39 / RATE - 0.01
    assert (found.answers.count, found.from_list) == (40, 20)
    assert found.users == len({user for _, user in asked}) > 30
    assert [user for _, user in asked] != sorted(user for _, user in asked)


def test_a_client_that_waited_longer_than_its_connection_was_kept_asks_all_the_same():
    with api() as server, client(server) as child:
        child.wait_ready(60)
        time.sleep(3 * IDLE_S)
        begin(child)
        found = child.result(60)
    assert (found.answers.count, found.from_list) == (COUNT, COUNT)
    assert len(server.paths) == WARM_UP + COUNT
    assert all(path.startswith("/recommendations/bench-") for path in server.paths)


def test_an_api_that_breaks_off_is_told_in_one_line():
    with api(answers=WARM_UP + 5) as server, client(server) as child:
        child.wait_ready(60)
        begin(child)
        with pytest.raises(PartFailedError, match=r"GET /recommendations at 127.0.0.1:\d+: .*closed.*") as failure:
            child.result(60)
    assert "\n" not in str(failure.value)


def test_an_api_that_is_not_there_is_told_in_one_line():
    with api() as server:
        gone = server
    with client(gone) as child, pytest.raises(PartFailedError, match=r"GET /recommendations .*refused"):
        child.wait_ready(60)


def test_a_refusal_is_told_with_its_status():
    with api(well=WARM_UP + 3) as server, client(server) as child:
        child.wait_ready(60)
        begin(child)
        with pytest.raises(PartFailedError, match=r"answered 503: .*no Redis"):
            child.result(60)
