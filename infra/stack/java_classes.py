"""The few Java classes of the stack, compiled here because a JRE has no compiler of its own."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from importlib import resources
from pathlib import Path

from infra.stack import install
from infra.stack.home import Home
from schemas.errors import PartFailedError

# The JVM's HTTP servers on loopback.
LOOPBACK_FLAGS = (
    "-Dcom.sun.net.httpserver.HttpServerProvider=LoopbackHttp",
    "--add-exports=jdk.httpserver/sun.net.httpserver=ALL-UNNAMED",
)
WARM_TASK_MANAGER = "WarmTaskManager"


def classes(home: Home) -> Path:
    """The folder that holds the compiled classes, to be put on the class path."""
    whole = b"".join(source for _, source in _sources())
    return home.lib("classes") / hashlib.sha256(whole).hexdigest()[:12]


def compile_once(home: Home, jars: str) -> None:
    """Compile the classes against `jars`, a class path, unless these very sources were compiled before.

    Raises PartFailedError with the compiler's words.
    """
    folder = classes(home)
    if folder.exists():
        return
    partial = home.fresh(folder.with_suffix(".partial"))
    for name, source in _sources():
        partial.joinpath(name).write_bytes(source)
    compiler = next(home.lib("compiler").glob("ecj-*.jar"))
    command = [
        str(install.java()),
        "-jar",
        str(compiler),
        "-17",
        "-proc:none",
        "-nowarn",
        "-cp",
        jars,
        "-d",
        str(partial),
        *(str(partial / name) for name, _ in _sources()),
    ]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise PartFailedError(f"compiling the stack's Java classes failed: {done.stderr.strip()[:300]}")
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def _sources() -> list[tuple[str, bytes]]:
    """Name and content of each source file."""
    folder = resources.files("infra").joinpath("stack/java")
    return sorted((found.name, found.read_bytes()) for found in folder.iterdir() if found.name.endswith(".java"))
