"""What a generated world is made of. The same config gives the same bytes."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from schemas.errors import InputError

DAY_MS = 24 * 3600 * 1000
HOUR_MS = 3600 * 1000


@dataclass(frozen=True, kw_only=True)
class Config:
    """The world (seed, users, merchants, rates) and the part of its endless time line that is wanted.

    `start_ms` is the earliest event time; the stream ends after `days` or after `count` transactions, whichever
    comes first, or never. `fraud_share` is a share of transactions. Delays of labels are event time.
    `drain_labels` also emits labels that become known after the last transaction.
    Raises InputError that names the value.
    """

    seed: int = 1
    users: int = 5_000
    merchants: int = 1_000
    per_user_day: float = 3.0
    fraud_share: float = 0.007
    start_ms: int = 1_735_689_600_000
    days: float | None = None
    count: int | None = None
    labels: bool = True
    drain_labels: bool = False
    reported_share: float = 0.85
    chargeback_min_days: float = 1.0
    chargeback_max_days: float = 30.0
    review_share: float = 0.003
    # Only these fraud patterns, in equal shares; none named: the catalogue's mixture.
    patterns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("seed", self.seed, 0, 2**63 - 1),
            ("users", self.users, 10, 5_000_000),
            ("merchants", self.merchants, 100, 1_000_000),
            ("per_user_day", self.per_user_day, 0.001, 1_000_000),
            ("fraud_share", self.fraud_share, 0, 0.5),
            ("start_ms", self.start_ms, 0, 4_000_000_000_000),
            ("days", 1 if self.days is None else self.days, 0, 3_650),
            ("count", 1 if self.count is None else self.count, 0, 10**12),
            ("reported_share", self.reported_share, 0, 1),
            ("chargeback_min_days", self.chargeback_min_days, 0.05, 365),
            ("chargeback_max_days", self.chargeback_max_days, self.chargeback_min_days, 365),
            ("review_share", self.review_share, 0, 1),
        ):
            if not low <= value <= high:
                raise InputError(f"generator: {name} is {value}; give a value from {low} to {high}")

    @property
    def per_day(self) -> float:
        """Expected transactions a day."""
        return self.users * self.per_user_day

    @property
    def end_ms(self) -> int | None:
        """The event time at which the stream ends (exclusive), None when days are not bounded."""
        return None if self.days is None else self.start_ms + round(self.days * DAY_MS)

    @property
    def slice_ms(self) -> int:
        """The stretch of time generated at once: at most an hour, and few enough events to keep memory flat."""
        for part in (1, 2, 4, 6, 12, 60, 360):
            if self.per_day / 24 / part <= 50_000:
                return HOUR_MS // part
        return 1_000

    @property
    def tag(self) -> str:
        """Eight hex digits that tell event ids of different worlds apart."""
        world = (self.seed, self.users, self.merchants, self.per_user_day, self.fraud_share, *self.patterns)
        return f"{zlib.crc32(repr(world).encode()):08x}"
