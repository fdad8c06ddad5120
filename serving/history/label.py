"""The label of a transaction, as files and the generator make it."""

from __future__ import annotations

from typing import Literal

from schemas.events import Label, Transaction

Source = Literal["chargeback", "review", "confirmed", "dispute", "timeout"]


def label_of(transaction: Transaction, *, known_ms: int, is_fraud: bool, source: Source) -> Label:
    """The label that becomes known at `known_ms`: it names the transaction, its time, user and merchant."""
    return Label(
        event_id=f"{transaction.event_id}-label",
        event_time_ms=known_ms,
        user_id=transaction.user_id,
        transaction_id=transaction.event_id,
        transaction_time_ms=transaction.event_time_ms,
        merchant_id=transaction.merchant_id,
        is_fraud=is_fraud,
        source=source,
    )
