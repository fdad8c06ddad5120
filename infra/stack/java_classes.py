"""The few Java classes of the project, compiled here because a JRE has no compiler of its own."""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
import zipfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from infra.stack import jvm
from infra.stack.home import Home
from schemas.errors import PartFailedError

# The JVM's HTTP servers on loopback.
LOOPBACK_FLAGS = (
    "-Dcom.sun.net.httpserver.HttpServerProvider=LoopbackHttp",
    "--add-exports=jdk.httpserver/sun.net.httpserver=ALL-UNNAMED",
)
WARM_TASK_MANAGER = "WarmTaskManager"


@dataclass(frozen=True)
class Sources:
    """The Java files of a folder of a package."""

    package: str
    folder: str

    def files(self) -> list[tuple[str, bytes]]:
        """Name and content of each."""
        folder = resources.files(self.package).joinpath(self.folder)
        return sorted((found.name, found.read_bytes()) for found in folder.iterdir() if found.name.endswith(".java"))


# On the class path of the local stack's Flink.
STACK = Sources("infra", "stack/java")
# Handed to the cluster with a job.
RUNTIME = Sources("jobs", "runtime/java")


def classes(home: Home, sources: Sources) -> Path:
    """The folder that holds the compiled classes."""
    whole = b"".join(source for _, source in sources.files())
    return home.lib("classes") / hashlib.sha256(whole).hexdigest()[:12]


def compile_once(home: Home, sources: Sources, jars: str) -> None:
    """Compile the classes against `jars`, a class path, unless these very sources were compiled before.

    Raises PartFailedError with the compiler's words.
    """
    folder = classes(home, sources)
    if folder.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Two may compile the same at once: each in a folder of its own, and the first one stays.
    with tempfile.TemporaryDirectory(dir=folder.parent) as own:
        partial = Path(own) / "classes"
        partial.mkdir()
        _compile(home, sources, jars, partial)
        try:
            partial.rename(folder)
        except OSError:
            if not folder.exists():
                raise


def _compile(home: Home, sources: Sources, jars: str, folder: Path) -> None:
    for name, source in sources.files():
        folder.joinpath(name).write_bytes(source)
    compiler = next(home.lib("compiler").glob("ecj-*.jar"))
    command = jvm.command(
        [
            "-jar",
            str(compiler),
            "-17",
            "-proc:none",
            "-nowarn",
            "-cp",
            jars,
            "-d",
            str(folder),
            *(str(folder / name) for name, _ in sources.files()),
        ]
    )
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        said = " ".join(done.stderr.split())
        raise PartFailedError(f"compiling {sources.folder} of {sources.package} failed: {said[:300]}")


def jar(home: Home, sources: Sources, jars: str) -> Path:
    """The compiled classes as a jar, made unless it is there.

    Raises what `compile_once` raises.
    """
    compile_once(home, sources, jars)
    folder = classes(home, sources)
    made = folder.with_suffix(".jar")
    if not made.exists():
        with tempfile.TemporaryDirectory(dir=folder.parent) as own:
            partial = Path(own) / made.name
            with zipfile.ZipFile(partial, "w") as archive:
                for found in sorted(folder.glob("*.class")):
                    archive.write(found, found.name)
            partial.rename(made)
    return made
