"""What becomes known about a payment, and when: chargebacks after days, verdicts of a review after hours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from infra.generator.payments.config import Config
from schemas.events import Label, Transaction
from schemas.units import DAY_MS, HOUR_MS
from serving.history.label import label_of

REVIEWED_FRAUD_SHARE = 0.15


def labels(config: Config, index: int, payments: Sequence[tuple[Transaction, str]]) -> list[Label]:
    """The labels of a slice's payments (transaction, pattern or ""), whenever they become known.

    Of the frauds a share is never reported. Of the reported ones some are found by a review within hours, the others
    come back as chargebacks. A few good payments are reviewed and cleared.
    """
    rng = np.random.default_rng([config.seed, 4, index])
    draws = rng.random((3, len(payments))).tolist()
    low_ms, high_ms = config.chargeback_min_days * DAY_MS, config.chargeback_max_days * DAY_MS
    found = []
    for (transaction, pattern), happens, which, late in zip(payments, *draws, strict=True):
        review_ms = transaction.event_time_ms + round(HOUR_MS * (1 + 23 * late))
        if pattern:
            if happens < config.reported_share:
                if which < REVIEWED_FRAUD_SHARE:
                    found.append(label_of(transaction, known_ms=review_ms, is_fraud=True, source="review"))
                else:
                    # Squared: most chargebacks come in the first days, a few at the very end.
                    known_ms = transaction.event_time_ms + round(low_ms + (high_ms - low_ms) * late * late)
                    found.append(label_of(transaction, known_ms=known_ms, is_fraud=True, source="chargeback"))
        elif happens < config.review_share:
            found.append(label_of(transaction, known_ms=review_ms, is_fraud=False, source="review"))
    return found
