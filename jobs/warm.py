"""Loads what the jobs need into a Python that waits for one, so that a task of theirs starts at once."""

from __future__ import annotations

import importlib

from schemas.control import ModelPointer
from schemas.events import Transaction
from serving.control import Control
from serving.entity_cache import EntityCache
from serving.model import Model
from serving.outcomes import Outcomes
from serving.pipeline import Pipeline, record

# The second can be imported inside a TaskManager alone.
MODULES = ("jobs.catalogue", "pyflink.fn_execution.embedded.operation_utils")


def up() -> None:
    """Import the jobs and decide one payment, which loads the compiled functions."""
    for module in MODULES:
        importlib.import_module(module)
    decide()


def decide() -> None:
    """One payment of nobody, through the whole step; nothing of it is kept."""
    pipeline = Pipeline(EntityCache(lambda _: None, 1), Outcomes(lambda _: None, 1), lambda *_: None, lambda: 0)
    payment = Transaction(event_id="e", event_time_ms=0, user_id="u", amount=1.0, merchant_id="m")
    pipeline.run([record(payment, 0)], Control(_no_model))


def _no_model(pointer: ModelPointer) -> Model:
    raise AssertionError(f"nobody asked for {pointer.name}")
