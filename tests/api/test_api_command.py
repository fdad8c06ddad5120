"""`sluice api`: a real server on loopback, with the control topic of the running stack, without its stores."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest

from infra import control_topic, wished_stop
from tests.ports import free_port


@contextlib.contextmanager
def started(folder, *ports):
    """The server in a folder whose settings name these ports; yields its address."""
    api, redis, cassandra = ports
    text = f"[stack.ports]\napi = {api}\nredis = {redis}\ncassandra = {cassandra}\n[redis]\ntimeout_ms = 300\n"
    with serving_with(folder, text, api) as found:
        yield found


@contextlib.contextmanager
def serving_with(folder, text, api):
    """The server in a folder with these settings; yields its process and its address."""
    (folder / "sluice.toml").write_text(text)
    process = subprocess.Popen(
        [sys.executable, "-c", "from infra.cli import main; main()", "api"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process, f"http://127.0.0.1:{api}"
    finally:
        process.kill()
        process.communicate()


def answered(address, path):
    deadline = time.monotonic() + 60
    while True:
        with contextlib.suppress(httpx.ConnectError):
            return httpx.get(address + path, timeout=30)
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.1)


def stopped_ms(given):
    """When `control` was last told that somebody ended the API, 0 = never."""
    told = [r.event_time_ms for r in control_topic.current(given.kafka).values() if r.name == wished_stop.flag("api")]
    return max(told, default=0)


@pytest.mark.stack
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_the_server_starts_without_its_stores_says_so_and_a_wished_end_is_told(stack, tmp_path, ending):
    before = stopped_ms(stack)
    with started(tmp_path, free_port(), free_port(), free_port()) as (process, address):
        health = answered(address, "/health")
        assert health.status_code == 503
        assert health.json()["status"] == "down"
        fallback = httpx.get(f"{address}/features/user/u1?fallback=true").json()
        assert fallback["origin"] == "fallback"
        assert fallback["feature_set"]
        assert "Cassandra at" in httpx.get(f"{address}/decisions/e1").json()["error"]
        with httpx.stream("GET", f"{address}/live", timeout=30) as page:
            # An open console must not hold it up.
            assert next(page.iter_lines()).startswith("event: ")
            process.send_signal(ending)
            assert process.wait(timeout=60) == 0
    # ProcessDown stays silent for it.
    assert stopped_ms(stack) > before


def test_a_port_that_is_taken_is_named_with_its_holder(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with started(tmp_path, port, free_port(), free_port()) as (process, _):
            _, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert error.startswith(f"sluice: port {port} (api) is taken by pid ")
    assert error.count("\n") == 1


@pytest.mark.parametrize("value", ["0", "65536", "http"])
def test_a_bad_port_is_refused(tmp_path, value):
    done = subprocess.run(
        [sys.executable, "-c", "from infra.cli import main; main()", "api", "--port", value],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "--port" in done.stderr
