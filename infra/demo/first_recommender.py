"""The first recommender of an installation: trained in seconds on what the demo's shoppers did, put into Production."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from infra import wall_clock
from infra.author import author
from infra.demo import champion, shoppers
from infra.demo.steps import Tell
from jobs.evaluate_recommend import last_part
from jobs.evaluate_recommend.split import stratified
from jobs.train_recommend import held_out
from jobs.train_recommend.parameters import Embeddings, Parameters, Trees
from jobs.train_recommend.register import NAME, register
from schemas.recommend_models import RecommendMetrics
from schemas.settings import Settings
from serving.registry import Registry

# Enough to tell tastes from fashion, little enough not to keep anybody waiting.
PARAMETERS = Parameters(embeddings=Embeddings(rounds=6), trees=Trees(count=30), splits=1)
THREADS = 2


def present(settings: Settings) -> str | None:
    """The recommender in Production and what it learned from, None when there is none."""
    found = champion.present(settings, NAME)
    return None if found is None else _described(settings, found)


def make(settings: Settings, rate: float, from_ms: int, tell: Tell) -> str:
    """Train a recommender on the shoppers' past since a time, register it and promote it; what it learned from.

    Raises GateError when it does not beat the most popular items on its held-out part.
    """
    registry = Registry(Path(settings.registry.path))
    registry.require_writable(NAME)
    now_ms = wall_clock.now_ms()
    items, interactions = shoppers.catalogue(from_ms), list(shoppers.history(rate, from_ms, now_ms))
    tell(f"learns from {len(interactions):,} interactions")
    past = interactions[: last_part.learned(interactions)]
    fitted = held_out.fit(items, past, PARAMETERS, stratified, threads=THREADS, tell=tell)
    artifact = fitted.artifact(PARAMETERS)
    number = register(
        registry,
        fitted,
        PARAMETERS,
        data=f"Generated shoppers of the demo, seed {shoppers.SEED}",
        code_version=version("sluice"),
        author=author(),
        at_ms=now_ms,
        measured=last_part.measure(items, interactions, artifact, None, PARAMETERS, tell=tell),
    )
    champion.promote(settings, NAME, number, now_ms, "first model")
    return _described(settings, number)


def _described(settings: Settings, number: str) -> str:
    registry = Registry(Path(settings.registry.path))
    held = registry.measured(NAME, number, RecommendMetrics).held_out
    found = "" if held is None else f", hit rate@20 {held.own.hit_rate_at_20:.3f} on its last part, held out"
    return f"{NAME}@{number}: {registry.described(NAME, number).training_data}{found}"
