"""What the parts are made of: programs from the distribution's packages, jars through Maven."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from infra.stack import apt, versions
from infra.stack.home import Home
from infra.stack.part import Part
from schemas.errors import MissingPartError


@dataclass(frozen=True)
class Program:
    """A program of the distribution: the names it may have on PATH, and the Debian package that brings it."""

    names: tuple[str, ...]
    package: str


PROGRAMS = {
    "java": Program(("java",), f"openjdk-{versions.JAVA}-jre-headless"),
    "mvn": Program(("mvn",), "maven"),
    "redis-server": Program(("redis-server",), "redis-server"),
    "prometheus": Program(("prometheus",), "prometheus"),
    "prometheus-alertmanager": Program(("prometheus-alertmanager", "alertmanager"), "prometheus-alertmanager"),
    "chromium": Program(("chromium", "chromium-browser"), "chromium"),
}
# What tests need and the stack does not.
FOR_TESTS = ("chromium",)


def program(name: str) -> Path:
    """Where the program lies.

    Raises MissingPartError that names its package.
    """
    found = _find(name)
    if found is None:
        raise MissingPartError(_missing([name]))
    return found


def java() -> Path:
    """The `java` of the one release that Kafka, Cassandra and Flink all run on."""
    return program("java")


def missing_programs(parts: Iterable[Part]) -> list[str]:
    """Programs that these parts need and that are not there."""
    return [name for name in dict.fromkeys(p for part in parts for p in part.programs) if _find(name) is None]


def missing_jars(home: Home, parts: Iterable[Part]) -> list[str]:
    """Profiles of infra/pom.xml whose jars are not there in the versions wanted."""
    profiles = dict.fromkeys(jars for part in parts for jars in part.jars)
    return [profile for profile in profiles if not (home.lib(profile) / _stamp(profile)).exists()]


def install(home: Home, parts: tuple[Part, ...], progress: Callable[[str], None]) -> None:
    """Bring what is missing; does nothing when all is there.

    Raises MissingPartError in one line when a package or a jar can not be had here.
    """
    profiles = missing_jars(home, parts)
    programs = missing_programs(parts)
    if profiles and _find("mvn") is None:
        programs.append("mvn")
    _install_programs(programs, progress)
    for profile in profiles:
        progress(f"fetching the jars of {profile}")
        _fetch_jars(home.lib(profile), profile)


def install_for_tests(progress: Callable[[str], None]) -> None:
    """Bring what only tests need; a machine that can not have it skips those tests, and is told so."""
    try:
        _install_programs([name for name in FOR_TESTS if _find(name) is None], progress)
    except MissingPartError as error:
        progress(f"the tests that need it are skipped: {error}")


def _install_programs(programs: list[str], progress: Callable[[str], None]) -> None:
    if programs:
        packages = [PROGRAMS[name].package for name in programs]
        if not apt.usable():
            raise MissingPartError(_missing(programs))
        progress(f"installing packages: {' '.join(packages)}")
        apt.install(packages)
    for name in programs:
        program(name)


def jars(home: Home, profile: str) -> None:
    """Fetch a profile's jars unless they are there.

    Raises MissingPartError when Maven or the network is missing.
    """
    if not (home.lib(profile) / _stamp(profile)).exists():
        _fetch_jars(home.lib(profile), profile)


def _fetch_jars(folder: Path, profile: str) -> None:
    """Copy a profile's jars with Maven; the folder appears whole or not at all."""
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    with resources.as_file(resources.files("infra").joinpath("pom.xml")) as pom:
        command = [
            *(str(program("mvn")), "-B", "-q", "-f", str(pom), "-P", profile),
            *("dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={partial}"),
            *(f"-D{key}={value}" for key, value in versions.MAVEN.items()),
        ]
        done = subprocess.run(
            command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, env=_java_home()
        )
    if done.returncode != 0:
        said = next((line for line in done.stdout.splitlines() if "ERROR" in line), done.stderr.strip())
        raise MissingPartError(
            f"the jars of {profile} could not be fetched: {said[:300]}; check the network and Maven's settings"
        )
    (partial / _stamp(profile)).touch()
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def _stamp(profile: str) -> str:
    """The name of the file that says which versions a folder of jars holds."""
    pom = resources.files("infra").joinpath("pom.xml").read_bytes()
    return f".{profile}-{hashlib.sha256(pom + repr(versions.MAVEN).encode()).hexdigest()[:12]}"


def _java_home() -> dict[str, str]:
    """Maven runs on the same Java."""
    return {**os.environ, "JAVA_HOME": str(java().parent.parent)}


def _find(name: str) -> Path | None:
    if name == "java":
        return _find_java()
    # Debian puts servers into sbin, which is not on every user's PATH.
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin"
    found = (shutil.which(candidate, path=path) for candidate in PROGRAMS[name].names)
    return next((Path(place) for place in found if place), None)


def _find_java() -> Path | None:
    """JAVA_HOME, then PATH, then where distributions put it: the first of the right release."""
    places = [Path(os.environ["JAVA_HOME"]) / "bin" / "java"] if "JAVA_HOME" in os.environ else []
    on_path = shutil.which("java")
    places += [Path(on_path)] if on_path else []
    places += sorted(Path("/usr/lib/jvm").glob("*/bin/java"))
    return next((place.resolve() for place in places if _java_release(place) == versions.JAVA), None)


def _java_release(place: Path) -> str | None:
    """The major release, from the file that every JDK and JRE holds beside its bin folder."""
    try:
        text = (place.resolve().parent.parent / "release").read_text(encoding="utf-8")
    except OSError:
        return None
    found = re.search(r'^JAVA_VERSION="(\d+)', text, re.MULTILINE)
    return found.group(1) if found else None


def _missing(names: list[str]) -> str:
    packages = " ".join(PROGRAMS[name].package for name in names)
    what = ", ".join(f"java {versions.JAVA}" if name == "java" else name for name in names)
    return f"missing: {what}; as root run: apt-get install -y {packages} (or put the programs on PATH)"
