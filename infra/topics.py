"""Creates the topics of the table, and names what differs from it."""

from __future__ import annotations

from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException, admin

from schemas.errors import PartFailedError
from schemas.settings import Settings
from schemas.topics import TOPICS, Topic

TIMEOUT_S = 15.0


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
    for name, done in client.create_topics(new, operation_timeout=TIMEOUT_S).items():
        try:
            done.result(timeout=TIMEOUT_S)
            created.append(name)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise _failed(settings, f"creating topic {name}", error) from error
    return created


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
        try:
            client.incremental_alter_configs([resource])[resource].result(timeout=TIMEOUT_S)
        except KafkaException as error:
            raise _failed(settings, f"altering topic {found.topic}", error) from error
    return wrong


def partitions(settings: Settings, topic: Topic) -> int:
    """How many partitions the topic gets here; a topic of one partition keeps one, for its order."""
    return topic.partitions if topic.partitions == 1 else settings.kafka.partitions or topic.partitions


def differences(settings: Settings, topics: tuple[Topic, ...] = TOPICS) -> list[Difference]:
    """Where the broker differs from the table.

    Raises PartFailedError when the broker does not answer.
    """
    client = _client(settings)
    try:
        present = client.list_topics(timeout=TIMEOUT_S).topics
        found: list[Difference] = []
        wanted = {topic.name: topic for topic in topics}
        found += [Difference(name, "exists", "yes", "no") for name in wanted if name not in present]
        known = [name for name in wanted if name in present]
        for name in known:
            expected, actual = partitions(settings, wanted[name]), len(present[name].partitions)
            if expected != actual:
                found.append(Difference(name, "partitions", str(expected), str(actual)))
        asked = (
            client.describe_configs([admin.ConfigResource(admin.ResourceType.TOPIC, name) for name in known])
            if known
            else {}
        )
        for resource, answer in asked.items():
            values = answer.result(timeout=TIMEOUT_S)
            for key, value in config(wanted[resource.name]).items():
                if values[key].value != value:
                    found.append(Difference(resource.name, key, value, values[key].value))
    except KafkaException as error:
        raise _failed(settings, "reading the topics", error) from error
    return found


def _client(settings: Settings) -> admin.AdminClient:
    return admin.AdminClient({"bootstrap.servers": settings.kafka.bootstrap, "log_level": 0})


def _failed(settings: Settings, what: str, error: KafkaException) -> PartFailedError:
    return PartFailedError(f"{what} on {settings.kafka.bootstrap} failed: {error.args[0].str()}; see `sluice doctor`")
