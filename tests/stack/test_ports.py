"""A port that can not be bound is refused by its cause: somebody holds it, or this user may not have it."""

from __future__ import annotations

import errno
import socket

import pytest
from stack_parts import server

from infra.cli import alerts, api, learn
from infra.stack import doctor, ports
from infra.stack.part_state import PartState
from schemas.errors import PortInUseError, SettingsError
from schemas.settings import Learn, Ports, Settings, Stack
from tests.ports import free_port

ROOTS = "can not be bound: Permission denied.* \\(ports below 1024 are root's\\); "


@pytest.fixture
def no_root(monkeypatch):
    """This user may bind no port at all."""

    def refuse(*_args, **_more):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket, "create_server", refuse)
    monkeypatch.setattr(socket.socket, "bind", refuse)


# How each command binds its port.
BIND = {
    "api": api._bound,
    "alerts": lambda port: alerts._bound("127.0.0.1", port),
    "metrics of the learners": lambda port: learn._serve(learn.ProcessMetrics(), Learn(port=port, processes=1)),
}


@pytest.mark.usefixtures("no_root")
@pytest.mark.parametrize("use", BIND)
def test_a_port_of_root_is_no_taken_port(use):
    with pytest.raises(SettingsError, match=rf"^port 80 \({use}\) {ROOTS}(give another|set \[stack.ports\])"):
        BIND[use](80)


@pytest.mark.parametrize("use", BIND)
def test_a_taken_port_is_named_though_its_holder_can_not_be_seen(monkeypatch, use):
    monkeypatch.setattr(ports, "holder", lambda _: None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortInUseError, match=rf"^port {port} \({use}\) is taken by a process of another user"):
            BIND[use](port)


@pytest.mark.usefixtures("no_root")
def test_the_stack_says_that_a_port_is_roots():
    with pytest.raises(SettingsError, match=rf"^port 80 \(one http\) {ROOTS}set \[stack.ports\]"):
        ports.require_free([server("one", 80)])


@pytest.mark.usefixtures("no_root")
def test_the_doctor_says_so_too(tmp_path):
    settings = Settings(stack=Stack(home=str(tmp_path), ports=Ports(redis=80)))
    _, finding = doctor._parts(settings, [PartState("redis", "7", 80, "not running")])
    assert finding.what.startswith("port 80 (redis")
    assert finding.mend == "set [stack.ports] in sluice.toml"


def test_free_ports_are_free():
    ports.require_free([server("one", free_port()), server("two", free_port())])
