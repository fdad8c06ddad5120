"""Whether the parts that tell nothing of themselves answer: a question to each, every few seconds."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping

import redis
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from infra.alerts.metrics import RouterMetrics
from schemas.settings import Settings

EVERY_S, TIMEOUT_S = 5.0, 2.0

Probe = Callable[[], None]


class NoAnswerError(Exception):
    """A part did not answer; it is counted, not raised beyond this file."""


def probes(settings: Settings) -> dict[str, Probe]:
    """A question for each part, which raises NoAnswerError."""
    client = redis.Redis.from_url(settings.redis.url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S)
    admin = AdminClient({"bootstrap.servers": settings.kafka.bootstrap, "log_level": 0})
    admin.poll(0)

    def ask_redis() -> None:
        try:
            client.ping()
        except (redis.RedisError, OSError) as error:
            raise NoAnswerError(str(error)) from error

    def ask_kafka() -> None:
        try:
            admin.list_topics(timeout=TIMEOUT_S)
        except KafkaException as error:
            raise NoAnswerError(str(error)) from error

    def ask_cassandra() -> None:
        # A session is heavy; that its port is served is enough, its errors are the deliveries' log's to tell.
        for host in settings.cassandra.hosts:
            try:
                socket.create_connection((host, settings.cassandra.port), TIMEOUT_S).close()
                return
            except OSError as error:
                last = error
        raise NoAnswerError(str(last))

    return {"redis": ask_redis, "kafka": ask_kafka, "cassandra": ask_cassandra}


def probe_once(asked: Mapping[str, Probe], metrics: RouterMetrics) -> None:
    """Ask each part and note the answer."""
    for part, ask in asked.items():
        begun = time.perf_counter()
        try:
            ask()
            up = 1
        except NoAnswerError:
            up = 0
        metrics.part_answer.labels(part).set(time.perf_counter() - begun)
        metrics.part_up.labels(part).set(up)


def keep_probing(asked: Mapping[str, Probe], metrics: RouterMetrics, stop: threading.Event) -> None:
    """Ask until told to stop."""
    while not stop.is_set():
        probe_once(asked, metrics)
        stop.wait(EVERY_S)
