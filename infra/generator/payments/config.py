"""What a generated world is made of. The same config gives the same bytes."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from infra.generator.stretch import Stretch

MAX_EVENTS_AT_ONCE = 50_000


@dataclass(frozen=True, kw_only=True)
class Config(Stretch):
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
    labels: bool = True
    drain_labels: bool = False
    reported_share: float = 0.85
    chargeback_min_days: float = 1.0
    chargeback_max_days: float = 30.0
    review_share: float = 0.003
    # Only these fraud patterns, in equal shares; none named: the catalogue's mixture.
    patterns: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, value, low, high in (
            ("seed", self.seed, 0, 2**63 - 1),
            ("users", self.users, 10, 5_000_000),
            ("merchants", self.merchants, 100, 1_000_000),
            ("per_user_day", self.per_user_day, 0.001, 1_000_000),
            ("fraud_share", self.fraud_share, 0, 0.5),
            ("reported_share", self.reported_share, 0, 1),
            ("chargeback_min_days", self.chargeback_min_days, 0.05, 365),
            ("chargeback_max_days", self.chargeback_max_days, self.chargeback_min_days, 365),
            ("review_share", self.review_share, 0, 1),
        ):
            self.require(name, value, low, high)

    @property
    def per_day(self) -> float:
        """Expected transactions a day."""
        return self.users * self.per_user_day

    @property
    def slice_ms(self) -> int:
        """The stretch of time generated at once."""
        return self.slice_of(self.per_day, MAX_EVENTS_AT_ONCE)

    @property
    def tag(self) -> str:
        """Eight hex digits that tell event ids of different worlds apart."""
        world = (self.seed, self.users, self.merchants, self.per_user_day, self.fraud_share, *self.patterns)
        return f"{zlib.crc32(repr(world).encode()):08x}"
