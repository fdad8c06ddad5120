"""Consumer lag as Kafka knows it: what lies behind the offsets that a job's consumer groups committed."""

from __future__ import annotations

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition, admin

from jobs.runtime.stage import Flow, Job
from schemas.errors import PartFailedError
from schemas.settings import Settings

TIMEOUT_S = 15.0
EARLIEST: admin.OffsetSpec = admin.OffsetSpec.earliest()  # type: ignore[no-untyped-call]  # the client's own gap
LATEST: admin.OffsetSpec = admin.OffsetSpec.latest()  # type: ignore[no-untyped-call]  # the client's own gap


def of_job(settings: Settings, job: Job) -> int:
    """Records that the last checkpoint of a job does not cover; all there are where none covered any.

    Raises PartFailedError when the broker does not answer.
    """
    client = admin.AdminClient({"bootstrap.servers": settings.kafka.bootstrap, "log_level": 0})
    try:
        return sum(_of_flow(client, settings, job, flow) for flow in job.flows if flow.permille(settings))
    except (KafkaException, TimeoutError) as error:
        raise PartFailedError(
            f"asking {settings.kafka.bootstrap} for the offsets of {job.name} failed ({error}); see `sluice status`"
        ) from error


def _of_flow(client: admin.AdminClient, settings: Settings, job: Job, flow: Flow) -> int:
    group = job.consumer_group(flow, settings)
    asked = client.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)], request_timeout=TIMEOUT_S)
    committed = {
        (place.topic, place.partition): place.offset
        for place in asked[group].result(TIMEOUT_S).topic_partitions
        if place.offset >= 0
    }
    places = [
        (topic.name, partition)
        for topic in flow.sources
        for partition in client.list_topics(topic.name, timeout=TIMEOUT_S).topics[topic.name].partitions
    ]
    # Of a partition in which a source has found nothing yet, it commits nothing.
    begins = _offsets(client, [place for place in places if place not in committed], EARLIEST)
    ends = _offsets(client, places, LATEST)
    # Of a topic that was made anew the end may lie before what was committed of the one that is gone.
    return sum(max(0, ends[place] - (begins | committed)[place]) for place in places)


def _offsets(
    client: admin.AdminClient, places: list[tuple[str, int]], which: admin.OffsetSpec
) -> dict[tuple[str, int], int]:
    asked = {TopicPartition(*place): which for place in places}
    if not asked:
        return {}
    found = client.list_offsets(asked, request_timeout=TIMEOUT_S)
    return {(place.topic, place.partition): future.result(TIMEOUT_S).offset for place, future in found.items()}
