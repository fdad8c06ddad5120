"""What a person is to hear: one alert that began or is over, in the form that is queued, delivered and logged."""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

from schemas.watching import AlertSeverity, Cause

State = Literal["firing", "resolved"]


class Notice(msgspec.Struct, frozen=True, omit_defaults=True):
    """An alert as it reached the router, at `at_ms`. `labels` tell alerts of one name apart.

    `since_ms` is when the alert began, as its signal says.
    """

    name: str
    severity: AlertSeverity
    state: State
    summary: str
    at_ms: int
    since_ms: int
    owner: str = ""
    action: str = ""
    value: float | None = None
    limit: float | None = None
    labels: dict[str, str] = {}
    causes: list[Cause] = []
    runbook: str = ""
    link: str = ""

    def key(self, person: str) -> str:
        """NOT-1: the hash of who is told, which alert it is, and what it is about."""
        told = msgspec.json.encode([person, self.name, sorted(self.labels.items())])
        return hashlib.sha256(told).hexdigest()[:32]


class Message(msgspec.Struct, frozen=True):
    """What is sent to a person at once: notices of one urgency, over `channels` of theirs, by number.

    A critical message takes several channels at once; any other one, each in turn until one takes it. `dropped` notices
    before these found no room to wait. `incidents` are those of PagerDuty, one for each notice; see
    `infra/alerts/incidents.py`. A `closing` message brings one PagerDuty ends of which people have heard; see
    `infra/alerts/owed_ends.py`.
    """

    message_id: str
    person: str
    urgent: bool
    notices: list[Notice]
    channels: list[int]
    dropped: int = 0
    incidents: list[str] = []
    closing: bool = False
