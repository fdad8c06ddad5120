"""The control topic of the tests of promotion."""

from __future__ import annotations

import pytest
from promotion_builders import Topic

from infra import control_topic


@pytest.fixture
def topic() -> Topic:
    return Topic()


@pytest.fixture
def log(monkeypatch, topic) -> Topic:
    """The commands read and write the topic in memory."""
    monkeypatch.setattr(control_topic, "current", lambda _kafka: dict(topic.records))
    monkeypatch.setattr(control_topic, "send", lambda _kafka, sent: topic.take(sent))
    return topic
