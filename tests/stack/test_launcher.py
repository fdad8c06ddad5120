"""The launcher on small real processes: idempotent, whole or nothing, and never stopped by an earlier accident."""

import subprocess
import sys
import time
from dataclasses import replace

import pytest

from infra.stack import install, launcher, process, topology
from infra.stack.home import Home
from schemas.errors import MissingPartError, NotFoundError, PartFailedError, PortInUseError
from tests.ports import free_port
from tests.stack.stack_parts import part, server, settings_in


@pytest.fixture
def stack(tmp_path, monkeypatch):
    """A stack of two small servers; its parts can be replaced."""
    settings = settings_in(tmp_path)
    parts = [server("one", free_port()), server("two", free_port())]
    monkeypatch.setattr(topology, "parts", lambda _: tuple(parts))
    yield settings, parts
    launcher.down(settings)


def test_up_waits_until_every_part_is_healthy(stack):
    settings, parts = stack
    assert [running.part for running in launcher.up(settings)] == ["one", "two"]
    assert all(part.probe(None) is None for part in parts)


def test_a_second_up_keeps_what_runs(stack):
    settings, _ = stack
    assert launcher.up(settings) == launcher.up(settings)


def test_up_starts_again_only_what_died(stack):
    settings, _ = stack
    before = launcher.up(settings)
    launcher.stop_part(settings, "two", kill=True)
    after = launcher.up(settings)
    assert after[0] == before[0]
    assert after[1].pid != before[1].pid


def test_a_part_that_dies_just_after_it_was_found_is_started_again(stack, monkeypatch):
    settings, _ = stack
    before = launcher.up(settings)
    find = process.find

    def find_then_kill(home, name):
        found = find(home, name)
        if name == "two":
            process.end(home, found, 0)
        return found

    monkeypatch.setattr(process, "find", find_then_kill)
    after = launcher.up(settings)
    assert after[0] == before[0]
    assert process.alive(after[1])


def test_when_a_part_dies_the_log_is_shown_and_what_was_started_is_stopped(stack):
    settings, parts = stack
    parts.append(part("three", "-c", "raise SystemExit('no such disk')", port=free_port()))
    lines = []
    with pytest.raises(PartFailedError, match=r"three ended while it was starting; its log is .*three\.log"):
        launcher.up(settings, lambda name, line: lines.append((name, line)))
    assert ("three", "  no such disk") in lines
    assert process.find_all(Home.of(settings)) == []


def test_a_failing_part_does_not_stop_parts_that_ran_before(stack):
    settings, parts = stack
    before = launcher.up(settings)
    parts.append(part("three", "-c", "raise SystemExit(1)", port=free_port()))
    with pytest.raises(PartFailedError):
        launcher.up(settings)
    assert sorted(running.pid for running in process.find_all(Home.of(settings))) == sorted(r.pid for r in before)


def test_a_part_that_never_answers_fails_in_time(tmp_path, monkeypatch):
    settings = settings_in(tmp_path, start_timeout_s=5)
    deaf = part("deaf", "-c", "import time; time.sleep(600)", port=free_port())
    monkeypatch.setattr(topology, "parts", lambda _: (deaf,))
    with pytest.raises(PartFailedError, match=r"deaf not healthy after 5 s \(port \d+: .*refused"):
        launcher.up(settings)
    assert process.find_all(Home.of(settings)) == []


def test_a_busy_port_is_named_with_its_holder_and_nothing_is_started(stack):
    settings, parts = stack
    holder = subprocess.Popen([sys.executable, "-m", "http.server", "-b", "127.0.0.1", str(parts[1].port)])
    try:
        while parts[1].probe(None) is not None:
            time.sleep(0.05)
        with pytest.raises(
            PortInUseError, match=rf"port {parts[1].port} \(two http\) .* pid {holder.pid}: .*http.server"
        ):
            launcher.up(settings)
        assert process.find_all(Home.of(settings)) == []
    finally:
        holder.kill()
        holder.wait()


def test_an_up_that_was_killed_half_way_leaves_nothing_in_the_way(stack):
    settings, parts = stack
    home = Home.of(settings)
    # One part started, its pid file never written, the lock file still there.
    orphan = process.spawn(home, "one", parts[0].command(), {})
    home.pid("one").unlink()
    home.lock().touch()
    running = launcher.up(settings)
    assert running[0].pid == orphan.pid
    assert [r.part for r in running] == ["one", "two"]


def test_down_leaves_nothing_running_and_wipe_deletes_the_data(stack):
    settings, _ = stack
    home = Home.of(settings)
    started = launcher.up(settings)
    # A learner's checkpoint names a place in the log, a model does not.
    kept, gone = home.root / "registry", [home.data("one"), home.learners()]
    for folder in (kept, *gone):
        folder.mkdir(parents=True)
    assert sorted(launcher.down(settings, wipe=True)) == ["one", "two"]
    assert not any(process.alive(running) for running in started)
    assert not any(folder.exists() for folder in gone)
    assert kept.exists()
    assert launcher.down(settings) == []


def test_down_stops_parts_that_the_settings_no_longer_name(stack):
    settings, parts = stack
    started = launcher.up(settings)
    del parts[1]
    assert sorted(launcher.down(settings)) == ["one", "two"]
    assert not any(process.alive(running) for running in started)


def test_one_part_can_be_killed_and_started_alone(stack):
    settings, _ = stack
    one, two = launcher.up(settings)
    assert launcher.stop_part(settings, "one", kill=True)
    assert not launcher.stop_part(settings, "one")
    again = launcher.start_part(settings, "one")
    assert again.pid != one.pid
    assert process.alive(two)


def test_an_unknown_part_is_named_with_those_there_are(stack):
    settings, _ = stack
    with pytest.raises(NotFoundError, match="no part 'kafak'; its parts are one, two"):
        launcher.start_part(settings, "kafak")


def test_a_missing_program_is_named_with_its_package_when_it_can_not_be_installed(stack, monkeypatch):
    settings, parts = stack
    parts[0] = replace(parts[0], programs=("redis-server",))
    monkeypatch.setattr(install, "_find", lambda name: None)
    monkeypatch.setattr(install.apt, "usable", lambda: False)
    with pytest.raises(MissingPartError, match=r"^missing: redis-server; as root run: apt-get install -y redis-server"):
        launcher.up(settings)
    assert process.find_all(Home.of(settings)) == []
