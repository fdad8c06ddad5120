"""Flink: one JobManager and several TaskManagers of one slot, from the distribution inside the PyFlink wheel."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from contextlib import suppress
from pathlib import Path

from infra.stack import install, java_classes, jvm, probe, process, versions
from infra.stack.flink_config import LOG4J, Memory, configuration
from infra.stack.home import Home
from infra.stack.part import LOOPBACK, Part, Running, class_path
from schemas import extras
from schemas.errors import MissingPartError
from schemas.settings import Settings

JOB_MANAGER = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
# TaskManagers load Python one after the other, when the stack and the first job have started.
WARM_AFTER_S = 45
WARM_EVERY_S = 10
# What a file system takes as one name, and what Flink and RocksDB put behind the temporary folder at most:
# /tm_NAME/tmp/job_ID_op_EmbeddedPythonKeyedProcessOperator_ID__1_1__uuid_UUID/db_LOG.
FILE_NAME_CHARS = 255
ROCKSDB_PATH_CHARS = 200


def parts(settings: Settings) -> tuple[Part, ...]:
    """The JobManager, then the TaskManagers `task-manager-1` and on."""
    numbers = range(1, settings.stack.task_managers + 1)
    return (_job_manager(settings), *(_task_manager(settings, number) for number in numbers))


def _job_manager(settings: Settings) -> Part:
    home, ports, memory_mb = Home.of(settings), settings.stack.ports, settings.stack.job_manager_memory_mb

    def command() -> list[str]:
        flags = [f"-Xms{memory_mb // 2}m", f"-Xmx{memory_mb // 2}m", "-XX:MaxMetaspaceSize=256m", "-XX:+UseSerialGC"]
        return [*_java(home, "job-manager", flags), JOB_MANAGER, *_configured(home, _temporary(home, "job-manager"))]

    return Part(
        name="job-manager",
        service="jobmanager",
        version=versions.FLINK,
        ports={
            "http": ports.flink_rest,
            "rpc": ports.flink_rpc,
            "blob": ports.flink_blob,
            "metrics": ports.flink_metrics_first,
        },
        programs=("java",),
        jars=("flink", "compiler"),
        memory_mb=memory_mb,
        prepare=lambda: _prepare(settings, home, "job-manager"),
        command=command,
        probe=lambda _: probe.http(ports.flink_rest, "/overview"),
        says_version=lambda _: probe.word(ports.flink_rest, "/overview", "flink-version"),
        env=_environment(home),
    )


def _task_manager(settings: Settings, number: int) -> Part:
    home, ports = Home.of(settings), settings.stack.ports
    name, metrics_port = f"task-manager-{number}", ports.flink_metrics_first + number
    memory = Memory.of(settings.stack.task_manager_memory_mb)

    def command() -> list[str]:
        direct_mb = memory.off_heap_mb + memory.network_mb
        flags = [
            f"-Xms{memory.heap_mb}m",
            f"-Xmx{memory.heap_mb}m",
            f"-XX:MaxDirectMemorySize={direct_mb}m",
            f"-XX:MaxMetaspaceSize={memory.metaspace_mb}m",
            "-XX:+UseG1GC",
            "-XX:MaxGCPauseMillis=20",
            # Whole micro-batches are arrays of megabytes; above half a region G1 treats them apart, at great cost.
            "-XX:G1HeapRegionSize=8m",
            f"-Dsluice.warm.after.ms={1000 * (WARM_AFTER_S + WARM_EVERY_S * number)}",
            f"-Dsluice.warm.python={sys.executable}",
        ]
        own = {
            "taskmanager.resource-id": name,
            "metrics.reporter.prom.port": str(metrics_port),
            **_temporary(home, name),
        }
        return [*_java(home, name, flags), java_classes.WARM_TASK_MANAGER, *_configured(home, own)]

    return Part(
        name=name,
        service="taskmanager",
        version=versions.FLINK,
        ports={"metrics": metrics_port},
        programs=("java",),
        jars=("flink", "compiler"),
        memory_mb=settings.stack.task_manager_memory_mb,
        prepare=lambda: _prepare(settings, home, name),
        command=command,
        probe=lambda running: _registered(ports.flink_rest, running),
        # It is asked nothing but by its JobManager, which does not tell.
        says_version=lambda running: process.jar_version(running, "flink-dist"),
        env=_environment(home),
    )


def distribution() -> Path:
    """The Flink distribution inside the PyFlink wheel.

    Raises MissingPartError when PyFlink is not installed.
    """
    found = importlib.util.find_spec("pyflink")
    if found is None or found.origin is None:
        raise MissingPartError(f"PyFlink is not installed: {extras.install('local')}")
    return Path(found.origin).parent


def link_jars(home: Home) -> None:
    """Link the wheel's jars and the Kafka connector into one folder, as FLINK_LIB_DIR wants it."""
    _link(home.data("flink") / "lib", _cluster_jars(home))


def link_submission(home: Home, runtime: Path) -> Path:
    """The same for who submits a job, with the `runtime` jar that goes to the cluster with it; returns the folder."""
    folder = home.data("flink") / "submission-lib"
    _link(folder, [*_cluster_jars(home), runtime])
    return folder


