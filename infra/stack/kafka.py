"""Kafka: one KRaft node, broker and controller in one process."""

from __future__ import annotations

import base64
import subprocess
import uuid
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from infra.stack import jvm, probe, process, versions
from infra.stack.home import Home
from infra.stack.part import LOOPBACK, Part, class_path
from schemas.errors import PartFailedError
from schemas.settings import Settings

# A dead letter wraps a record of up to 1 MB in base64, with its reason.
MAX_MESSAGE_BYTES = 4 * 1024 * 1024


def part(settings: Settings) -> Part:
    """The broker."""
    home, ports = Home.of(settings), settings.stack.ports

    def command() -> list[str]:
        return [*_java(home, settings.stack.kafka_heap_mb), "kafka.Kafka", str(_properties_file(home))]

    return Part(
        name="kafka",
        service="kafka",
        version=versions.KAFKA,
        ports={"clients": ports.kafka, "controller": ports.kafka_controller},
        programs=("java",),
        jars=("kafka",),
        memory_mb=settings.stack.kafka_heap_mb + 256,
        prepare=lambda: _prepare(settings, home),
        command=command,
        probe=lambda _: _probe(ports.kafka),
        # Its protocol tells versions of each request, not the release.
        says_version=lambda running: process.jar_version(running, "kafka-server"),
        stop_timeout_s=30,
    )


def broker_properties(settings: Settings, data: Path) -> dict[str, str]:
    """What the broker is told, here and in docker-compose.yml."""
    ports = settings.stack.ports
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{LOOPBACK}:{ports.kafka_controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{LOOPBACK}:{ports.kafka},CONTROLLER://{LOOPBACK}:{ports.kafka_controller}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{ports.kafka}",
        "log.dirs": str(data),
        "auto.create.topics.enable": "false",
        "log.retention.hours": "168",
        "message.max.bytes": str(MAX_MESSAGE_BYTES),
        "replica.fetch.max.bytes": str(MAX_MESSAGE_BYTES),
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
        # After a SIGKILL the broker may register again only when its former session has run out.
        "broker.session.timeout.ms": "4000",
        "broker.heartbeat.interval.ms": "500",
        "num.network.threads": "2",
        "num.io.threads": "4",
        "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
    }


def _properties_file(home: Home) -> Path:
    return home.conf("kafka") / "server.properties"


def _java(home: Home, heap_mb: int) -> list[str]:
    jars = sorted(home.lib("kafka").glob("*.jar"))
    return jvm.command(
        [
            f"-Xms{heap_mb}m",
            f"-Xmx{heap_mb}m",
            "-XX:+UseG1GC",
            "-XX:MaxGCPauseMillis=20",
            "-Djava.awt.headless=true",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
            "-cp",
            class_path(*jars),
        ]
    )


def cluster_id(random: uuid.UUID) -> str:
    """`random` as Kafka spells its ids: 22 characters of base64 for URLs.

    The first bit is dropped: one uuid in 64 is spelled with a dash in front, which Kafka's own tool reads as an option.
    """
    first, *rest = random.bytes
    return base64.urlsafe_b64encode(bytes([first & 0x7F, *rest])).decode().rstrip("=")


def _prepare(settings: Settings, home: Home) -> None:
    """Write the configuration, and format the log folder once.

    Raises PartFailedError with the tool's last line.
    """
    data, file = home.data("kafka"), _properties_file(home)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{key}={value}\n" for key, value in broker_properties(settings, data).items()))
    formatted = home.data("kafka.formatted")
    if formatted.exists() and (data / "meta.properties").exists():
        return
    # Without the mark the broker never ran here: whatever lies there is a format that was cut short.
    home.fresh(data)
    tool = [*_java(home, 128), "kafka.tools.StorageTool", "format", "-t", cluster_id(uuid.uuid4()), "-c", str(file)]
    done = subprocess.run(tool, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        reason = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise PartFailedError(f"kafka: formatting {data} failed: {' '.join(reason)}; see `sluice doctor`")
    formatted.touch()


def _probe(port: int) -> str | None:
    refused = probe.opens(port)
    if refused:
        return refused
    try:
        AdminClient({"bootstrap.servers": f"{LOOPBACK}:{port}", "log_level": 0}).list_topics(timeout=probe.TIMEOUT_S)
    except KafkaException as error:
        return str(error.args[0].str())
    return None
