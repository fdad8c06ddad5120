"""The recommender of a bench: trained and in force while it lasts, and never taken for a champion."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra import control_topic
from infra.bench import recommender
from infra.demo import champion
from schemas import control
from schemas.control import ModelPointer
from schemas.events import ControlRecord
from schemas.settings import Registry as RegistrySettings
from schemas.settings import Settings
from serving.recommend import artifact
from serving.recommend.control import RecommendControl
from serving.registry import Registry


@pytest.fixture
def log(monkeypatch) -> list[ControlRecord]:
    """The control topic, in memory."""
    records: list[ControlRecord] = []
    monkeypatch.setattr(control_topic, "send", lambda _kafka, sent: records.extend(sent))
    monkeypatch.setattr(control_topic, "current", lambda _kafka: {})
    return records


def test_without_a_champion_one_is_made_and_its_pointer_is_taken_back(log, tmp_path: Path):
    given = Settings(registry=RegistrySettings(path=str(tmp_path)))
    job = RecommendControl(lambda pointer: artifact.load(pointer, tmp_path))
    with recommender.in_force(given, 1_500, lambda _: None) as label:
        assert isinstance(control.payload(log[-1]), ModelPointer)
        job.apply(log[-1])
        assert job.artifact is not None
        assert job.artifact.label == label == "recommend@1"
        assert job.artifact.linear is not None
        assert job.artifact.ranker is not None
    job.apply(log[-1])
    assert job.artifact is None
    assert Registry(tmp_path).champion("recommend") is None


def test_a_champion_that_is_there_answers_and_nothing_is_published(log, monkeypatch):
    monkeypatch.setattr(champion, "present", lambda _settings, _name: "7")
    with recommender.in_force(Settings(), 1_500, lambda _: None) as label:
        assert label == "recommend@7"
    assert log == []
