"""Debian packages, installed without starting the services that come with them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from schemas.errors import MissingPartError

# Package scripts ask this program before they start a service: 101 = do not.
POLICY = Path("/usr/sbin/policy-rc.d")
POLICY_TEXT = "#!/bin/sh\n# Written by sluice while it installs packages; may be deleted.\nexit 101\n"


def usable() -> bool:
    """apt-get is there, and this user may run it without being asked for a password."""
    if shutil.which("apt-get") is None:
        return False
    if os.geteuid() == 0:
        return True
    return shutil.which("sudo") is not None and _run(["sudo", "-n", "true"]).returncode == 0


def install(packages: list[str]) -> None:
    """Install the packages; no service of theirs is started.

    Raises MissingPartError with apt's own reason.
    """
    held = _hold_services()
    try:
        command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
        done = _as_root(command)
        if done.returncode != 0:
            _as_root(["apt-get", "update", "-q"])
            done = _as_root(command)
    finally:
        if held:
            _as_root(["rm", "-f", str(POLICY)])
    if done.returncode != 0:
        said = next((line for line in done.stdout.splitlines() if line.startswith("E:")), done.stdout[-200:])
        raise MissingPartError(f"apt-get install {' '.join(packages)} failed: {said.strip()}")


def _hold_services() -> bool:
    """Put the policy in place unless the machine has one of its own; ours may be left over from a killed run."""
    if POLICY.exists() and POLICY.read_text() != POLICY_TEXT:
        return False
    _as_root(["tee", str(POLICY)], POLICY_TEXT)
    _as_root(["chmod", "755", str(POLICY)])
    return True


def _as_root(command: list[str], text: str = "") -> subprocess.CompletedProcess[str]:
    settings = ["env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C"]
    return _run([*([] if os.geteuid() == 0 else ["sudo", "-n"]), *settings, *command], text)


def _run(command: list[str], text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
