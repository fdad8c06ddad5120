"""Hours of normal traffic of our own generator, through what `watch_drift` runs and the router: nobody is woken.

What is played is two and a half days of payments, decided by the step itself; a model takes over at noon of the third
day, whose reference are the answers of the day before. Features that can not be at ease in so short a log are not the
model's: windows of 7 and 30 days, what counts or ages from the first payment on, and what goes round in a week. Nothing
has labels yet, and there are no lists: both take weeks, or a recommender.

A world has six hundred answers an hour, in which a user pays several times; it has its everyday frauds, but nobody who
tries cards by the dozen. Of four worlds nothing is told but, in some, the note that a feature moves, for answers of one
user are alike (DECISIONS.md, 143).
"""

from __future__ import annotations

import heapq

import msgspec
import numpy as np
import pytest
from alert_builders import config, to_publish

from infra.alerts.router import Router
from infra.alerts.routing_state import RouterState
from infra.alerts.stream import KINDS
from infra.generator.payments.config import Config
from infra.generator.payments.stream import payments
from infra.generator.shoppers import stream as shop
from infra.generator.shoppers.config import Config as Shop
from jobs.train_fraud.reference import reference
from schemas import codec
from schemas.events import Decision, Item
from schemas.settings import Drift
from schemas.topics import DECISIONS, INTERACTIONS, ITEMS
from schemas.units import DAY_MS, HOUR_MS, MINUTE_MS
from serving.control import Control
from serving.drift.baseline import Baseline
from serving.drift.figures import Figures
from serving.drift.monitor import Monitor, written
from serving.drift.parity import Parity
from serving.entity_cache import AllInMemory
from serving.features.catalogue import NAMES, VECTOR
from serving.features.velocity import SHORT
from serving.inflight import Record
from serving.outcomes import Outcomes
from serving.pipeline import Pipeline, record

# A Thursday.
START_MS = 20_402 * DAY_MS
TRAINED_MS, QUIET_MS = START_MS + 36 * HOUR_MS, START_MS + 60 * HOUR_MS
DRIFT_MS, END_MS = START_MS + 65 * HOUR_MS, START_MS + 66 * HOUR_MS
# An hour is told when an answer is ten minutes past its end.
TAIL_MS = 15 * MINUTE_MS
MODEL = "fraud@1"
PLACES = [
    place
    for place, feature in enumerate(VECTOR)
    if (feature.window in SHORT or feature.entity == "transaction")
    and feature.cycle_s * 1000 <= DAY_MS
    and not feature.calendar
]
AMOUNT, COUNT = NAMES.index("amount"), NAMES.index("user_count_1h")
BATCH = 256
# The calm one first, so that the test of drifts finds its traffic made.
CALM = 3
WORLDS = (CALM, 1, 2, 4)
# Who tries cards, a dozen payments in five minutes at a merchant of one an hour, is an anomaly, and is found as one.
EVERYDAY = ("account_takeover", "compromised_merchant", "amount_creep")


def score_of(features):
    """A model that minds the amount and how often the user pays."""
    return float(1 / (1 + np.exp(3 - 0.4 * np.log1p(features[AMOUNT]) - 0.3 * features[COUNT])))


@pytest.fixture(scope="module")
def traffic(request):
    """Payments as records, the decisions on them, and a shop's interactions as records, each in order of time.

    They are those of one world, by its seed.
    """
    days = (END_MS + TAIL_MS - START_MS) / DAY_MS
    made = Config(
        seed=request.param,
        users=600,
        per_user_day=20,
        start_ms=START_MS,
        days=days,
        labels=False,
        patterns=EVERYDAY,
    )
    paid = [record(payment.transaction, number) for number, payment in enumerate(payments(made))]
    step = Pipeline(AllInMemory(), Outcomes(lambda _: None, 10**6), lambda *_: None, lambda: 0)
    control = Control(lambda pointer: pytest.fail(f"no model was promoted: {pointer}"))
    outputs = [o for at in range(0, len(paid), BATCH) for o in step.run(paid[at : at + BATCH], control)]
    decided = [codec.decode(Decision, output.value) for output in outputs if output.topic == DECISIONS.name]
    # A program that clicks through the shop is an anomaly, and is found as one.
    goods = Shop(
        seed=request.param,
        users=3_000,
        sessions_per_user_day=1,
        bots_per_day=0,
        start_ms=QUIET_MS - DAY_MS,
        days=days - 36 / 24,
    )
    acted = []
    for number, event in enumerate(shop.events(goods)):
        topic, key = (ITEMS, event.item_id) if isinstance(event, Item) else (INTERACTIONS, event.user_id)
        acted.append(Record(topic.name, 0, number, event.event_time_ms, key.encode(), codec.encode(event)))
    return paid, decided, acted


