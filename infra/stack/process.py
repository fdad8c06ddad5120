"""Processes of the stack: started in a session of their own, found again, ended as a group.

A pid file holds the pid and its start time, so a recycled pid is never taken for a part. Every process also carries
SLUICE_PART = "<home>:<part>" in its environment, by which a part is found whose starter died before it wrote that file.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping

import psutil

from infra.stack.home import Home
from infra.stack.part import Running

MARK = "SLUICE_PART"
KILL_TIMEOUT_S = 30.0
MAX_LOG_BYTES = 16 * 1024 * 1024
# The kernel counts start times in hundredths from a boot time that is rounded to seconds.
START_TOLERANCE_S = 2.0


def spawn(home: Home, name: str, command: list[str], env: Mapping[str, str]) -> Running:
    """Start the command detached, its output appended to the part's log. A log over the limit becomes `<log>.1`."""
    log, pid_file = home.log(name), home.pid(name)
    for folder in (log.parent, pid_file.parent):
        folder.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > MAX_LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=home.root,
            env={**os.environ, **env, MARK: _mark(home, name)},
        )
    running = Running(name, process.pid, psutil.Process(process.pid).create_time())
    partial = pid_file.with_suffix(".partial")
    partial.write_text(json.dumps({"pid": running.pid, "started_s": running.started_s}))
    partial.replace(pid_file)
    return running


def find(home: Home, name: str) -> Running | None:
    """The live process of the part, or None."""
    return _claimed(home, name) or next((found for found in _marked(home) if found.part == name), None)


def find_all(home: Home) -> list[Running]:
    """Every live part of the stack in this home, with or without a pid file."""
    claimed = [_claimed(home, pid_file.stem) for pid_file in home.pid("*").parent.glob("*.pid")]
    found = {running.pid: running for running in (*claimed, *_marked(home)) if running is not None}
    return list(found.values())


def alive(running: Running) -> bool:
    """The process still runs: it is not gone, not a zombie, and not another one with its pid."""
    try:
        process = psutil.Process(running.pid)
        drift_s: float = abs(process.create_time() - running.started_s)
        return drift_s < START_TOLERANCE_S and bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def end(home: Home, running: Running, timeout_s: float) -> None:
    """SIGTERM, then SIGKILL after the timeout, to the whole process group; a timeout of 0 kills at once."""
    if timeout_s > 0:
        _signal_group(running, signal.SIGTERM)
        _wait(running, timeout_s)
    # The group may outlive its leader.
    _signal_group(running, signal.SIGKILL)
    _wait(running, KILL_TIMEOUT_S)
    home.pid(running.part).unlink(missing_ok=True)


def rss_mb(running: Running) -> float:
    """Resident memory of the part's whole session, in MiB."""
    total = 0
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == running.pid:
                total += process.memory_info().rss
        except (psutil.NoSuchProcess, ProcessLookupError):
            continue
    return total / 2**20


def jar_version(running: Running, jar: str) -> str | None:
    """The version of the jar that stands as `jar-VERSION.jar` in the class path the process was started with."""
    try:
        words = psutil.Process(running.pid).cmdline()
    except psutil.Error:
        return None
    found = re.search(rf"(?:^|[/:]){re.escape(jar)}-([0-9][^/:]*)\.jar(?:$|[:\n])", "\n".join(words), re.MULTILINE)
    return found[1] if found else None


def _mark(home: Home, name: str) -> str:
    return f"{home.root}:{name}"


def _marked(home: Home) -> list[Running]:
    """Live processes that carry the home's mark and lead a session."""
    prefix, found = _mark(home, ""), []
    for process in psutil.process_iter():
        try:
            mark = process.environ().get(MARK, "")
            running = Running(mark.removeprefix(prefix), process.pid, process.create_time())
            if mark.startswith(prefix) and os.getsid(process.pid) == process.pid and alive(running):
                found.append(running)
        except (psutil.NoSuchProcess, psutil.AccessDenied, ProcessLookupError):
            continue
    return found


def _claimed(home: Home, name: str) -> Running | None:
    """The process that the part's pid file names, if it still runs."""
    try:
        claim = json.loads(home.pid(name).read_text())
        running = Running(name, int(claim["pid"]), float(claim["started_s"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return running if alive(running) else None


def _signal_group(running: Running, number: signal.Signals) -> None:
    try:
        os.killpg(running.pid, number)
    except ProcessLookupError:
        return


def _wait(running: Running, timeout_s: float) -> None:
    """Wait until the process is gone; one that is our own child is reaped."""
    deadline = time.monotonic() + timeout_s
    while alive(running) and time.monotonic() < deadline:
        time.sleep(0.05)
    try:
        psutil.Process(running.pid).wait(timeout=0)
    except (psutil.NoSuchProcess, psutil.TimeoutExpired):
        return
