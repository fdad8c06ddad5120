"""Cassandra: the history store, one node."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from infra.stack import cassandra_version, jvm, probe, versions
from infra.stack.home import Home
from infra.stack.part import LOOPBACK, Part, class_path
from schemas.settings import Settings

# CQL native protocol v4: an OPTIONS frame, and the head of the SUPPORTED frame that answers it.
OPTIONS_FRAME = bytes([0x04, 0, 0, 0, 0x05, 0, 0, 0, 0])
SUPPORTED_HEAD = bytes([0x84, 0, 0, 0, 0x06])

# What Cassandra 5.0 needs opened on Java 17 (its own jvm17-server.options).
EXPORTS = (
    "java.base/jdk.internal.misc",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server",
    "java.rmi/sun.rmi.transport.tcp",
    "java.sql/java.sql",
    "java.base/java.lang.ref",
    "java.base/jdk.internal.ref",
    "jdk.unsupported/sun.misc",
    "jdk.compiler/com.sun.tools.javac.file",
)
OPENS = (
    "java.base/java.lang.module",
    "java.base/java.lang.reflect",
    "java.base/java.lang",
    "java.base/java.io",
    "java.base/java.math",
    "java.base/java.net",
    "java.base/java.nio",
    "java.base/java.nio.charset",
    "java.base/java.nio.file.spi",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/sun.nio.ch",
    "java.base/jdk.internal.loader",
    "java.base/jdk.internal.ref",
    "java.base/jdk.internal.reflect",
    "java.base/jdk.internal.math",
    "java.base/jdk.internal.module",
    "java.base/jdk.internal.util.jar",
    "jdk.management/com.sun.management.internal",
    "jdk.compiler/com.sun.tools.javac",
)

LOGBACK = """<configuration>
  <appender name="OUT" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%date{ISO8601} %-5level %logger{0} %msg%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="OUT"/></root>
  <logger name="org.apache.cassandra.service.CassandraDaemon" level="INFO"/>
</configuration>
"""


def part(settings: Settings) -> Part:
    """The history store."""
    home, ports = Home.of(settings), settings.stack.ports
    conf = home.conf("cassandra")

    def prepare() -> None:
        home.data("cassandra").mkdir(parents=True, exist_ok=True)
        conf.mkdir(parents=True, exist_ok=True)
        conf.joinpath("logback.xml").write_text(LOGBACK)
        # JSON is YAML.
        conf.joinpath("cassandra.yaml").write_text(
            json.dumps(configuration(settings, home.data("cassandra")), indent=2)
        )

    return Part(
        name="cassandra",
        service="cassandra",
        version=versions.CASSANDRA,
        ports={"clients": ports.cassandra, "storage": ports.cassandra_storage},
        programs=("java",),
        jars=("cassandra",),
        memory_mb=settings.stack.cassandra_heap_mb + 512,
        prepare=prepare,
        command=lambda: _command(settings, home, conf),
        probe=lambda _: probe.exchange(ports.cassandra, OPTIONS_FRAME, SUPPORTED_HEAD),
        says_version=lambda _: cassandra_version.release(ports.cassandra),
        stop_timeout_s=30,
        # History is for people and for training: who answers goes first.
        niceness=5,
    )


def configuration(settings: Settings, data: Path) -> dict[str, Any]:
    """cassandra.yaml for one node on loopback."""
    ports = settings.stack.ports
    return {
        "cluster_name": "sluice",
        "num_tokens": 1,
        "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
        "endpoint_snitch": "SimpleSnitch",
        "seed_provider": [
            {
                "class_name": "org.apache.cassandra.locator.SimpleSeedProvider",
                "parameters": [{"seeds": f"{LOOPBACK}:{ports.cassandra_storage}"}],
            }
        ],
        "listen_address": LOOPBACK,
        "storage_port": ports.cassandra_storage,
        "rpc_address": LOOPBACK,
        "native_transport_port": ports.cassandra,
        "auto_bootstrap": False,
        "data_file_directories": [str(data / "data")],
        "commitlog_directory": str(data / "commitlog"),
        "saved_caches_directory": str(data / "saved_caches"),
        "hints_directory": str(data / "hints"),
        "cdc_raw_directory": str(data / "cdc_raw"),
        # A killed process loses nothing: the operating system has the log; a killed machine may lose this period.
        "commitlog_sync": "periodic",
        "commitlog_sync_period": "1000ms",
        "commitlog_segment_size": "16MiB",
        # As few threads as cores can run: more of them woke each other 8,000 times a second at 1,000 decisions/s.
        "concurrent_reads": 4,
        "concurrent_writes": 4,
        "native_transport_max_threads": 4,
        "concurrent_compactors": 1,
        "memtable_heap_space": "128MiB",
        "memtable_offheap_space": "128MiB",
        "networking_cache_size": "32MiB",
        "file_cache_size": "64MiB",
        "auto_snapshot": False,
        # The batches of serving/stores/cassandra_history.py are that large on purpose; a warning each costs more.
        "batch_size_warn_threshold": "48KiB",
        "unlogged_batch_across_partitions_warn_threshold": 32,
        "write_request_timeout": "5000ms",
        "read_request_timeout": "5000ms",
    }


def _command(settings: Settings, home: Home, conf: Path) -> list[str]:
    jars = sorted(home.lib("cassandra").glob("*.jar"))
    agent = next(jar for jar in jars if jar.name.startswith("jamm-"))
    heap_mb = settings.stack.cassandra_heap_mb
    return jvm.command(
        [
            f"-Xms{heap_mb // 2}m",
            f"-Xmx{heap_mb}m",
            "-XX:+UseG1GC",
            "-XX:MaxGCPauseMillis=100",
            "-XX:+UseStringDeduplication",
            "-Xss512k",
            f"-javaagent:{agent}",
            *(word for name in EXPORTS for word in ("--add-exports", f"{name}=ALL-UNNAMED")),
            *(word for name in OPENS for word in ("--add-opens", f"{name}=ALL-UNNAMED")),
            "-Djdk.attach.allowAttachSelf=true",
            "-Dio.netty.tryReflectionSetAccessible=true",
            "-Djava.awt.headless=true",
            "-Dcassandra-foreground=yes",
            "-Dcassandra.skip_wait_for_gossip_to_settle=0",
            "-Dcassandra.ring_delay_ms=100",
            f"-Dcassandra.config=file://{conf / 'cassandra.yaml'}",
            f"-Dcassandra.storagedir={home.data('cassandra')}",
            f"-Dcassandra.logdir={home.root / 'log'}",
            f"-Dlogback.configurationFile={conf / 'logback.xml'}",
            "-cp",
            class_path(conf, *jars),
            "org.apache.cassandra.service.CassandraDaemon",
        ]
    )
