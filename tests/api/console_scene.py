"""A busy quarter of an hour as events: what a console shows of it. Seeded, so a picture of it can be compared."""

from __future__ import annotations

import math
import random

import msgspec

from schemas import codec, topics
from schemas.events import ControlRecord, DeadLetter, Decision, Label, RuleHit, Snapshot, SourcePosition
from schemas.units import DAY_MS, HOUR_MS, MINUTE_MS
from schemas.watching import Alert, Cause, DriftReport

FEATURES = (
    "user_count_1h",
    "user_sum_24h",
    "user_amount_ratio",
    "merchant_risk",
    "merchant_count_1h",
    "device_users_24h",
    "card_count_5m",
    "travel_kmh",
    "hour_share",
    "new_country",
    "amount_log",
    "user_mean_30d",
)
# Shares of ten bins at training, and how far each feature has wandered by the last window.
REFERENCE = [0.06, 0.11, 0.16, 0.18, 0.15, 0.12, 0.09, 0.06, 0.04, 0.03]
WANDERS = {"merchant_risk": 1.1, "travel_kmh": 0.75, "amount_log": 0.5, "device_users_24h": 0.25}
RUNBOOK = """# score_shift

## What it means

The mix of scores has **moved** against the training days: the model sees other payments than it learned from.

## First look

- Which features moved? Open *Drift* and choose the newest window.
- Did a producer change a field?

## First action

```sh
sluice models list
sluice models rollback fraud
```
"""


def decisions(now_ms, count, seed=7, prefix="p"):
    """Payments of the last minutes, oldest first; about one in thirty waits for review."""
    dice = random.Random(seed)
    for number in range(count):
        at_ms = now_ms - (count - number) * 60
        score = dice.betavariate(0.6, 9)
        kind = "APPROVE"
        if dice.random() < 0.05:
            score = dice.uniform(0.5, 0.98)
            kind = "REVIEW" if score < 0.7 else "CHALLENGE" if score < 0.9 else "BLOCK"
        velocity = RuleHit("many_payments", "REVIEW", float(dice.randint(9, 16)), 8.0)
        yield Decision(
            event_id=f"{prefix}-{number}",
            event_time_ms=at_ms,
            user_id=f"user-{dice.randint(1, 900)}",
            merchant_id=f"shop-{dice.randint(1, 80)}",
            amount=round(dice.lognormvariate(3.4, 1.0), 2),
            decision=kind,
            score=score,
            reasons=[]
            if kind == "APPROVE"
            else dice.sample(["model_score", "velocity_user_1h", "new_country", "impossible_travel"], 2),
            rules=[velocity] if kind == "REVIEW" and dice.random() < 0.5 else [],
            model="fraud@3",
            segment=dice.choice(["", "retail", "travel"]),
            arrival_ms=at_ms + dice.randint(1, 9),
        )


def drift_reports(now_ms, windows=24):
    """Hourly windows of one model: most features stay, some wander off."""
    dice = random.Random(11)
    first_ms = now_ms // HOUR_MS * HOUR_MS - (windows - 1) * HOUR_MS
    subjects = [("feature", name) for name in FEATURES] + [("score", "score"), ("decisions", "decisions")]
    for subject, name in subjects:
        for window in range(windows):
            far = max(0.0, WANDERS.get(name, 0.0) * (window - windows * 0.55) / windows * 2)
            moved = [
                share * (1 + far * (place - 4.5) / 4.5) * dice.uniform(0.96, 1.04)
                for place, share in enumerate(REFERENCE)
            ]
            current = [share / sum(moved) for share in moved]
            psi = sum((c - r) * math.log(c / r) for c, r in zip(current, REFERENCE, strict=True))
            end_ms = first_ms + window * HOUR_MS
            for measure, value, limit in (("psi", psi, 0.2), ("ks", psi**0.5 / 5, 0.12)):
                ratio = value / limit
                yield DriftReport(
                    event_id=f"d-{name}-{window}-{measure}",
                    event_time_ms=end_ms,
                    model="fraud@3",
                    subject=subject,
                    name=name,
                    measure=measure,
                    value=value,
                    limit=limit,
                    level="significant" if ratio > 1 else "moderate" if ratio > 0.45 else "none",
                    samples=dice.randint(9_000, 12_000),
                    window_start_ms=end_ms - HOUR_MS,
                    window_end_ms=end_ms,
                    since_ms=end_ms - 2 * HOUR_MS if ratio > 0.45 else None,
                    p_value=0.0004 if measure == "ks" and ratio > 1 else None,
                    edges=[round(-2 + 0.5 * edge, 2) for edge in range(9)] if measure == "psi" else [],
                    reference=REFERENCE if measure == "psi" else [],
                    current=current if measure == "psi" else [],
                )


def performance(now_ms, days=48, label_days=31):
    """Estimates of days of two versions, and what labels said of those that are old enough."""
    dice = random.Random(5)
    today_ms = now_ms // DAY_MS * DAY_MS
    for place in range(days):
        end_ms = today_ms - (days - 1 - place) * DAY_MS
        model, best = ("fraud@2", 0.71) if place < 20 else ("fraud@3", 0.78)
        for figure, value in (("average_precision", best), ("roc_auc", 0.9 + best / 10)):
            realised = value + dice.uniform(-0.02, 0.02)
            told = {f"{figure}_estimated": min(realised + dice.uniform(-0.03, 0.03), 1.0)}
            if place < days - label_days:
                told[figure] = realised
            for measure, said in told.items():
                yield DriftReport(
                    event_id=f"f-{measure}-{place}",
                    event_time_ms=end_ms,
                    model=model,
                    subject="performance",
                    name=figure,
                    measure=measure,
                    value=said,
                    limit=0.95 * value,
                    level="none",
                    samples=2_000_000 if measure.endswith("_estimated") else 21_000,
                    window_start_ms=end_ms - DAY_MS,
                    window_end_ms=end_ms,
                    error=0.024 if place > 3 else None,
                    every_ms=DAY_MS,
                )


