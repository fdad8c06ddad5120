"""Flink: one JobManager and several TaskManagers of one slot, from the distribution inside the PyFlink wheel."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from infra.stack import install, probe, versions
from infra.stack.home import Home
from infra.stack.part import LOOPBACK, Part, Running, class_path
from schemas.errors import MissingPartError
from schemas.settings import Settings

JOB_MANAGER = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
TASK_MANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"

LOG4J = """status = error
rootLogger.level = INFO
rootLogger.appenderRef.out.ref = out
appender.out.name = out
appender.out.type = CONSOLE
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{yyyy-MM-dd HH:mm:ss,SSS} %-5p %-40.40c{1.} - %m%n
logger.pekko.name = org.apache.pekko
logger.pekko.level = WARN
logger.kafka.name = org.apache.flink.kafka.shaded.org.apache.kafka
logger.kafka.level = WARN
logger.netty.name = org.jboss.netty.channel.DefaultChannelPipeline
logger.netty.level = OFF
"""


@dataclass(frozen=True)
class Memory:
    """How a TaskManager's process memory is divided, in MiB.

    `outside_mb` is what is left for the JVM itself and for the embedded interpreter, which allocates outside of it.
    """

    heap_mb: int
    managed_mb: int
    outside_mb: int
    framework_heap_mb: int = 128
    off_heap_mb: int = 192
    network_mb: int = 64
    metaspace_mb: int = 192

    @staticmethod
    def of(process_mb: int) -> Memory:
        """The division of a process of that size: 45 % heap, 10 % managed for RocksDB."""
        heap_mb, managed_mb = max(256, process_mb * 45 // 100), max(64, process_mb // 10)
        fixed_mb = Memory.off_heap_mb + Memory.network_mb + Memory.metaspace_mb
        return Memory(heap_mb, managed_mb, outside_mb=max(128, process_mb - heap_mb - managed_mb - fixed_mb))


def parts(settings: Settings) -> tuple[Part, ...]:
    """The JobManager, then the TaskManagers `task-manager-1` and on."""
    numbers = range(1, settings.stack.task_managers + 1)
    return (_job_manager(settings), *(_task_manager(settings, number) for number in numbers))


def _job_manager(settings: Settings) -> Part:
    home, ports, memory_mb = Home.of(settings), settings.stack.ports, settings.stack.job_manager_memory_mb

    def command() -> list[str]:
        flags = [f"-Xms{memory_mb // 2}m", f"-Xmx{memory_mb // 2}m", "-XX:MaxMetaspaceSize=256m", "-XX:+UseSerialGC"]
        return [*_java(home, "job-manager", flags), JOB_MANAGER, "--configDir", str(home.conf("flink"))]

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
        jars=("flink",),
        memory_mb=memory_mb,
        prepare=lambda: _prepare(settings, home),
        command=command,
        probe=lambda _: probe.http(ports.flink_rest, "/overview"),
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
        ]
        own = {"taskmanager.resource-id": name, "metrics.reporter.prom.port": str(metrics_port)}
        overrides = [word for key, value in own.items() for word in ("-D", f"{key}={value}")]
        return [*_java(home, name, flags), TASK_MANAGER, "--configDir", str(home.conf("flink")), *overrides]

    return Part(
        name=name,
        service="taskmanager",
        version=versions.FLINK,
        ports={"metrics": metrics_port},
        programs=("java",),
        jars=("flink",),
        memory_mb=settings.stack.task_manager_memory_mb,
        prepare=lambda: _prepare(settings, home),
        command=command,
        probe=lambda running: _registered(ports.flink_rest, running),
        env=_environment(home),
    )


def configuration(settings: Settings, data: Path) -> dict[str, str]:
    """Flink's config.yaml, as flat keys."""
    ports, memory = settings.stack.ports, Memory.of(settings.stack.task_manager_memory_mb)
    return {
        "jobmanager.rpc.address": LOOPBACK,
        "jobmanager.rpc.port": str(ports.flink_rpc),
        "jobmanager.bind-host": LOOPBACK,
        "blob.server.port": str(ports.flink_blob),
        "rest.address": LOOPBACK,
        "rest.bind-address": LOOPBACK,
        "rest.port": str(ports.flink_rest),
        "web.submit.enable": "false",
        "taskmanager.host": LOOPBACK,
        "taskmanager.bind-host": LOOPBACK,
        "taskmanager.numberOfTaskSlots": "1",
        "taskmanager.cpu.cores": "1",
        "taskmanager.memory.framework.heap.size": f"{memory.framework_heap_mb}m",
        "taskmanager.memory.task.heap.size": f"{memory.heap_mb - memory.framework_heap_mb}m",
        "taskmanager.memory.framework.off-heap.size": "128m",
        "taskmanager.memory.task.off-heap.size": f"{memory.off_heap_mb - 128}m",
        "taskmanager.memory.network.min": f"{memory.network_mb}m",
        "taskmanager.memory.network.max": f"{memory.network_mb}m",
        "taskmanager.memory.managed.size": f"{memory.managed_mb}m",
        "taskmanager.memory.jvm-metaspace.size": f"{memory.metaspace_mb}m",
        "taskmanager.memory.jvm-overhead.min": f"{memory.outside_mb}m",
        "taskmanager.memory.jvm-overhead.max": f"{memory.outside_mb}m",
        # A killed TaskManager refuses connections and is given up after two; the timeout is for one that hangs.
        "heartbeat.interval": "1000 ms",
        "heartbeat.rpc-failure-threshold": "2",
        "heartbeat.timeout": "10 s",
        "cluster.registration.error-delay": "500 ms",
        "restart-strategy.type": "exponential-delay",
        "restart-strategy.exponential-delay.initial-backoff": "100 ms",
        "restart-strategy.exponential-delay.max-backoff": "10 s",
        "restart-strategy.exponential-delay.reset-backoff-threshold": "1 min",
        "restart-strategy.exponential-delay.attempts-before-reset-backoff": "infinite",
        "execution.checkpointing.dir": (data / "checkpoints").as_uri(),
        "execution.checkpointing.savepoint-dir": (data / "savepoints").as_uri(),
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "pipeline.object-reuse": "true",
        "python.execution-mode": "thread",
        "python.executable": sys.executable,
        "io.tmp.dirs": str(data / "tmp"),
        "classloader.check-leaked-classloader": "false",
        "metrics.reporter.prom.factory.class": "org.apache.flink.metrics.prometheus.PrometheusReporterFactory",
        "metrics.reporter.prom.port": str(ports.flink_metrics_first),
        "metrics.reporter.prom.filterLabelValueCharacters": "false",
    }


