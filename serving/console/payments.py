"""Decisions one by one: the newest, and those that wait for a person's verdict."""

from __future__ import annotations

from collections import deque
from typing import Any

import msgspec

from schemas.events import DecisionKind, RuleHit

SHOWN = 60
# A day's work of a reviewer; older payments leave the queue unseen.
MAX_WAITING = 500
# Labels come for all payments, not only for those in the queue.
MAX_VERDICTS = 5000
SHOWN_VERDICTS = 12


class Payment(msgspec.Struct, frozen=True):
    """A decision as the console keeps it: everything but features, timings and versions of rules."""

    event_id: str
    event_time_ms: int
    user_id: str
    merchant_id: str
    amount: float
    decision: DecisionKind
    score: float
    reasons: list[str] = []
    rules: list[RuleHit] = []
    model: str = ""
    segment: str = ""
    repeat: bool = False
    late: bool = False
    arrival_ms: int = 0


class Newest:
    """The SHOWN decisions that were read last."""

    def __init__(self) -> None:
        self.changes = 0
        self._payments: deque[Payment] = deque(maxlen=SHOWN)

    def take(self, payment: Payment) -> None:
        """A decision was read."""
        self._payments.appendleft(payment)
        self.changes += 1

    def view(self) -> list[Payment]:
        """Newest first."""
        return list(self._payments)


class Verdict(msgspec.Struct, frozen=True):
    """What a label said of a payment, and the payment where it is still known."""

    transaction_id: str
    is_fraud: bool
    source: str
    known_ms: int
    payment: Payment | None


class ReviewsView(msgspec.Struct, frozen=True):
    """Payments that wait, newest first, and the newest verdicts, of payments that waited."""

    waiting: list[Payment]
    verdicts: list[Verdict]


class _Label(msgspec.Struct):
    transaction_id: str
    event_time_ms: int
    is_fraud: bool
    source: str = "chargeback"


class Reviews:
    """Payments with the decision REVIEW and no label; at most MAX_WAITING, the newest."""

    def __init__(self) -> None:
        self.changes = 0
        self._waiting: dict[str, Payment] = {}
        self._labels: dict[str, _Label] = {}
        self._verdicts: list[Verdict] = []

    def take(self, payment: Payment) -> None:
        """A decision was read. Its label may have been read before: topics have no order between them."""
        if payment.decision != "REVIEW" or payment.repeat:
            return
        self.changes += 1
        label = self._labels.get(payment.event_id)
        if label is not None:
            self._settle(label, payment)
            return
        self._waiting[payment.event_id] = payment
        if len(self._waiting) > MAX_WAITING:
            del self._waiting[next(iter(self._waiting))]

    def take_label(self, label: _Label) -> None:
        """A label was read; the last one about a payment counts."""
        self._labels.pop(label.transaction_id, None)
        self._labels[label.transaction_id] = label
        if len(self._labels) > MAX_VERDICTS:
            del self._labels[next(iter(self._labels))]
        payment = self._waiting.pop(label.transaction_id, None)
        if payment is None:
            payment = next((v.payment for v in self._verdicts if v.transaction_id == label.transaction_id), None)
        if payment is not None:
            self._settle(label, payment)

    def view(self) -> ReviewsView:
        """What waits, and what was said last."""
        return ReviewsView(list(reversed(self._waiting.values())), self._verdicts)

    def _settle(self, label: _Label, payment: Payment) -> None:
        self.changes += 1
        others = [verdict for verdict in self._verdicts if verdict.transaction_id != label.transaction_id]
        verdict = Verdict(label.transaction_id, label.is_fraud, label.source, label.event_time_ms, payment)
        # At the start partitions are read one after the other: what is read last may be of hours ago.
        newest = sorted([verdict, *others], key=lambda one: one.known_ms, reverse=True)
        self._verdicts = newest[:SHOWN_VERDICTS]


_payment: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Payment)
_label: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_Label)


def read_payment(raw: bytes) -> Payment:
    """A decision as the console keeps it; raises msgspec.MsgspecError."""
    payment: Payment = _payment.decode(raw)
    return payment


def read_label(raw: bytes) -> _Label:
    """A label as the console keeps it; raises msgspec.MsgspecError."""
    label: _Label = _label.decode(raw)
    return label
