"""What Flink is told: its config.yaml, its logging, and how a TaskManager's memory is divided."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from infra.stack.part import LOOPBACK
from schemas.settings import Settings

# MetricGroup: the Kafka sink registers `pendingCommittables` anew at every checkpoint and `currentSendTime` for every
# producer, and each time a warning says that the one before is kept: a line every few seconds that nobody can act on.
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
logger.metrics.name = org.apache.flink.metrics.MetricGroup
logger.metrics.level = ERROR
logger.netty.name = org.jboss.netty.channel.DefaultChannelPipeline
logger.netty.level = OFF
"""

# What Prometheus is told: our own, lag, how busy tasks are, how checkpoints and JVM do. All that Flink has are 2,700
# series for the job `materialize` alone, and each look at them, every 5 s, costs an eighth of a second of a core.
TOLD = (
    "jobmanager*:*",
    "*sluice*:*",
    "*operator:pendingRecords",
    "*task:busyTimeMsPerSecond,idleTimeMsPerSecond,backPressuredTimeMsPerSecond",
    "*task:numRecordsIn,numRecordsOut",
    "*Status*:*",
)


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
        heap_mb, managed_mb = process_mb * 45 // 100, process_mb // 10
        fixed_mb = Memory.off_heap_mb + Memory.network_mb + Memory.metaspace_mb
        return Memory(heap_mb, managed_mb, outside_mb=process_mb - heap_mb - managed_mb - fixed_mb)


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
        # A micro-batch is one record of a megabyte or more: with the default of some 300 KB between two tasks the one
        # would stand still while the other works.
        "taskmanager.network.memory.buffers-per-channel": "32",
        "taskmanager.network.memory.floating-buffers-per-gate": "128",
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
        "execution.checkpointing.dir": (data / "checkpoints").as_uri(),
        "execution.checkpointing.savepoint-dir": (data / "savepoints").as_uri(),
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "pipeline.object-reuse": "true",
        "python.execution-mode": "thread",
        "python.executable": sys.executable,
        "classloader.check-leaked-classloader": "false",
        "metrics.reporter.prom.factory.class": "org.apache.flink.metrics.prometheus.PrometheusReporterFactory",
        "metrics.reporter.prom.port": str(ports.flink_metrics_first),
        "metrics.reporter.prom.filterLabelValueCharacters": "false",
        "metrics.reporter.prom.filter.includes": ";".join(TOLD),
        "metrics.job.status.enable": "STATE;CURRENT_TIME",
    }
