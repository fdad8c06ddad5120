"""Several learning processes on one machine, with the same settings."""

from __future__ import annotations

import socket
import urllib.request

import pytest

from infra.cli.learn import _serve
from infra.stack import prometheus
from online_learning.process_metrics import ProcessMetrics
from schemas.errors import PortInUseError
from schemas.settings import Learn, Settings


def _two_free_ports() -> int:
    """The first of two ports in a row that nobody has."""
    for first in range(21_500, 22_500, 2):
        with socket.socket() as one, socket.socket() as other:
            try:
                one.bind(("127.0.0.1", first))
                other.bind(("127.0.0.1", first + 1))
            except OSError:
                continue
            return first
    raise AssertionError("no free ports")


def test_a_second_process_takes_the_next_port_and_a_third_is_refused_by_name() -> None:
    given = Learn(port=_two_free_ports(), processes=2)
    servers = [_serve(ProcessMetrics(), given) for _ in range(2)]
    try:
        assert [server.server_port for server in servers] == list(given.ports)
        for port in given.ports:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                assert b"sluice_learner_beat_seconds" in answer.read()
        with pytest.raises(PortInUseError, match=rf"port {given.port + 1} .*more `learn.processes`"):
            _serve(ProcessMetrics(), given)
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


def test_prometheus_asks_each_port_that_a_learning_process_may_have() -> None:
    found = prometheus.configuration(Settings(learn=Learn(port=8001, processes=3)))
    (learn,) = (config for config in found["scrape_configs"] if config["job_name"] == "learn")
    (addresses,) = learn["static_configs"]
    assert addresses["targets"] == ["127.0.0.1:8001", "127.0.0.1:8002", "127.0.0.1:8003"]


def test_ports_of_learning_processes_end_where_ports_do() -> None:
    assert list(Learn(port=65_534, processes=2).ports) == [65_534, 65_535]
    with pytest.raises(ValueError, match=r"port 65536 of learn.processes is above 65535; set learn.port lower"):
        Learn(port=65_534, processes=3)
