"""Scores: what each source says of a candidate, against what it says of the others of the list."""

from __future__ import annotations

from serving.compiled import compiled
from serving.recommend.ask import Ask
from serving.recommend.features.group import RankFeature, Shortlist
from serving.recommend.sources.catalogue import NAMES
from serving.recommend.workspace import Scores

FEATURES: tuple[RankFeature, ...] = (
    *(
        RankFeature(f"{name}_score", f"Score of the source {name}, in deviations from the list's mean.")
        for name in NAMES
    ),
    RankFeature("sources", "How many sources brought the candidate."),
    RankFeature("blend", "The weighted sum that made the shortlist, in deviations from the list's mean."),
)


def compute(ask: Ask, shortlist: Shortlist, out: Scores) -> None:  # noqa: ARG001  one shape for all
    """One column a source, then their number and the blend."""
    _compute(shortlist.scores, shortlist.blend, out)


@compiled
def standardise(values: Scores, out: Scores) -> None:
    """Deviations from the mean, in standard deviations; zeros for values that are all the same."""
    mean = values.mean()
    deviation = values.std()
    for row in range(len(values)):
        out[row] = (values[row] - mean) / deviation if deviation > 1e-9 else 0.0


@compiled
def _compute(scores: Scores, blend: Scores, out: Scores) -> None:
    sources = scores.shape[1]
    for source in range(sources):
        standardise(scores[:, source], out[:, source])
    for row in range(len(blend)):
        brought = 0
        for source in range(sources):
            brought += scores[row, source] != 0
        out[row, sources] = brought
    standardise(blend, out[:, sources + 1])
