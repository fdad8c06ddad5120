"""Creates the topics of the table, deletes topics, and names what differs from the table."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from confluent_kafka import KafkaError, KafkaException, admin

from schemas.errors import PartFailedError
from schemas.settings import Settings
from schemas.topics import TOPICS, Topic

TIMEOUT_S = 15.0
# The client says what did not answer in time, a moment later; a wait that ends could not.
GRACE_S = 2.0
# How often it is asked whether new topics are there.
LOOK_S = 0.1

T = TypeVar("T")


@dataclass(frozen=True)
class Difference:
    """A topic that is missing, or has another setting than the table."""

    topic: str
    setting: str
    wanted: str
    found: str

    def __str__(self) -> str:
        if self.setting == "exists":
            return f"topic {self.topic} is missing"
        return f"topic {self.topic} has {self.setting} = {self.found}, the table says {self.wanted}"


def config(topic: Topic) -> dict[str, str]:
    """The broker's settings of a topic."""
    return {
        "cleanup.policy": topic.cleanup,
        "retention.ms": str(topic.retention_ms),
        "message.timestamp.type": topic.timestamp,
    }


def create(settings: Settings, topics: tuple[Topic, ...] = TOPICS) -> list[str]:
    """Create the topics that are missing; their names. Topics that exist are left as they are.

    Raises PartFailedError when the broker refuses or does not answer.
    """
    new = [
        admin.NewTopic(
            topic.name,
            num_partitions=partitions(settings, topic),
            replication_factor=settings.kafka.replication,
            config=config(topic),
        )
        for topic in topics
    ]
    created, client = [], _client(settings)
    asked = client.create_topics(new, operation_timeout=TIMEOUT_S, request_timeout=TIMEOUT_S)
    for name, done in asked.items():
        with _failing_as(settings, f"creating topic {name}"):
            if _is_new(done):
                created.append(name)
    with _failing_as(settings, "waiting for new topics"):
        _await(client, created)
    return created


def delete(settings: Settings, topics: tuple[Topic, ...]) -> None:
    """Delete topics with all that they hold.

    Raises PartFailedError when the broker refuses or does not answer.
    """
    client = _client(settings)
    asked = client.delete_topics(
        [topic.name for topic in topics], operation_timeout=TIMEOUT_S, request_timeout=TIMEOUT_S
    )
    for name, done in asked.items():
        with _failing_as(settings, f"deleting topic {name}"):
            _answer(done)


def alter(settings: Settings, topics: tuple[Topic, ...] = TOPICS) -> list[Difference]:
    """Bring topic settings back to the table; what was changed. The number of partitions is never changed.

    Raises PartFailedError when the broker refuses or does not answer.
    """
    known = {topic.name: topic for topic in topics}
    wrong = [found for found in differences(settings, topics) if found.setting in config(known[found.topic])]
    client = _client(settings)
    for found in wrong:
        entry = admin.ConfigEntry(found.setting, found.wanted, incremental_operation=admin.AlterConfigOpType.SET)
        resource = admin.ConfigResource(admin.ResourceType.TOPIC, found.topic, incremental_configs=[entry])
        with _failing_as(settings, f"altering topic {found.topic}"):
            _answer(client.incremental_alter_configs([resource], request_timeout=TIMEOUT_S)[resource])
    return wrong


def partitions(settings: Settings, topic: Topic) -> int:
    """How many partitions the topic gets here; a topic of one partition keeps one, for its order."""
    return topic.partitions if topic.partitions == 1 else settings.kafka.partitions or topic.partitions


def differences(settings: Settings, topics: tuple[Topic, ...] = TOPICS) -> list[Difference]:
    """Where the broker differs from the table.

    Raises PartFailedError when the broker does not answer.
    """
    client = _client(settings)
    with _failing_as(settings, "reading the topics"):
        present = client.list_topics(timeout=TIMEOUT_S).topics
        found: list[Difference] = []
        wanted = {topic.name: topic for topic in topics}
        found += [Difference(name, "exists", "yes", "no") for name in wanted if name not in present]
        known = [name for name in wanted if name in present]
        for name in known:
            expected, actual = partitions(settings, wanted[name]), len(present[name].partitions)
            if expected != actual:
                found.append(Difference(name, "partitions", str(expected), str(actual)))
        resources = [admin.ConfigResource(admin.ResourceType.TOPIC, name) for name in known]
        asked = client.describe_configs(resources, request_timeout=TIMEOUT_S) if known else {}
        for resource, answer in asked.items():
            values = _answer(answer)
            for key, value in config(wanted[resource.name]).items():
                if values[key].value != value:
                    found.append(Difference(resource.name, key, value, values[key].value))
    return found


def _client(settings: Settings) -> admin.AdminClient:
    return admin.AdminClient({"bootstrap.servers": settings.kafka.bootstrap, "log_level": 0})


def _await(client: admin.AdminClient, names: list[str]) -> None:
    """Return when the broker lists these topics: the controller has them a little earlier.

    Raises TimeoutError when it does not within TIMEOUT_S.
    """
    deadline_s = time.monotonic() + TIMEOUT_S
    while not client.list_topics(timeout=TIMEOUT_S).topics.keys() >= set(names):
        if time.monotonic() > deadline_s:
            raise TimeoutError
        time.sleep(LOOK_S)


def _is_new(done: Future[None]) -> bool:
    try:
        _answer(done)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise
        return False
    return True


def _answer(done: Future[T]) -> T:
    return done.result(timeout=TIMEOUT_S + GRACE_S)


@contextmanager
def _failing_as(settings: Settings, what: str) -> Iterator[None]:
    """What the broker refuses, or does not answer in time, as an error of ours."""
    try:
        yield
    except (KafkaException, TimeoutError) as error:
        why = error.args[0].str() if isinstance(error, KafkaException) else "no answer in time"
        raise PartFailedError(f"{what} on {settings.kafka.bootstrap} failed: {why}; see `sluice doctor`") from error
