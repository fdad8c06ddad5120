"""Whether it is time to train anew, and on which days: the policy of `[retrain]` over what is known (ROL-1, ROL-2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from schemas.settings import Retrain
from serving.windows import DAY_MS


@dataclass(frozen=True)
class Request:
    """What an alert asked for (infra/alerts/responses.py): when, and which alert it was."""

    at_ms: int
    alert: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a decision rests on.

    `trained_ms` is when the newest version was registered, None without one. `new_samples` are the payments that have
    waited long enough for their labels since then.
    """

    now_ms: int
    trained_ms: int | None
    new_samples: int
    requests: tuple[Request, ...] = ()


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


def decide(policy: Retrain, facts: Facts) -> Verdict:
    """What calls for a training, and what speaks against one, each in words."""
    return Verdict(
        tuple(_triggers(policy, facts)),
        tuple(_against(policy, facts)),
        max(0, facts.now_ms - policy.window_days * DAY_MS),
    )


def _triggers(policy: Retrain, facts: Facts) -> list[str]:
    trained_ms = facts.trained_ms
    if trained_ms is None:
        return ["there is no model yet"]
    found = []
    due_ms = last_due_ms(policy, facts.now_ms)
    if due_ms is not None and trained_ms < due_ms:
        found.append(f"the {policy.schedule} schedule was due on {_day(due_ms)}")
    # What was asked before the newest training was answered by it.
    alerts = sorted({request.alert for request in facts.requests if request.at_ms > trained_ms})
    if policy.on_alerts and alerts:
        found.append(f"asked for by {', '.join(alerts)}")
    if 0 < policy.new_samples <= facts.new_samples:
        found.append(f"{facts.new_samples:,} new payments, {policy.new_samples:,} are enough")
    return found


def _against(policy: Retrain, facts: Facts) -> list[str]:
    found = []
    if facts.trained_ms is not None and facts.now_ms - facts.trained_ms < policy.min_interval_days * DAY_MS:
        hours = (facts.now_ms - facts.trained_ms) / DAY_MS * 24
        found.append(f"trained {hours:.1f} h ago, not again within {policy.min_interval_days:g} days")
    if facts.new_samples < policy.min_new_samples:
        found.append(f"{facts.new_samples:,} new payments with labels of {policy.min_new_samples:,} that are needed")
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


def _day(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d")
