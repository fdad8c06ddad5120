"""GET /live on a real server: everything at first, then what has changed, to at most so many and only to who reads."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import time

import httpx
import pytest
from api_builders import NOW_MS, app
from console_scene import fill
from page_server import serving

from schemas import codec
from schemas.topics import DECISIONS
from serving.api import live
from serving.api.live import Streams
from serving.console.console import SECTIONS, Console
from tests.decisions import decision


def now_ms():
    return time.time_ns() // 1_000_000


@contextlib.contextmanager
def followed(address):
    """The events of the stream as (name, value), as they come."""

    def events(response):
        name = None
        for line in response.iter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield name, json.loads(line.removeprefix("data: "))

    with httpx.stream("GET", f"{address}/live", timeout=20) as response:
        assert response.headers["content-type"] == "text/event-stream"
        yield events(response)


def test_a_reader_gets_every_section_and_then_what_changes():
    console = Console(lambda: NOW_MS)
    with (
        serving(app(console=console, streams=Streams(pytest.fail, tick_s=0.02))) as address,
        followed(address) as events,
    ):
        assert [name for name, _ in itertools.islice(events, len(SECTIONS))] == list(SECTIONS)
        console.take(DECISIONS.name, codec.encode(decision("d1", user_id="u9")), live=True)
        name, shown = next(events)
        assert (name, shown[0]["event_id"], shown[0]["user_id"]) == ("decisions", "d1", "u9")


def test_a_reader_that_takes_nothing_is_dropped_by_name():
    console, said = Console(now_ms), []
    fill(console, now_ms())
    streams = Streams(said.append, tick_s=0.001, slow_s=0.3)
    with serving(app(console=console, streams=streams, clock=now_ms)) as address:
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as lazy:
            lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            lazy.sendall(b"GET /live HTTP/1.1\r\nhost: x\r\n\r\n")
            name = "{}:{}".format(*lazy.getsockname())
            for number in itertools.count():
                console.take(DECISIONS.name, codec.encode(decision(f"d{number}")), live=False)
                if said:
                    break
                time.sleep(0.001)
        assert said == [f"console reader {name} took nothing for 0.3 s and was dropped"]
        measured = httpx.get(f"{address}/metrics").text
    assert "sluice_api_live_dropped_total 1.0" in measured
    assert "sluice_api_live_readers 0.0" in measured
    assert 'route="/live"' not in measured


def test_one_reader_too_many_is_refused_with_the_way_out(monkeypatch):
    monkeypatch.setattr(live, "MAX_STREAMS", 1)
    streams = Streams(pytest.fail, tick_s=0.02)
    with serving(app(streams=streams)) as address:
        with followed(address) as events:
            next(events)
            refused = httpx.get(f"{address}/live")
            assert refused.status_code == 503
            assert refused.json() == {"error": "1 pages are open already", "way_out": "close one of them"}
        while streams.open:
            time.sleep(0.01)
        with followed(address) as events:
            assert next(events)[0] == SECTIONS[0]


def test_streams_end_when_the_server_is_to_stop():
    streams = Streams(pytest.fail, tick_s=0.02)
    with serving(app(streams=streams)) as address, followed(address) as events:
        next(events)
        streams.end()
        assert len(list(events)) == len(SECTIONS) - 1
