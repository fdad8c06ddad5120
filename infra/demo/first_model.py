"""The first model of an installation: trained in seconds on generated history, and put into Production."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from infra import wall_clock
from infra.author import author
from infra.demo import champion
from infra.demo.customers import TRAINING_SEED, TrainingDays
from infra.demo.steps import Tell
from jobs.train_fraud.backfill import backfill
from jobs.train_fraud.parameters import Parameters
from jobs.train_fraud.split import Split
from schemas.models import FRAUD, Signature
from schemas.settings import Settings
from serving.registry import Registry

# Enough to tell fraud from habit, few enough not to keep anybody waiting.
PARAMETERS = Parameters(n_estimators=80, max_depth=6, learning_rate=0.1)
THREADS = 2


def present(settings: Settings) -> Signature | None:
    """The model in Production, None when there is none."""
    version = champion.present(settings, FRAUD)
    return None if version is None else Registry(Path(settings.registry.path)).signature(FRAUD, version)


def make(settings: Settings, tell: Tell) -> Signature:
    """Train a model, register it and promote it; the running job takes it within seconds."""
    from jobs.train_fraud.train import register, train  # noqa: PLC0415  takes seconds, and mostly a model is there

    registry = Registry(Path(settings.registry.path))
    registry.require_writable(FRAUD)
    now_ms = wall_clock.now_ms()
    days = TrainingDays(now_ms)
    examples = backfill(
        days.events(), since_ms=days.train_from_ms, progress=lambda count, _: tell(f"{count:,} payments and labels")
    )
    end_ms = int(examples.times_ms[-1]) + 1
    split = Split(days.train_from_ms, days.train_to_ms, days.calibrated_to_ms, days.validate_from_ms, end_ms)
    trained = train(examples, split, PARAMETERS, threads=THREADS, tell=tell)
    number = register(
        registry,
        trained,
        split,
        PARAMETERS,
        name=FRAUD,
        data=f"Generated history of the demo, seed {TRAINING_SEED}",
        code_version=version("sluice"),
        author=author(),
        at_ms=now_ms,
    )
    champion.promote(settings, FRAUD, number, now_ms, "first model")
    tell(f"{FRAUD}@{number}, average precision {trained.metrics.average_precision:.2f}")
    return registry.signature(FRAUD, number)
