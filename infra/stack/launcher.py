"""Starts and stops the parts of the stack."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import time
from collections.abc import Callable, Iterator

from infra.stack import install, ports, process, topology
from infra.stack.home import Home
from infra.stack.part import LOOPBACK, Part, Running
from jobs.runtime import priority
from schemas.errors import PartFailedError
from schemas.settings import Settings

# Called with a part's name (or "" for the whole stack) and a line of text.
Progress = Callable[[str, str], None]

POLL_S = 0.2
LOG_LINES = 15


def silent(part: str, line: str) -> None:
    """Progress that nobody reads."""


def up(settings: Settings, progress: Progress = silent) -> list[Running]:
    """Start what does not run yet, and wait until every part is healthy.

    Raises MissingPartError, PortInUseError, SettingsError or PartFailedError; then nothing that this call started is
    left running.
    """
    home = Home.of(settings)
    with _lock(home, progress):
        parts = topology.parts(settings)
        install.install(home, parts, lambda line: progress("", line))
        return _start(settings, parts, progress)


def down(settings: Settings, progress: Progress = silent, *, wipe: bool = False) -> list[str]:
    """Stop every part, also those that the settings no longer name; the names of what was stopped.

    With `wipe`, data, logs and generated configuration are deleted, and learners' checkpoints in this home: they name
    places in a log that is gone. Jars and models stay.
    """
    home = Home.of(settings)
    with _lock(home, progress):
        timeouts = {part.name: part.stop_timeout_s for part in topology.parts(settings)}
        # Clients before the servers they would otherwise complain about.
        order = {"task-manager": 0, "job-manager": 1}
        found = sorted(process.find_all(home), key=lambda running: order.get(running.part.rstrip("-0123456789"), 2))
        for running in found:
            process.end(home, running, timeouts.get(running.part, 10.0))
            progress(running.part, f"stopped (pid {running.pid})")
        if wipe:
            for name in ("data", "conf", "log"):
                shutil.rmtree(home.root / name, ignore_errors=True)
            shutil.rmtree(home.learners(), ignore_errors=True)
        return [running.part for running in found]


def renew(settings: Settings, progress: Progress) -> None:
    """Restart the TaskManagers, which then load the installed code; running jobs go on from their last checkpoint.

    Raises what `up` raises.
    """
    home = Home.of(settings)
    with _lock(home, progress):
        parts = tuple(part for part in topology.parts(settings) if part.service == "taskmanager")
        for part in parts:
            stop_part(settings, part.name)
        _start(settings, parts, progress)


def start_part(settings: Settings, name: str) -> Running:
    """Start one part, if it does not run, and wait until it is healthy.

    Raises NotFoundError, PortInUseError, SettingsError or PartFailedError.
    """
    part = topology.part(settings, name)
    with _lock(Home.of(settings), silent):
        return _start(settings, (part,), silent)[0]


def stop_part(settings: Settings, name: str, *, kill: bool = False) -> bool:
    """Stop one part, with SIGKILL when `kill`; False when it did not run.

    Raises NotFoundError.
    """
    home, part = Home.of(settings), topology.part(settings, name)
    running = process.find(home, name)
    if running is not None:
        process.end(home, running, 0 if kill else part.stop_timeout_s)
    return running is not None


def _start(settings: Settings, parts: tuple[Part, ...], progress: Progress) -> list[Running]:
    """Start the parts side by side; on any failure, stop those that were started here."""
    home = Home.of(settings)
    kept = {part.name: found for part in parts if (found := process.find(home, part.name))}
    absent = [part for part in parts if part.name not in kept]
    ports.require_free(absent)
    started: dict[str, Running] = {}
    try:
        for part in absent:
            started[part.name] = _launch(home, part, progress)
        _wait(settings, parts, kept, started, progress)
    except BaseException:
        for running in started.values():
            process.end(home, running, 5.0)
        raise
    return [started.get(part.name) or kept[part.name] for part in parts]


def _launch(home: Home, part: Part, progress: Progress) -> Running:
    part.prepare()
    running = process.spawn(home, part.name, part.command(), part.env)
    progress(part.name, f"starting (pid {running.pid}, log {home.log(part.name)})")
    return running


def _wait(
    settings: Settings,
    parts: tuple[Part, ...],
    kept: dict[str, Running],
    started: dict[str, Running],
    progress: Progress,
) -> None:
    """Until every part's probe is content; a kept part that was about to die is added to those started.

    Raises PartFailedError for the first part that died, or that is not healthy in time.
    """
    home, begun = Home.of(settings), time.monotonic()
    waiting = {part.name: part for part in parts}
    while waiting:
        for part in list(waiting.values()):
            if not process.alive(started.get(part.name) or kept[part.name]):
                if part.name in started:
                    _fail(home, part, "ended while it was starting", progress)
                ports.require_free([part])
                started[part.name] = _launch(home, part, progress)
            reason = part.probe(started.get(part.name) or kept[part.name])
            waited_s = time.monotonic() - begun
            if reason is None:
                del waiting[part.name]
                # Not before: on a busy machine, a part that stood back would take minutes to start.
                if part.niceness:
                    priority.of_process((started.get(part.name) or kept[part.name]).pid, part.niceness)
                progress(part.name, f"healthy on {LOOPBACK}:{part.port} after {waited_s:.1f} s")
            elif waited_s > settings.stack.start_timeout_s:
                _fail(home, part, f"not healthy after {waited_s:.0f} s ({reason})", progress)
        time.sleep(POLL_S if waiting else 0)


def _fail(home: Home, part: Part, what: str, progress: Progress) -> None:
    log = home.log(part.name)
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]:
        progress(part.name, f"  {line}")
    raise PartFailedError(f"{part.name} {what}; its log is {log}")


@contextlib.contextmanager
def _lock(home: Home, progress: Progress) -> Iterator[None]:
    """One starter or stopper at a time; the kernel lets go when its holder dies."""
    path = home.lock()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("", "waiting for another start or stop of this stack to finish")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
