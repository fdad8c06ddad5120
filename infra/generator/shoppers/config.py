"""What a generated shop is made of. The same config gives the same bytes."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from infra.generator.stretch import Stretch
from schemas.units import DAY_MS

# Events of a mean session, with and without those of the items shown: measured, so that a rate can be asked for.
EVENTS_PER_SESSION = 4.3
SHOWN_PER_SESSION = 15.8
MAX_SESSIONS_AT_ONCE = 5_000


@dataclass(frozen=True, kw_only=True)
class Config(Stretch):
    """The shop (seed, shoppers, items, rates) and how long it is watched from `start_ms` on.

    The stream begins with the catalogue of `items` and ends after `days` or after `count` interactions, whichever
    comes first, or never. `new_users` and `new_items` are shares of the first ones that come on a day. `bots_per_day`
    is how many programs call on a day. `impressions` also tells of every item that a list showed, as a `view` with
    `list_id` and `position`. Raises InputError that names the value.
    """

    seed: int = 1
    users: int = 5_000
    items: int = 2_000
    sessions_per_user_day: float = 0.5
    new_users: float = 0.01
    new_items: float = 0.01
    bots_per_day: float = 1.0
    impressions: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, value, low, high in (
            ("seed", self.seed, 0, 2**63 - 1),
            ("users", self.users, 10, 1_000_000),
            ("items", self.items, 100, 200_000),
            ("sessions_per_user_day", self.sessions_per_user_day, 0.001, 10_000),
            ("new_users", self.new_users, 0, 1),
            ("new_items", self.new_items, 0, 1),
            ("bots_per_day", self.bots_per_day, 0, 1_000),
            ("start_ms", self.start_ms, 2 * 365 * DAY_MS, 4_000_000_000_000),
        ):
            self.require(name, value, low, high)

    @property
    def sessions_per_day(self) -> float:
        """Expected sessions on the first day."""
        return self.users * self.sessions_per_user_day

    @property
    def events_per_session(self) -> float:
        """Expected interactions of a session."""
        return EVENTS_PER_SESSION + (SHOWN_PER_SESSION if self.impressions else 0)

    @property
    def slice_ms(self) -> int:
        """The stretch of time generated at once."""
        return self.slice_of(self.sessions_per_day, MAX_SESSIONS_AT_ONCE)

    @property
    def tag(self) -> str:
        """Eight hex digits that tell event ids of different shops and starts apart."""
        parts = (self.seed, self.users, self.items, self.sessions_per_user_day, self.new_users, self.new_items)
        shop = (*parts, self.bots_per_day, self.impressions, self.start_ms)
        return f"{zlib.crc32(repr(shop).encode()):08x}"
