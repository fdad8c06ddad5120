"""The real data sets through the shipped mappings; skipped where they are not present."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from schemas.events import Interaction, Label, Transaction
from serving.history.mapping import load
from serving.history.reader import DAY_MS, events

DATA = Path(__file__).parents[3] / "shared" / "data"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the shared data sets are not present")

APRIL_MS = 1_522_540_800_000


def test_a_fortnight_of_the_handbook_has_its_transactions_and_the_labels_of_its_first_week() -> None:
    file = DATA / "fraud-handbook" / "transactions.parquet"
    found = list(events(file, load("fraud-handbook"), until_ms=APRIL_MS + 14 * DAY_MS))
    transactions = [event for event in found if isinstance(event, Transaction)]
    labels = [event for event in found if isinstance(event, Label)]
    times = [event.event_time_ms for event in found]
    assert times == sorted(times)
    first = transactions[0]
    assert (first.event_id, first.user_id, first.merchant_id, first.amount) == ("t0", "c596", "m3156", 57.16)
    assert first.event_time_ms == APRIL_MS + 31_000
    known = [t.event_id for t in transactions if t.event_time_ms < APRIL_MS + 7 * DAY_MS]
    assert [label.transaction_id for label in labels] == known
    assert 130_000 < len(transactions) < 140_000
    assert 0 < sum(label.is_fraud for label in labels) < 700


def test_online_retail_gives_the_lines_of_known_customers() -> None:
    left_out: Counter[str] = Counter()
    found = list(events(DATA / "online-retail" / "lines.parquet", load("online-retail"), left_out=left_out))
    assert all(isinstance(event, Interaction) and event.value > 0 for event in found)
    assert left_out == {"no customer": 135_080, "cancelled": 8_905, "no pieces": 0, "bad row": 0}
    assert len(found) == 541_909 - left_out.total() == len({event.event_id for event in found})
