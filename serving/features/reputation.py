"""Reputation: how often payments at a merchant turned out to be fraud, in windows that wait for labels."""

from __future__ import annotations

from schemas.features import EntityKind, Feature
from schemas.units import DAY_S
from serving.risk import NEVER_DAYS, WINDOWS_DAYS, Risk


def features(entity: EntityKind) -> tuple[Feature, ...]:
    """Count, frauds and fraud share of each delayed window, and the run of known frauds."""
    windows = tuple(
        Feature(
            name=f"{entity}_delayed_{aggregate}_{days}d",
            entity=entity,
            aggregate=aggregate,
            window=f"{days}d",
            # It ends a week ago, and both of its ends are whole hours.
            ttl_s=(days + 8) * DAY_S,
            description=f"{what} of the {entity} in the {days}d that ended 7d before this event, by whole hours.",
        )
        for days in WINDOWS_DAYS
        for aggregate, what in (
            ("count", "Transactions"),
            ("frauds", "Known frauds"),
            ("fraud_share", "Share of known frauds"),
        )
    )
    return windows + tuple(
        Feature(
            name=f"{entity}_{name}",
            entity=entity,
            aggregate=aggregate,
            default=default,
            description=text,
        )
        for name, aggregate, default, text in (
            ("fraud_run", "run", 0.0, "Known frauds in a row, the newest of those 7d and older, by whole hours."),
            ("fraud_run_days", "run", 0.0, "Days since that run began, 0 when there is none."),
            ("days_since_good", "last", NEVER_DAYS, "Days since the newest good payment among those 7d and older."),
        )
    )


def compute(time_ms: int, risk: Risk, out: list[float]) -> None:
    """Append the twelve values."""
    risk.values(time_ms, out)
