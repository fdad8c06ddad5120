"""Processes of the stack: found again after any accident, and gone after the end."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from infra.stack import process
from infra.stack.home import Home
from infra.stack.part import Running
from tests.stack.stack_parts import PARENT, STUBBORN

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path)
    yield home
    for running in process.find_all(home):
        process.end(home, running, 0)


def test_a_part_is_found_again_by_its_pid_file(home):
    started = process.spawn(home, "redis", SLEEP, {})
    assert process.find(home, "redis") == started
    assert process.find(home, "kafka") is None


def test_a_part_whose_starter_died_before_writing_the_pid_file_is_found(home):
    started = process.spawn(home, "redis", SLEEP, {})
    home.pid("redis").unlink()
    # When it started is read again, and the clock may have been set since.
    found = process.find(home, "redis")
    assert found is not None
    assert (found.part, found.pid) == ("redis", started.pid)
    assert [running.pid for running in process.find_all(home)] == [started.pid]


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"pid": "x", "started_s": 1}', '{"pid": 1}'])
def test_a_damaged_pid_file_is_no_part(home, content):
    home.pid("redis").parent.mkdir(parents=True)
    home.pid("redis").write_text(content)
    assert process.find(home, "redis") is None


def test_a_recycled_pid_is_never_taken_for_a_part(home):
    other = subprocess.Popen(SLEEP)
    try:
        home.pid("redis").parent.mkdir(parents=True)
        earlier = psutil.Process(other.pid).create_time() - 10
        home.pid("redis").write_text(json.dumps({"pid": other.pid, "started_s": earlier}))
        assert process.find(home, "redis") is None
        assert process.find_all(home) == []
    finally:
        other.kill()
        other.wait()


def test_two_homes_do_not_see_each_other(home, tmp_path_factory):
    process.spawn(home, "redis", SLEEP, {})
    assert process.find_all(Home(tmp_path_factory.mktemp("other"))) == []


def test_a_home_whose_name_begins_like_another_is_another(home):
    process.spawn(home, "redis", SLEEP, {})
    assert process.find_all(Home(Path(str(home.root)[:-1]))) == []


def test_a_killed_part_is_not_alive_though_nobody_reaped_it(home):
    started = process.spawn(home, "redis", SLEEP, {})
    os.kill(started.pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while process.alive(started) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not process.alive(started)
    assert process.find(home, "redis") is None


def test_the_end_takes_the_children_along(home):
    started = process.spawn(home, "parent", [sys.executable, "-c", PARENT], {})
    child = Running("child", *_first_pid(home, "parent"))
    process.end(home, started, 5)
    assert not process.alive(started)
    assert _gone(child)
    assert not home.pid("parent").exists()


def test_a_part_that_ignores_sigterm_is_killed_after_the_timeout(home):
    started = process.spawn(home, "deaf", [sys.executable, "-c", STUBBORN], {})
    _wait_for_log(home, "deaf")
    begun = time.monotonic()
    process.end(home, started, 0.5)
    assert 0.4 < time.monotonic() - begun < 30
    assert not process.alive(started)


def test_a_log_over_the_limit_is_set_aside(home, monkeypatch):
    monkeypatch.setattr(process, "MAX_LOG_BYTES", 10)
    home.log("redis").parent.mkdir(parents=True)
    home.log("redis").write_text("x" * 11)
    process.spawn(home, "redis", SLEEP, {})
    assert home.log("redis").with_suffix(".log.1").read_text() == "x" * 11
    assert home.log("redis").read_text() == ""


def _first_pid(home, name):
    _wait_for_log(home, name)
    pid = int(home.log(name).read_text().split()[0])
    return pid, psutil.Process(pid).create_time()


def _wait_for_log(home, name):
    deadline = time.monotonic() + 30
    while not home.log(name).read_text().endswith("\n") and time.monotonic() < deadline:
        time.sleep(0.02)


def _gone(running):
    deadline = time.monotonic() + 30
    while process.alive(running) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not process.alive(running)
