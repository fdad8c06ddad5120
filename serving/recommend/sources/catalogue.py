"""The sources of candidates, in the order of the pool; a new one is a file here and a line below."""

from __future__ import annotations

from schemas.control import RecommendPolicy, SourceShare
from serving.recommend.sources import again, cooccurrence, embedding, fresh, linear, lookalike, segment, trending
from serving.recommend.sources.source import Source

SOURCES: tuple[Source, ...] = (linear, embedding, cooccurrence, lookalike, trending, segment, again, fresh)
NAMES = tuple(source.NAME for source in SOURCES)


def shares(policy: RecommendPolicy) -> tuple[SourceShare, ...]:
    """Each source's share under a policy."""
    return tuple(policy.sources.get(source.NAME, source.SHARE) for source in SOURCES)