def snapshots(now_ms, count=60):
    """Three learners of one task, one of them the better the longer it learns."""
    dice = random.Random(3)
    for name, best, haste in (("logistic", 0.71, 9), ("hoeffding_tree", 0.76, 26), ("forest", 0.81, 18)):
        for step in range(1, count + 1):
            value = best * (1 - 0.6 * 2.718 ** (-step / haste)) + dice.uniform(-0.006, 0.006)
            yield Snapshot(
                event_id=f"s-{name}-{step}",
                event_time_ms=now_ms - (count - step) * MINUTE_MS,
                learner=name,
                task="fraud",
                kind="linear",
                examples=step * 500,
                feature_set="fs-1",
                payload=msgspec.Raw(b"{}"),
                sha256="0" * 64,
                metrics={"average_precision": value, "recall_at_1pct_fpr": value * 0.9},
            )


def alerts(now_ms):
    """Two that fire, one that is over."""
    drifted = {
        "name": "score_shift",
        "severity": "warning",
        "summary": "scores of fraud@3 have moved: PSI 0.31 over the last hour",
        "value": 0.31,
        "limit": 0.25,
        "since_ms": now_ms - 22 * MINUTE_MS,
        "labels": {"model": "fraud@3"},
        "causes": [
            Cause("merchant_risk", 0.58, 18_400.0),
            Cause("travel_kmh", 0.23, 5_120.5),
            Cause("amount_log", 0.11),
        ],
        "runbook": "infra/runbooks/score_shift.md",
    }
    yield Alert(event_id="a-1", event_time_ms=now_ms, state="firing", **drifted)
    critical = {
        "name": "label_stop",
        "severity": "critical",
        "summary": "no label for 6 hours",
        "since_ms": now_ms - 360_000,
    }
    yield Alert(event_id="a-2", event_time_ms=now_ms, state="firing", labels={"task": "fraud"}, **critical)
    over = {"name": "volume_drop", "severity": "critical", "summary": "payments fell to a third of the usual hour"}
    for number, state in enumerate(("firing", "resolved")):
        yield Alert(
            event_id=f"a-3-{number}",
            event_time_ms=now_ms - 9 * MINUTE_MS,
            state=state,
            since_ms=now_ms - HOUR_MS,
            **over,
        )


def dead_letters(now_ms):
    """Three that wait, one that was played back."""
    reasons = ("invalid", "wrong_key", "unreadable", "invalid")
    details = (
        "Transaction: Expected `float` >= 0.0 - at `$.amount`",
        "record key is b'u-17', the event's user_id is 'u-71'",
        "Transaction: JSON is malformed: invalid character (byte 0)",
        "Transaction: Expected `str` of length 3 - at `$.currency`",
    )
    for number, (why, detail) in enumerate(zip(reasons, details, strict=True)):
        letter = DeadLetter(
            event_id=f"transactions-{number % 4}-{1000 + number}",
            event_time_ms=now_ms - (number + 1) * 95_000,
            reason=why,
            detail=detail,
            job="score_transactions",
            source=SourcePosition("transactions", number % 4, 1000 + number),
            key=b"u-17",
            raw=b'{"event_id": "t-%d", "user_id": "u-71", "amount": -12.5}' % number,
        )
        yield letter
        if number == 3:
            yield msgspec.structs.replace(letter, raw=b"", replayed_ms=now_ms - 30_000)


def changes(now_ms):
    """What somebody published."""
    for number, (kind, name, note) in enumerate(
        (
            ("policy", "thresholds", "fewer reviews"),
            ("rule", "many_payments", "card testing"),
            ("model", "fraud", "promoted"),
        )
    ):
        yield ControlRecord(
            event_id=f"c-{number}",
            event_time_ms=now_ms - (3 - number) * 700_000,
            kind=kind,
            name=name,
            payload=msgspec.Raw(b"null"),
            author="mia",
            note=note,
        )


def labels(now_ms, payments):
    """Verdicts on some of the payments that wait."""
    for number, payment in enumerate(payments):
        yield Label(
            event_id=f"l-{number}",
            event_time_ms=now_ms - (number + 1) * 40_000,
            user_id=payment.user_id,
            transaction_id=payment.event_id,
            transaction_time_ms=payment.event_time_ms,
            is_fraud=number % 3 == 0,
            source="review",
        )


def everything(now_ms):
    """(topic, event) of it all."""
    decided = list(decisions(now_ms, 900))
    judged = [one for one in decided if one.decision == "REVIEW"][:4]
    parts = (
        (topics.DECISIONS, decided),
        (topics.LABELS, labels(now_ms, judged)),
        (topics.DRIFT_REPORTS, [*drift_reports(now_ms), *performance(now_ms)]),
        (topics.SNAPSHOTS, snapshots(now_ms)),
        (topics.ALERTS, alerts(now_ms)),
        (topics.DEAD_LETTERS, dead_letters(now_ms)),
        (topics.CONTROL, changes(now_ms)),
    )
    for topic, events in parts:
        for event in events:
            yield topic.name, event


def fill(console, now_ms):
    """Hand it all to a console, as its feed would."""
    for topic, event in everything(now_ms):
        console.take(topic, codec.encode(event), live=topic == topics.DECISIONS.name)
