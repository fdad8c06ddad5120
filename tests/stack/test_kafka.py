"""How the local stack names its Kafka cluster."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from infra.stack.kafka import cluster_id


@given(st.uuids())
def test_a_cluster_id_is_never_read_as_an_option(random: uuid.UUID) -> None:
    spelled = cluster_id(random)
    assert len(spelled) == 22
    assert not spelled.startswith("-")


def test_ids_that_kafka_would_read_as_options_lose_their_first_bit() -> None:
    assert cluster_id(uuid.UUID(bytes=b"\xf8" + bytes(15))) == cluster_id(uuid.UUID(bytes=b"\x78" + bytes(15)))
