"""What is said on `control` of an end that was wished."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from infra import wished_stop
from schemas.errors import PartFailedError
from schemas.events import ControlRecord
from schemas.settings import Kafka


def test_a_process_that_ended_tells_that_it_was_wished(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[ControlRecord] = []
    monkeypatch.setattr(wished_stop.control_topic, "send", lambda _, records: told.extend(records))
    said: list[str] = []
    wished_stop.tell_or_report(Kafka(), "learn", said.append)
    assert [record.name for record in told] == ["stopped-learn"]
    assert said == []


def test_a_process_that_can_tell_nobody_ends_all_the_same_and_says_how_to_tell_it_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def down(*_: Any) -> None:
        raise PartFailedError("no broker answers")

    monkeypatch.setattr(wished_stop.control_topic, "send", down)
    said: list[str] = []
    wished_stop.tell_or_report(Kafka(), "api", said.append)
    (line,) = said
    assert "no broker answers" in line
    assert "`sluice control flag stopped-api on`" in line


def test_it_is_known_when_each_was_last_stopped_and_what_was_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def said(name: str, time_ms: int, payload: bytes) -> ControlRecord:
        return ControlRecord(event_id=name, event_time_ms=time_ms, kind="flag", name=name, payload=msgspec.Raw(payload))

    records = (
        said("stopped-learn", 5, b'{"enabled": true}'),
        said("stopped-api", 6, b'{"enabled": false}'),
        said("respond-retrain", 7, b'{"enabled": true}'),
        said("stopped-recommend", 8, b'{"enabled": 3}'),
    )
    monkeypatch.setattr(wished_stop.control_topic, "current", lambda _: {r.name: r for r in records})
    assert wished_stop.told(Kafka()) == {"learn": 5}
