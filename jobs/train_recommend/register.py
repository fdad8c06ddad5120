"""A trained recommender as a version in the registry."""

from __future__ import annotations

import msgspec

from jobs.train_recommend.held_out import Fitted
from jobs.train_recommend.parameters import Parameters
from schemas.errors import GateError
from schemas.recommend_models import HeldOut, RecommendMetrics
from serving.artifact_folder import SIGNATURE
from serving.recommend.artifact import ITEM_TOWER, ITEMS, RANKER, USER_TOWER
from serving.recommend.control import MODEL
from serving.recommend.features.catalogue import FEATURES, NAMES
from serving.recommend.index import LEAST_RECALL
from serving.registry import Registry

NAME = MODEL


def register(
    registry: Registry,
    fitted: Fitted,
    parameters: Parameters,
    *,
    data: str,
    code_version: str,
    author: str,
    at_ms: int,
    measured: HeldOut | None = None,
) -> str:
    """Add it in Staging, with how it did on a part held out, and return its version.

    Raises GateError when the index finds too little.
    """
    recall = fitted.built.recall_at_10
    if recall < LEAST_RECALL:
        raise GateError(
            f"{NAME}: the index finds {recall:.3f} of the nearest 10, less than {LEAST_RECALL}; "
            "lower the dimension of the embeddings, or regularise them more"
        )
    items, towers = fitted.built.model.to_bytes(), fitted.built.model.towers

    def files(version: str) -> dict[str, bytes]:
        signature = fitted.signature(parameters, version=version, data=data, code_version=code_version)
        metrics = RecommendMetrics(recall, fitted.lists, fitted.built.interactions, f"{NAME}@{version}", measured)
        return {
            SIGNATURE: msgspec.json.format(msgspec.json.encode(signature), indent=1),
            RANKER: fitted.ranker.onnx,
            ITEMS: items,
            "metrics.json": msgspec.json.encode(metrics),
            "card.md": card(fitted, version, data).encode(),
            **({} if towers is None else {ITEM_TOWER: towers.item, USER_TOWER: towers.user}),
        }

    return registry.add(NAME, files, author=author, at_ms=at_ms)


def card(fitted: Fitted, version: str, data: str) -> str:
    """The model card, Markdown: what it is, what it learned from, what moves it."""
    total = sum(fitted.ranker.gains.values()) or 1.0
    base = sorted(zip(NAMES, fitted.ranker.base, strict=True), key=lambda pair: -abs(pair[1]))[:10]
    gains = sorted(fitted.ranker.gains.items(), key=lambda pair: -pair[1])[:10]
    return (
        f"# {NAME}@{version}\n\n{data}: {fitted.built.interactions:,} interactions with "
        f"{len(fitted.built.model.ids):,} items.\nThe ranker learned from {fitted.lists:,} lists; the index finds "
        f"{fitted.built.recall_at_10:.4f} of the nearest 10.\n\n"
        "Largest weights of the linear base:\n\n"
        + "".join(f"- `{name}` {weight:+.3f}\n" for name, weight in base)
        + "\nLargest shares of the trees' gain:\n\n"
        + "".join(f"- `{FEATURES[place].name}` {gain / total:.3f}\n" for place, gain in gains)
    )
