"""Times as people read and write them. All are UTC, in milliseconds since the epoch."""

from __future__ import annotations

from datetime import UTC, datetime


def day(time_ms: int) -> str:
    """2026-01-31"""
    return f"{_utc(time_ms):%Y-%m-%d}"


def minute(time_ms: int) -> str:
    """2026-01-31 08:00"""
    return f"{_utc(time_ms):%Y-%m-%d %H:%M}"


def second(time_ms: int) -> str:
    """2026-01-31 08:00:05Z"""
    return f"{_utc(time_ms):%Y-%m-%d %H:%M:%SZ}"


def second_utc(time_ms: int) -> str:
    """2026-01-31 08:00:05 UTC, for those who may not know what Z means."""
    return f"{_utc(time_ms):%Y-%m-%d %H:%M:%S UTC}"


def milliseconds(text: str) -> int:
    """The time that an ISO 8601 text names; without a zone it is UTC. Raises ValueError for another text."""
    moment = datetime.fromisoformat(text)
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _utc(time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms / 1000, UTC)