def drifted(decision):
    """Three times the amount, and a count that was served wrong."""
    features = list(decision.features)
    features[AMOUNT] *= 3
    features[COUNT] += 1
    return msgspec.structs.replace(decision, amount=3 * decision.amount, features=features)


def records_of(decided, paid, drift):
    """Payments and their decisions as records; with `drift` the last hour has another shape and half of its volume."""
    for number, (payment, decision) in enumerate(zip(paid, decided, strict=True)):
        at_ms, made = decision.event_time_ms, decision
        if drift and DRIFT_MS <= at_ms < END_MS:
            if number % 2:
                continue
            made = drifted(made)
        if at_ms >= QUIET_MS:
            made = msgspec.structs.replace(made, model=MODEL, score=score_of(made.features))
        yield payment
        yield Record(DECISIONS.name, 0, number, at_ms, payment.key, codec.encode(made))


def told_of(traffic, *, drift=False):
    """The severities of the alerts that fire, by name, as the router publishes them, and what it heard by topic."""
    paid, decided, acted = traffic
    trained = [d.features for d in decided if TRAINED_MS <= d.event_time_ms < QUIET_MS]
    known = reference(
        np.array(trained, np.float32)[:, PLACES],
        [NAMES[place] for place in PLACES],
        np.array([score_of(features) for features in trained]),
    )
    # A small sample of small traffic is too few: all answers are watched, and a tenth of the users is computed again.
    monitor = Monitor(
        lambda _: None, lambda _: known, lambda _: Baseline(), Drift(sample_permille=1000), lambda *_: None
    )
    figures = Figures(lambda _: None, (), lambda *_: None, lambda *_: None)
    parity = Parity(lambda _: None, 10_000, lambda *_: None)
    router, heard = Router(config(), RouterState(), lambda _: None, lambda *_: None), {}
    log = list(heapq.merge(records_of(decided, paid, drift), acted, key=lambda one: one.arrival_ms))
    for at in range(0, len(log), BATCH):
        batch = log[at : at + BATCH]
        outputs = figures.step(batch)
        # Before it no model answers.
        outputs += monitor.step([one for one in batch if one.arrival_ms >= QUIET_MS])
        outputs += map(written, parity.step([one for one in batch if one.key.endswith(b"7")]))
        events = [codec.decode(KINDS[output.topic], output.value) for output in outputs]
        for output in outputs:
            heard[output.topic] = heard.get(output.topic, 0) + 1
        router.read(events, {}, batch[-1].arrival_ms)
    return {alert.name: alert.severity for alert in to_publish(router)}, heard


def in_worlds(*seeds):
    return pytest.mark.parametrize("traffic", seeds, indirect=True)


@in_worlds(*WORLDS)
def test_hours_of_normal_traffic_tell_nobody_anything_but_that_a_feature_moves(traffic, request):
    told, heard = told_of(traffic)
    assert set(told.values()) <= {"info"}
    if request.node.callspec.params["traffic"] == CALM:
        assert told == {}
    # Six hours and the day that ends with each, of nearly a hundred subjects; figures of three days.
    assert heard["drift-reports"] > 2 * 6 * len(PLACES)
    assert heard["aggregates"] > 10_000


@in_worlds(CALM)
def test_the_same_hours_with_an_obvious_drift_set_off_each_kind(traffic):
    told, _ = told_of(traffic, drift=True)
    assert told.keys() >= {"FeatureDrift", "ScoreShift", "BusinessAnomaly", "SkewHigh"}
