"""What the alert router remembers between two calls, and over a restart."""

from __future__ import annotations

import msgspec

from infra.alerts.amounts import Amounts
from infra.alerts.notice import Message, Notice, State
from schemas.units import MINUTE_MS
from schemas.watching import Alert, DriftReport

# How long an alert lives of which nothing is heard, where its reports do not say how often they come: hourly.
LIFE_MS = 150 * MINUTE_MS


class Told(msgspec.Struct):
    """What was last taken in for a person of one alert; `muted` when its return within the dedup time was passed by.

    `incident` is the one that it opened at PagerDuty, until its end is delivered.
    """

    state: State
    at_ms: int
    muted: bool = False
    incident: str = ""


class Waiting(msgspec.Struct):
    """A notice that waits until `due_ms`."""

    notice: Notice
    due_ms: int


class Pager(msgspec.Struct):
    """What may be open at one PagerDuty: its last beginning, by incident.

    `failures` counts attempts in a row to tell it the ends alone; until `retry_ms` no other is made.
    """

    open: dict[str, Notice] = {}
    failures: int = 0
    retry_ms: int = 0


class PersonState(msgspec.Struct):
    """What a person was told (by key), what waits in order of arrival, deliveries of the last hour, what is under way.

    `failures` counts attempts in a row that no channel took; until `retry_ms` no other is made. `pagers` are the
    channels that keep incidents, by the identity that `infra/alerts/owed_ends.py` gives them.
    """

    told: dict[str, Told] = {}
    waiting: list[Waiting] = []
    delivered_ms: list[int] = []
    under_way: Message | None = None
    failures: int = 0
    retry_ms: int = 0
    dropped: int = 0
    pagers: dict[str, Pager] = {}


class Active(msgspec.Struct):
    """An alert of the stream that fires; `heard_ms` is when it was last told, by our clock; it lives `life_ms` on."""

    alert: Alert
    heard_ms: int
    life_ms: int = LIFE_MS


class Unsent(msgspec.Struct, frozen=True):
    """A record for Kafka that the broker is not known to have."""

    topic: str
    key: bytes
    value: bytes


class RouterState(msgspec.Struct):
    """Everything; `channels` are times of deliveries of the last hour by channel.

    `offsets` are the places in the topics up to which the rest accounts for them. `active` are the alerts of the stream
    that fire, `derived` those among them that the router itself made. `reports` are what drifts now, by model,
    `amounts` what flowed, by segment (`infra/alerts/amounts.py`). `responded_ms` is when a response was last made.
    `outbox` is what followed from all this and is still to be written, by number in the order in which it was made.
    """

    version: int = 1
    people: dict[str, PersonState] = {}
    channels: dict[str, list[int]] = {}
    messages: int = 0
    offsets: dict[str, int] = {}
    active: dict[str, Active] = {}
    derived: dict[str, Active] = {}
    reports: dict[str, dict[str, DriftReport]] = {}
    amounts: Amounts = {}
    responded_ms: dict[str, int] = {}
    watchdog_ms: int = 0
    outbox: dict[int, Unsent] = {}
    written: int = 0
