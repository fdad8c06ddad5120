"""The JVM's HTTP servers on loopback: one Java class, compiled here because a JRE has no compiler of its own."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from importlib import resources
from pathlib import Path

from infra.stack import install
from infra.stack.home import Home
from schemas.errors import PartFailedError

NAME = "LoopbackHttp"
JVM_FLAGS = (
    f"-Dcom.sun.net.httpserver.HttpServerProvider={NAME}",
    "--add-exports=jdk.httpserver/sun.net.httpserver=ALL-UNNAMED",
)


def classes(home: Home) -> Path:
    """The folder that holds the compiled class, to be put on the class path."""
    return home.lib("loopback") / hashlib.sha256(_source()).hexdigest()[:12]


def compile_once(home: Home) -> None:
    """Compile the class unless this very source was compiled before.

    Raises PartFailedError with the compiler's words.
    """
    folder = classes(home)
    if folder.exists():
        return
    partial = home.fresh(folder.with_suffix(".partial"))
    source = partial / f"{NAME}.java"
    source.write_bytes(_source())
    compiler = next(home.lib("compiler").glob("ecj-*.jar"))
    command = [
        str(install.java()),
        "-jar",
        str(compiler),
        "-17",
        "-proc:none",
        "-nowarn",
        "-d",
        str(partial),
        str(source),
    ]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise PartFailedError(f"compiling {NAME}.java failed: {done.stderr.strip()[:300]}")
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def _source() -> bytes:
    return resources.files("infra").joinpath(f"stack/java/{NAME}.java").read_bytes()
