"""Builders for tests of the launcher: small real processes in the place of the stack's parts."""

from __future__ import annotations

import sys
from pathlib import Path

from infra.stack import probe
from infra.stack.part import Part
from schemas.settings import Settings, Stack

SERVER = """
import http.server, sys
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
)
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


def settings_in(folder: Path, start_timeout_s: int = 20) -> Settings:
    """Settings whose stack lives in the folder."""
    return Settings(stack=Stack(home=str(folder), start_timeout_s=start_timeout_s))


def part(name: str, *words: str, port: int = 0) -> Part:
    """A part that runs Python with these words; healthy when its port answers, or at once without one."""
    return Part(
        name=name,
        service=name,
        version="1",
        ports={"http": port} if port else {},
        programs=(),
        memory_mb=64,
        prepare=lambda: None,
        command=lambda: [sys.executable, *words],
        probe=lambda _: probe.opens(port) if port else None,
        stop_timeout_s=5,
    )


def server(name: str, port: int) -> Part:
    """A part that serves HTTP on the port."""
    return part(name, "-c", SERVER, str(port), port=port)