def runtime_jar(home: Home) -> Path:
    """The Java classes of the jobs' runtime.

    Raises MissingPartError when jars are missing and can not be fetched, PartFailedError when it can not be compiled.
    """
    install.jars(home, "flink")
    install.jars(home, "compiler")
    return java_classes.jar(home, java_classes.RUNTIME, class_path(*_cluster_jars(home)))


def _cluster_jars(home: Home) -> list[Path]:
    wheel = distribution()
    return [*wheel.glob("lib/*.jar"), *wheel.glob("opt/flink-python-*.jar"), *home.lib("flink").glob("*.jar")]


def _temporary(home: Home, name: str) -> dict[str, str]:
    """A process's own folder for what may go with it.

    RocksDB would log beside the process's own log otherwise. It names a log in another folder by the whole path of its
    own, which must fit the name of a file: where it would not, Flink is left to find a place.
    """
    folder = str(_temporary_folder(home, name))
    fits = len(folder) + ROCKSDB_PATH_CHARS <= FILE_NAME_CHARS
    return {"io.tmp.dirs": folder} | ({"state.backend.rocksdb.log.dir": folder} if fits else {})


def _temporary_folder(home: Home, name: str) -> Path:
    return home.data("flink") / "tmp" / name


def _configured(home: Home, own: dict[str, str]) -> list[str]:
    """The arguments that name the common configuration, and what is the process's own."""
    overrides = (word for key, value in own.items() for word in ("-D", f"{key}={value}"))
    return ["--configDir", str(home.conf("flink")), *overrides]


def _prepare(settings: Settings, home: Home, name: str) -> None:
    """Write the configuration, link the jars that the cluster needs into one folder, compile the loopback binding.

    What a killed process of this name left in its temporary folder goes.
    """
    conf, data, wheel = home.conf("flink"), home.data("flink"), distribution()
    for folder in (conf, data / "checkpoints", data / "savepoints"):
        folder.mkdir(parents=True, exist_ok=True)
    home.fresh(_temporary_folder(home, name))
    conf.joinpath("log4j.properties").write_text(LOG4J)
    lines = [f"{key}: {value}\n" for key, value in configuration(settings, data).items()]
    conf.joinpath("config.yaml").write_text("".join(lines))
    link_jars(home)
    java_classes.compile_once(home, java_classes.STACK, class_path(*_jars(home)))
    _link(data / "plugins", [wheel / "plugins" / "metrics-prometheus"])


def _link(folder: Path, targets: list[Path]) -> None:
    """Make the folder hold links to the targets and nothing else; others may do the same at the same time."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {target.name: target for target in targets}
    for link in folder.iterdir():
        with suppress(FileNotFoundError):
            if link.name not in wanted or link.readlink() != wanted[link.name]:
                link.unlink()
    for name, target in wanted.items():
        with suppress(FileExistsError):
            (folder / name).symlink_to(target)


def _environment(home: Home) -> dict[str, str]:
    """What embedded Python needs: it is found through PATH and VIRTUAL_ENV."""
    return {
        "FLINK_CONF_DIR": str(home.conf("flink")),
        "FLINK_LIB_DIR": str(home.data("flink") / "lib"),
        "FLINK_PLUGINS_DIR": str(home.data("flink") / "plugins"),
        "VIRTUAL_ENV": sys.prefix,
        "PATH": f"{Path(sys.prefix) / 'bin'}:{os.environ.get('PATH', os.defpath)}",
        "MALLOC_ARENA_MAX": "4",
        # Code that asks for PyFlink's gateway inside a job would start a JVM of its own, without a word.
        "PYFLINK_GATEWAY_DISABLED": "1",
    }


def _java(home: Home, name: str, flags: list[str]) -> list[str]:
    """The JVM with Flink's class path; flink-dist last, as Flink's own scripts put it."""
    return jvm.command(
        [
            *flags,
            *_module_opens(),
            *java_classes.LOOPBACK_FLAGS,
            f"-Dlog.file={home.log(name)}",
            f"-Dlog4j.configurationFile={home.conf('flink') / 'log4j.properties'}",
            "-cp",
            class_path(java_classes.classes(home, java_classes.STACK), *_jars(home)),
        ]
    )


def _jars(home: Home) -> list[Path]:
    return sorted((home.data("flink") / "lib").glob("*.jar"), key=lambda jar: ("flink-dist" in jar.name, jar.name))


def _module_opens() -> list[str]:
    """The Java module flags that this Flink release states in its own configuration."""
    text = (distribution() / "conf" / "config.yaml").read_text(encoding="utf-8")
    found = re.search(r"^\s+all:\s*(--add.*)$", text, re.MULTILINE)
    if found is None:
        raise MissingPartError("PyFlink's conf/config.yaml states no env.java.opts.all; reinstall apache-flink")
    return found.group(1).split()


def _registered(rest_port: int, running: Running) -> str | None:
    """The JobManager has heard of this very process, not of one of that name before it."""
    try:
        listed = probe.get_json(f"http://{LOOPBACK}:{rest_port}/taskmanagers")["taskmanagers"]
    except OSError as error:
        return f"JobManager: {error}"
    heard_ms = next((tm["timeSinceLastHeartbeat"] for tm in listed if tm["id"] == running.part), None)
    if heard_ms is None or heard_ms < running.started_s * 1000:
        return "not registered with the JobManager"
    return None
