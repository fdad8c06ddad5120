"""`make setup` on machines of every kind: the script finds uv, or brings it, with programs that only pretend."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "infra/setup.sh"
# What the script needs of any machine.
TOOLS = ("dirname", "env", "mkdir", "chmod", "cp", "touch", "true")
UV = """case "$1" in
--version) ;;
sync)
    echo "$*" >> "{bin}/uv.log"
    mkdir -p .venv/bin; printf '#!/bin/sh\\necho "$*"\\n' > .venv/bin/python; chmod +x .venv/bin/python ;;
*) exit 1 ;;
esac
"""
# Debian's Python: pip, ensurepip and so venv come with the package alone.
PYTHON = """case "$1 $2" in
"-m pip" | "-m uv") exit 1 ;;
"-m venv" | "-c import ensurepip") [ -e "{bin}/package" ] || exit 1 ;;
esac
if [ "$2" = venv ]; then
    mkdir -p .uv/bin
    printf '#!/bin/sh\\ncp "{bin}/hidden-uv" .uv/bin/uv\\n' > .uv/bin/pip
    chmod +x .uv/bin/pip
fi
"""
APT = """echo "$*" >> "{bin}/apt.log"
case "$*" in *python3.11-venv) touch "{bin}/package" ;; esac
"""


class Machine:
    """A folder with the script, and a PATH that has nothing but what a test puts there."""

    def __init__(self, root: Path) -> None:
        self.root, self.bin = root, root / "bin"
        self.bin.mkdir()
        (root / "infra").mkdir()
        shutil.copy(SCRIPT, root / "infra")
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found is not None
            (self.bin / tool).symlink_to(found)
        self.has("python3.11", PYTHON)
        self.has("hidden-uv", UV)

    def has(self, name: str, script: str) -> None:
        program = self.bin / name
        program.write_text("#!/bin/sh\n" + script.replace("{bin}", str(self.bin)))
        program.chmod(0o755)

    def set_up(self, stderr: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", "infra/setup.sh"],
            cwd=self.root,
            env={"PATH": str(self.bin)},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            check=False,
        )

    @property
    def installed(self) -> list[str]:
        """What apt-get was asked for."""
        log = self.bin / "apt.log"
        return log.read_text().splitlines() if log.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_machine_with_uv_needs_nothing_else(machine):
    machine.has("uv", UV)
    done = machine.set_up()
    assert (done.returncode, done.stdout) == (0, "-m infra.stack\n")
    assert done.stderr == "setup: installing the Python packages, some minutes where none of them is cached\n"
    assert machine.set_up().stderr == "", "what is there is not installed again"


def test_who_watches_sees_the_progress_of_uv_and_a_log_does_not(machine):
    machine.has("uv", UV)
    master, terminal = os.openpty()
    try:
        machine.set_up(stderr=terminal)
        machine.set_up()
    finally:
        os.close(terminal)
        os.close(master)
    watched, logged = (machine.bin / "uv.log").read_text().splitlines()
    assert watched == "sync --inexact --extra local --frozen --compile-bytecode --python python3.11"
    assert logged == watched.replace("sync", "sync --quiet")


@pytest.mark.parametrize("user", ["0", "1000"])
def test_a_bare_debian_gets_what_its_python_lacks(machine, user):
    machine.has("id", f"echo {user}")
    machine.has("apt-get", APT)
    if user != "0":
        machine.has("sudo", '[ "$1" = -n ] && shift && exec "$@"')
    done = machine.set_up()
    assert (done.returncode, done.stdout) == (0, "-m infra.stack\n"), done.stderr
    assert machine.installed == ["-qq update", "-qq install -y --no-install-recommends python3.11-venv"]


def refused(machine: Machine) -> None:
    done = machine.set_up()
    assert done.returncode == 1
    said = "uv can not be installed: python3.11 has neither pip nor venv (apt-get install python3.11-venv)"
    assert done.stderr.splitlines()[-1] == f"setup: {said}"
    assert machine.installed == []


def test_who_may_not_install_is_told_what_to_install(machine):
    machine.has("id", "echo 1000")
    machine.has("apt-get", APT)
    refused(machine)
    machine.has("sudo", "exit 1")
    refused(machine)


def test_who_has_pip_and_no_network_is_not_told_to_install_pip(machine):
    machine.has("python3.11", PYTHON.replace('[ -e "{bin}/package" ] || exit 1', 'case "$2" in venv) exit 1 ;; esac'))
    done = machine.set_up()
    assert done.returncode == 1
    said = "uv can not be installed: pip could not fetch it; mend the network or pip's index, or install uv yourself"
    assert done.stderr.splitlines()[-1] == f"setup: {said}"


def test_a_machine_without_apt_is_told_what_is_missing(machine):
    machine.has("id", "echo 0")
    refused(machine)


def test_a_missing_python_is_named(machine):
    (machine.bin / "python3.11").unlink()
    done = machine.set_up()
    assert done.returncode == 1
    assert "Python 3.11 is missing: apt-get install python3.11" in done.stderr