def distribution() -> Path:
    """The Flink distribution inside the PyFlink wheel.

    Raises MissingPartError when PyFlink is not installed.
    """
    found = importlib.util.find_spec("pyflink")
    if found is None or found.origin is None:
        raise MissingPartError("PyFlink is not installed; install the extra: pip install 'sluice[local]'")
    return Path(found.origin).parent


def _prepare(settings: Settings, home: Home) -> None:
    """Write the configuration, and link the jars that the cluster needs into one folder."""
    conf, data, wheel = home.conf("flink"), home.data("flink"), distribution()
    for folder in (conf, *(data / name for name in ("tmp", "checkpoints", "savepoints"))):
        folder.mkdir(parents=True, exist_ok=True)
    conf.joinpath("log4j.properties").write_text(LOG4J)
    lines = [f"{key}: {value}\n" for key, value in configuration(settings, data).items()]
    conf.joinpath("config.yaml").write_text("".join(lines))
    jars = [*wheel.glob("lib/*.jar"), *wheel.glob("opt/flink-python-*.jar"), *home.lib("flink").glob("*.jar")]
    _link(data / "lib", jars)
    _link(data / "plugins", [wheel / "plugins" / "metrics-prometheus"])


def _link(folder: Path, targets: list[Path]) -> None:
    """Make the folder hold links to the targets and nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {target.name: target for target in targets}
    for link in folder.iterdir():
        if link.name not in wanted or link.readlink() != wanted[link.name]:
            link.unlink()
    for name, target in wanted.items():
        if not (folder / name).is_symlink():
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
    }


def _java(home: Home, name: str, flags: list[str]) -> list[str]:
    """The JVM with Flink's class path; flink-dist last, as Flink's own scripts put it."""
    jars = sorted((home.data("flink") / "lib").glob("*.jar"), key=lambda jar: ("flink-dist" in jar.name, jar.name))
    return [
        str(install.java()),
        *flags,
        "-XX:+ExitOnOutOfMemoryError",
        *_module_opens(),
        f"-Dlog.file={home.log(name)}",
        f"-Dlog4j.configurationFile={home.conf('flink') / 'log4j.properties'}",
        "-cp",
        class_path(*jars),
    ]


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
