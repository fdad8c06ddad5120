"""Whether it is time to train anew, and on which days: the policy of `[retrain]` over what is known (ROL-1, ROL-2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import ceil

from schemas.events import Decision, Event, Transaction
from schemas.instants import day
from schemas.settings import Retrain
from schemas.units import DAY_MS
from serving.features.catalogue import FEATURE_SET


@dataclass(frozen=True)
class Request:
    """What an alert asked for (infra/alerts/responses.py): when, and which alert it was."""

    at_ms: int
    alert: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a decision rests on.

    `versions` are those in the registry; `trained_ms` is when the newest was registered, None without one.
    `new_samples` are the payments that have waited long enough for their labels since then, None as long as nobody has
    counted. `first_ms` is the first of all payments that can be learned; `left_out` are the decisions that were made
    with another feature set.
    """

    now_ms: int
    trained_ms: int | None
    new_samples: int | None = None
    first_ms: int | None = None
    left_out: int = 0
    requests: tuple[Request, ...] = ()
    versions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """Train when something calls for it and nothing speaks against it, on the payments from `from_ms` on."""

    triggers: tuple[str, ...]
    against: tuple[str, ...]
    from_ms: int

    @property
    def train(self) -> bool:
        """Whether to train now."""
        return bool(self.triggers) and not self.against


def can_be_learned(event: Event) -> bool:
    """Whether the features of an event are, or will be, those of this release."""
    return not isinstance(event, Decision) or event.repeat or event.feature_set == FEATURE_SET


def is_payment(event: Event) -> bool:
    """Whether the event is a payment that came for the first time."""
    return isinstance(event, Transaction) or (isinstance(event, Decision) and not event.repeat)


def needs_count(policy: Retrain, facts: Facts) -> bool:
    """Whether the number of new payments can change the answer: it takes a pass over the whole history."""
    return not _against(policy, facts) and (policy.new_samples > 0 or bool(_triggers(policy, facts)))


def counted(policy: Retrain, facts: Facts, events: Iterable[Event]) -> Facts:
    """The facts with the payments of the history, which may come in any order."""
    label_ms = policy.label_days * DAY_MS
    since_ms = 0 if facts.trained_ms is None else facts.trained_ms - label_ms
    until_ms = facts.now_ms - label_ms
    new_samples, left_out, first_ms = 0, 0, None
    for event in events:
        if not can_be_learned(event):
            left_out += 1
        elif is_payment(event) and event.event_time_ms < until_ms:
            new_samples += since_ms <= event.event_time_ms
            first_ms = event.event_time_ms if first_ms is None else min(first_ms, event.event_time_ms)
    return replace(facts, new_samples=new_samples, first_ms=first_ms, left_out=left_out)


def decide(policy: Retrain, facts: Facts) -> Verdict:
    """What calls for a training, and what speaks against one, each in words."""
    return Verdict(tuple(_triggers(policy, facts)), tuple(_against(policy, facts)), _from_ms(policy, facts))


def _from_ms(policy: Retrain, facts: Facts) -> int:
    return max(0, facts.now_ms - policy.window_days * DAY_MS)


def _triggers(policy: Retrain, facts: Facts) -> list[str]:
    trained_ms = facts.trained_ms
    if trained_ms is None:
        return ["there is no model yet"]
    found = []
    due_ms = last_due_ms(policy, facts.now_ms)
    if due_ms is not None and trained_ms < due_ms:
        found.append(f"the {policy.schedule} schedule was due on {day(due_ms)}")
    # What was asked before the newest training was answered by it.
    alerts = sorted({request.alert for request in facts.requests if request.at_ms > trained_ms})
    if policy.on_alerts and alerts:
        found.append(f"asked for by {', '.join(alerts)}")
    if facts.new_samples is not None and 0 < policy.new_samples <= facts.new_samples:
        found.append(f"{facts.new_samples:,} new payments, {policy.new_samples:,} are enough")
    return found


def _against(policy: Retrain, facts: Facts) -> list[str]:
    found = []
    if facts.trained_ms is not None and facts.now_ms - facts.trained_ms < policy.min_interval_days * DAY_MS:
        hours = (facts.now_ms - facts.trained_ms) / DAY_MS * 24
        found.append(f"trained {hours:.1f} h ago, not again within {policy.min_interval_days:g} days")
    if facts.new_samples is not None and facts.new_samples < policy.min_new_samples:
        found.append(f"{facts.new_samples:,} new payments with labels of {policy.min_new_samples:,} that are needed")
    if facts.first_ms is not None:
        # Training and validation are apart by the label delay, and the newest payments have no labels yet.
        first_ms = max(facts.first_ms, _from_ms(policy, facts))
        ready_ms = first_ms + 2 * policy.label_days * DAY_MS
        if facts.now_ms <= ready_ms:
            days = ceil((ready_ms + 1 - facts.now_ms) / DAY_MS)
            found.append(f"payments to learn from begin on {day(first_ms)}; in {days} days they span two label delays")
    return found


def last_due_ms(policy: Retrain, now_ms: int) -> int | None:
    """The newest instant of the schedule that is not after `now_ms`: midnights, UTC; None without a schedule."""
    midnight = datetime.fromtimestamp(now_ms / 1000, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    match policy.schedule:
        case "off":
            return None
        case "daily":
            due = midnight
        case "weekly":
            # Sunday's midnight.
            due = midnight - timedelta(days=(midnight.weekday() + 1) % 7)
        case "monthly":
            due = midnight.replace(day=1)
    return round(due.timestamp() * 1000)
