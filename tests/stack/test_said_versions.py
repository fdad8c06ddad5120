"""`sluice status` shows the version that a part says of itself; that of the definition is marked as such."""

from __future__ import annotations

import contextlib
import http.server
import json
import socket
import struct
import subprocess
import sys
import threading

import pytest
from click.testing import CliRunner

from infra.cli.status import command as status
from infra.stack import alertmanager, cassandra, flink, part_state, prometheus, redis, topology
from infra.stack import process as process_file
from infra.stack.part import Running
from infra.stack.part_state import PartState
from infra.stack.process import jar_version
from schemas.settings import Ports, Settings, Stack
from tests.ports import free_port

NOBODY = Running("x", 0, 0.0)


def at(**ports: int) -> Settings:
    return Settings(stack=Stack(ports=Ports(**ports)))


@pytest.fixture
def answering():
    """A port that answers each request with the next of these bytes; without any left it closes."""
    servers = []

    def start(*answers: bytes) -> int:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                for answer in answers:
                    connection.recv(4096)
                    connection.sendall(answer)
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_WR)
                    connection.recv(4096)

        threading.Thread(target=serve, daemon=True).start()
        return server.getsockname()[1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def answering_http():
    servers = []

    def start(paths: dict[str, object]) -> int:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200 if self.path in paths else 404)
                self.end_headers()
                self.wfile.write(json.dumps(paths.get(self.path)).encode())

            def log_message(self, *words):
                """Keep quiet."""

        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return servers[-1].server_port

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


INFO = b"$150\r\n# Server\r\nredis_version:7.0.15\r\nredis_git_sha1:00000000\r\n"


@pytest.mark.parametrize(
    ("answer", "version"), [(INFO, "7.0.15"), (b"-NOAUTH Authentication required.\r\n", None), (b"", None)]
)
def test_redis_is_asked_by_info(answering, answer, version):
    assert redis.part(at(redis=answering(answer))).says_version(NOBODY) == version


def frame(opcode: int, body: bytes = b"", version: int = 0x84) -> bytes:
    return struct.pack(">BBhBi", version, 0, 0, opcode, len(body)) + body


def text(word: bytes) -> bytes:
    return struct.pack(">H", len(word)) + word


def rows(value: bytes) -> bytes:
    """A RESULT of one row of one column, as the specification has it."""
    column = text(b"system") + text(b"local") + text(b"release_version") + struct.pack(">H", 13)
    return struct.pack(">iii", 2, 1, 1) + column + struct.pack(">ii", 1, len(value)) + value


@pytest.mark.parametrize(
    ("answers", "version"),
    [
        ((frame(2), frame(8, rows(b"5.0.9"))), "5.0.9"),
        ((frame(2), frame(8, rows(b"5.1-beta2-SNAPSHOT"))), "5.1-beta2-SNAPSHOT"),
        ((frame(2), frame(8, struct.pack(">i", 1))), None),
        ((frame(0, b"\0\0\0\0\0\3bad"),), None),
        ((frame(2), frame(8, rows(b"5.0.9"), version=0x85)), None),
        ((frame(2), frame(8, rows(b"5.0.9"))[:-2]), None),
        ((), None),
    ],
)
def test_cassandra_is_asked_by_its_native_protocol(answering, answers, version, monkeypatch):
    monkeypatch.setattr("infra.stack.probe.TIMEOUT_S", 0.5)
    assert cassandra.part(at(cassandra=answering(*answers))).says_version(NOBODY) == version


def test_what_speaks_http_is_asked_over_http(answering_http):
    port = answering_http(
        {
            "/api/v1/status/buildinfo": {"status": "success", "data": {"version": "2.42.0"}},
            "/api/v2/status": {"versionInfo": {"version": "0.25.0"}},
            "/overview": {"flink-version": "2.3.0"},
        }
    )
    job_manager = flink.parts(at(flink_rest=port))[0]
    asked = (prometheus.part(at(prometheus=port)), alertmanager.part(at(alertmanager=port)), job_manager)
    assert [part.says_version(NOBODY) for part in asked] == ["2.42.0", "0.25.0", "2.3.0"]


@pytest.mark.parametrize("answer", [None, [], {"data": "2.42.0"}, {"data": {"version": 2}}])
def test_another_answer_over_http_says_nothing(answering_http, answer):
    port = answering_http({"/api/v1/status/buildinfo": answer})
    assert prometheus.part(at(prometheus=port)).says_version(NOBODY) is None


def test_a_part_that_does_not_answer_says_nothing():
    for make in (redis.part, cassandra.part, prometheus.part, alertmanager.part):
        name = make.__module__.rpartition(".")[2]
        assert make(at(**{name: free_port()})).says_version(NOBODY) is None


@pytest.mark.parametrize(
    ("class_path", "version"),
    [
        ("/lib/kafka-clients-4.3.0.jar:/lib/kafka-server-4.3.1.jar:/lib/kafka-server-common-9.jar", "4.3.1"),
        ("/lib/kafka-server-common-9.jar", None),
    ],
)
def test_a_java_process_is_of_the_version_of_its_jar(class_path, version):
    words = [sys.executable, "-c", "print(flush=True); input()", "-cp", class_path]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        # Its words can be read once it runs.
        process.stdout.readline()
        assert jar_version(Running("kafka", process.pid, 0.0), "kafka-server") == version
        process.kill()
    assert jar_version(Running("kafka", process.pid, 0.0), "kafka-server") is None


@pytest.mark.parametrize(("said", "shown"), [("7.0.15", "7.0.15 "), (None, "7.0 (defined) ")])
def test_the_status_marks_the_version_of_a_part_that_does_not_say(monkeypatch, said, shown):
    part = redis.part(Settings())
    object.__setattr__(part, "probe", lambda _: None)
    object.__setattr__(part, "says_version", lambda _: said)
    monkeypatch.setattr(topology, "parts", lambda _: (part,))
    monkeypatch.setattr(part_state.process, "find", lambda *_: Running("redis", 1, 0.0))
    monkeypatch.setattr(process_file, "rss_mb", lambda _: 1.0)
    (state,) = part_state.parts(Settings())
    assert (state.version, state.version_said) == (said or "7.0", said is not None)
    assert shown in CliRunner().invoke(status, obj=Settings()).stdout


def test_a_part_that_is_down_is_shown_with_the_version_of_the_definition(monkeypatch):
    monkeypatch.setattr(part_state, "parts", lambda _: [PartState("redis", "7.0", 6379, "not running")])
    assert "7.0 (defined)" in CliRunner().invoke(status, obj=Settings()).stdout


@pytest.mark.stack
def test_every_part_of_the_stack_says_the_version_that_was_installed(stack):
    defined = {part.name: part.version for part in topology.parts(stack)}
    states = part_state.parts(stack)
    assert [state.name for state in states if not state.version_said] == []
    assert all(state.version.startswith(defined[state.name]) for state in states)
