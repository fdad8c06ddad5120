"""A small model in force."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from infra import control_topic, promotion
from jobs.train_fraud.train import NAME
from schemas.models import Promotion
from schemas.settings import Settings
from serving.registry import PRODUCTION, Registry
from tests import small_fraud_model


def promote_small_model(settings: Settings) -> None:
    """Train, register, and tell the control topic."""
    wanted = Promotion(small_fraud_model.registered(settings, "chaos"), PRODUCTION, 1, "chaos")
    send = partial(control_topic.send, settings.kafka)
    promotion.promote(Registry(Path(settings.registry.path)), send, NAME, wanted, promotion.Force())
