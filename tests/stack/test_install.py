"""What is missing is brought whole or not at all, and a refusal is one line that says what to do."""

import subprocess

import pytest

from infra.stack import apt, install, versions
from infra.stack.home import Home
from infra.stack.part import Part
from schemas.errors import MissingPartError
from tests.stack.stack_parts import part


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


@pytest.fixture
def maven(tmp_path, monkeypatch):
    """A Maven that runs the given shell text; $OUT is the folder it is told to fill."""

    def write(text):
        script = tmp_path / "mvn"
        script.write_text(
            f'#!/bin/sh\nfor w in "$@"; do case "$w" in -DoutputDirectory=*) OUT="${{w#*=}}";; esac; done\n{text}\n'
        )
        script.chmod(0o755)
        real = install._find
        monkeypatch.setattr(install, "_find", lambda name: script if name == "mvn" else real(name))

    return write


def jars_of(profile):
    return (Part(**{**vars(part("p")), "jars": (profile,)}),)


def test_jars_are_fetched_once(home, maven):
    maven('mkdir -p "$OUT" && touch "$OUT/kafka.jar" && echo fetched >> "$OUT/../log"')
    said = []
    install.install(home, jars_of("kafka"), said.append)
    install.install(home, jars_of("kafka"), said.append)
    assert said == ["fetching the jars of kafka"]
    assert (home.lib("kafka") / "kafka.jar").exists()


def test_a_fetch_that_fails_is_one_line_and_leaves_no_folder(home, maven):
    maven('mkdir -p "$OUT" && touch "$OUT/half.jar"; echo "[ERROR] Could not resolve kafka"; exit 1')
    with pytest.raises(
        MissingPartError, match=r"^the jars of kafka could not be fetched: \[ERROR\] Could not resolve"
    ) as raised:
        install.install(home, jars_of("kafka"), lambda _: None)
    assert "\n" not in str(raised.value)
    assert not home.lib("kafka").exists()


def test_jars_of_another_version_are_missing(home, maven, monkeypatch):
    maven('mkdir -p "$OUT"')
    install.install(home, jars_of("kafka"), lambda _: None)
    assert install.missing_jars(home, jars_of("kafka")) == []
    monkeypatch.setitem(versions.MAVEN, "kafka.version", "4.9.9")
    assert install.missing_jars(home, jars_of("kafka")) == ["kafka"]


def test_java_of_another_release_is_no_java(tmp_path, monkeypatch):
    for release in ("11.0.2", "21.0.1", "17.0.9"):
        java = tmp_path / release / "bin" / "java"
        java.parent.mkdir(parents=True)
        java.touch(mode=0o755)
        (tmp_path / release / "release").write_text(f'JAVA_VERSION="{release}"\n')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "17.0.9"))
    assert install.java() == tmp_path / "17.0.9" / "bin" / "java"
    assert install._java_release(tmp_path / "21.0.1" / "bin" / "java") == "21"


class Shell:
    """Answers apt's commands without running them."""

    def __init__(self, codes):
        self.codes, self.ran = list(codes), []

    def __call__(self, command, _text=""):
        self.ran.append(command)
        code = self.codes.pop(0) if command[:2] == ["apt-get", "install"] else 0
        return subprocess.CompletedProcess(command, code, "E: no such package\n" if code else "")


def test_packages_are_installed_without_starting_their_services(monkeypatch, tmp_path):
    shell = Shell([0])
    monkeypatch.setattr(apt, "_as_root", shell)
    monkeypatch.setattr(apt, "POLICY", tmp_path / "policy-rc.d")
    apt.install(["redis-server"])
    assert [command[0] for command in shell.ran] == ["tee", "chmod", "apt-get", "rm"]


def test_a_policy_of_the_machine_is_kept(monkeypatch, tmp_path):
    policy = tmp_path / "policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 0\n")
    shell = Shell([0])
    monkeypatch.setattr(apt, "_as_root", shell)
    monkeypatch.setattr(apt, "POLICY", policy)
    apt.install(["redis-server"])
    assert [command[0] for command in shell.ran] == ["apt-get"]


def test_old_package_lists_are_renewed_before_giving_up(monkeypatch, tmp_path):
    shell = Shell([100, 100])
    monkeypatch.setattr(apt, "_as_root", shell)
    monkeypatch.setattr(apt, "POLICY", tmp_path / "policy-rc.d")
    with pytest.raises(MissingPartError, match=r"^apt-get install maven failed: E: no such package$"):
        apt.install(["maven"])
    assert [command[1] for command in shell.ran if command[0] == "apt-get"] == ["install", "update", "install"]
    assert shell.ran[-1][0] == "rm"
