"""The watch of drift on the real parts: an hour that is unlike training, features computed again, business figures.

What it finds is asked for as people do: by `sluice drift report`, and as the metrics that panels and rules read.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner
from confluent_kafka import Consumer, Producer, TopicPartition

from infra import flink_client
from infra.alerts import policy
from infra.cli import drift
from jobs.catalogue import JOBS
from jobs.names import WATCH_DRIFT
from jobs.train_fraud.reference import reference
from schemas import codec
from schemas.events import Decision, Interaction, Transaction
from schemas.settings import Drift, Settings
from schemas.topics import AGGREGATES, DECISIONS, DRIFT_REPORTS, INTERACTIONS, TRANSACTIONS
from schemas.units import HOUR_MS, MINUTE_MS
from schemas.watching import Aggregate, DriftReport
from serving.features.catalogue import CALENDAR, CYCLES_MS, FEATURE_SET, NAMES
from serving.registry import Registry
from tests.alerts.alert_builders import Receiver
from tests.alerts.alert_stack import somebody_told, until
from tests.alerts.asked_series import OF_WATCH_DRIFT, asked_of_flink, missing

ANSWERED_S = 120
# The first hour is as in training; in the second, the first feature has moved, one in twenty values of the next is far
# outside of what training saw, and scores are high. The third is as the first.
PER_HOUR = 600
OUTSIDE, OUTSIDE_EVERY = 50.0, 20
# Not what goes round in a day: of that an hour says nothing.
PLACES = [place for place, name in enumerate(NAMES) if name not in {*CYCLES_MS, *CALENDAR}][:3]
WATCHED = [NAMES[place] for place in PLACES]
# What a person hears of the second hour: the alert, and what it is about.
FAULTS = (("FeatureDriftSevere", WATCHED[0]), ("RangeViolated", WATCHED[1]), ("ScoreShift", "score"))
USERS = 30
# Of users a thousandth is left out: what leaves them out must run, too.
SEGMENT = "gold"
SETTINGS = Drift(sample_permille=1000, parity_permille=990, segments=[SEGMENT])
# Windows of five minutes: enough for a series to be judged, and two that are thirty times as busy.
USUAL, UNUSUAL, BUSY = 40, 2, 30


@pytest.fixture(scope="module")
def given(stack: Settings, run_job: Callable[[str, Settings], None]) -> Settings:
    # From here on: what other tests left in the topics is of other models, and later than what comes here.
    suffix = f"-{secrets.token_hex(4)}"
    for flow in JOBS[WATCH_DRIFT].flows:
        begin_at_the_end(stack, f"sluice-{WATCH_DRIFT}-{flow.name}{suffix}", [topic.name for topic in flow.sources])
    job = msgspec.structs.replace(stack.job, group_suffix=suffix)
    watched = msgspec.structs.replace(stack, drift=SETTINGS, job=job)
    if WATCH_DRIFT in flink_client.running(stack):
        flink_client.cancel(WATCH_DRIFT, stack)
    run_job(WATCH_DRIFT, watched)
    return watched


def begin_at_the_end(given: Settings, group: str, topics: list[str]) -> None:
    """Give the group a place behind everything that is there."""
    consumer = Consumer({"bootstrap.servers": given.kafka.bootstrap, "group.id": group})
    places = [
        TopicPartition(topic, number)
        for topic in topics
        for number in consumer.list_topics(topic).topics[topic].partitions
    ]
    for place in places:
        place.offset = consumer.get_watermark_offsets(place, timeout=30)[1]
    consumer.commit(offsets=places, asynchronous=False)
    consumer.close()


def registered(given: Settings, name: str) -> str:
    """The label of a model that has a reference, and nothing else."""
    rng = np.random.default_rng(1)
    rows = rng.gamma(2, 1, (5_000, len(WATCHED))).astype(np.float32)
    described = reference(rows, WATCHED, rng.random(5_000))
    files = {"reference.json": msgspec.json.encode(described)}
    version = Registry(Path(given.registry.path)).add(name, lambda _: files, author="test", at_ms=0)
    return f"{name}@{version}"


def decisions(model: str, start_ms: int, hours: range) -> list[Decision]:
    """Those of whole hours, the second of all unlike; one more is late enough in the next hour to close the last."""
    rng = np.random.default_rng(2 + hours.start)
    made = []
    last = hours.stop * PER_HOUR
    for number in range(hours.start * PER_HOUR, last + 1):
        vector = np.zeros(len(NAMES))
        vector[PLACES] = rng.gamma(2, 1, len(WATCHED))
        score = float(rng.random())
        if PER_HOUR <= number < 2 * PER_HOUR:
            vector[PLACES[0]] += 3
            vector[PLACES[1]] = OUTSIDE if number % OUTSIDE_EVERY == 0 else vector[PLACES[1]]
            score = (1 + score) / 2
        ahead_ms = 20 * MINUTE_MS if number == last else 0
        made.append(
            Decision(
                event_id=f"{model}-{hours.start}-{number}",
                event_time_ms=start_ms + number * HOUR_MS // PER_HOUR + ahead_ms,
                user_id=f"{model}-u{number % 50}",
                merchant_id="m1",
                amount=10.0,
                decision="APPROVE",
                score=score,
                features=vector.tolist(),
                feature_set=FEATURE_SET,
                model=model,
            )
        )
    return made


def payments(shop: str, start_ms: int) -> list[Transaction]:
    """Three of each user an hour; the last hour closes the one before."""
    return [
        Transaction(
            event_id=f"{shop}-{hour}-{number}",
            event_time_ms=start_ms + hour * HOUR_MS + number * 1_000,
            user_id=f"{shop}-u{number % USERS}",
            amount=5.0 + number,
            merchant_id=f"{shop}-m{number % 4}",
        )
        for hour in range(3)
        for number in range(3 * USERS)
    ]


def of_a_segment(model: str, start_ms: int) -> list[Decision]:
    """Two that come after all others: one of a segment, and one that closes its window."""
    (*_, one) = decisions(model, start_ms, range(3, 4))
    ends = [
        msgspec.structs.replace(one, event_id=f"{one.event_id}-{minute}", event_time_ms=start_ms + minute * MINUTE_MS)
        for minute in (210, 220)
    ]
    return [msgspec.structs.replace(ends[0], segment=SEGMENT), ends[1]]


def interactions(shop: str, start_ms: int) -> list[Interaction]:
    """One in each window, then two windows with far more; the last of all closes them."""
    counts = [1] * USUAL + [BUSY] * UNUSUAL + [1, 1]
    return [
        Interaction(
            event_id=f"{shop}-{window}-{number}",
            event_time_ms=start_ms + window * 5 * MINUTE_MS + number * 1_000,
            user_id=f"{shop}-u",
            item_id=f"{shop}-i",
            kind="view",
        )
        for window, count in enumerate(counts)
        for number in range(count)
    ]


def decided_wrong(shop: str, start_ms: int) -> list[tuple[Decision, Transaction]]:
    """Payments of users whose past is known, and decisions on features that are not theirs.

    Of several users, for of a thousandth nothing is computed again.
    """
    paid = [
        Transaction(
            event_id=f"{shop}-wrong-{number}",
            event_time_ms=start_ms + 3 * HOUR_MS + number,
            user_id=f"{shop}-u{number}",
            amount=5.0,
            merchant_id=f"{shop}-m0",
        )
        for number in range(3)
    ]
    return [
        (
            Decision(
                event_id=one.event_id,
                event_time_ms=one.event_time_ms,
                user_id=one.user_id,
                merchant_id=one.merchant_id,
                amount=one.amount,
                decision="APPROVE",
                score=0.0,
                features=[-1.0] * len(NAMES),
                feature_set=FEATURE_SET,
            ),
            one,
        )
        for one in paid
    ]


def reported(given: Settings, model: str, page: Path) -> list[list[str]]:
    """The words of each line that `sluice drift report` says of a model; it writes the page, too."""
    asked = ["--since", "24h", "--model", model, "--html", str(page)]
    # Rich breaks lines at the width of the terminal.
    done = CliRunner().invoke(drift.report, asked, obj=given, env={"COLUMNS": "200"}, catch_exceptions=False)
    assert done.exit_code == 0
    assert str(page) in done.stderr
    return [line.split() for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def receiver(given: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """What a person gets; a warning waits no longer for company than a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(policy.PATIENCE_MS, "warning", 1_000)
        with somebody_told(given, tmp_path_factory.mktemp("router")) as opened:
            yield opened


def told_of(receiver: Receiver, model: str, alert: str, name: str, state: str) -> list[dict[str, Any]]:
    """Notices of the hours of a model; its running day goes on to differ."""
    wanted = {"model": model, "name": name, "span": "window"}
    return [notice for notice in receiver.notices(alert, state) if wanted.items() <= notice["labels"].items()]


@pytest.mark.stack
@pytest.mark.timeout(400)
def test_an_hour_unlike_training_a_right_parity_and_the_figures_reach_their_topics_and_a_person(
    given, receiver, tmp_path
):
    name = f"t{secrets.token_hex(4)}"
    model = registered(given, name)
    topics = (DRIFT_REPORTS.name, AGGREGATES.name)
    consumer = Consumer({"bootstrap.servers": given.kafka.bootstrap, "group.id": name})
    places = [TopicPartition(topic, 0) for topic in topics]
    for place in places:
        place.offset = consumer.get_watermark_offsets(place, timeout=30)[1]
    consumer.assign(places)
    # As Flink chooses partitions: two decisions on a payment lie in one, in their order.
    producer = Producer({"bootstrap.servers": given.kafka.bootstrap, "linger.ms": 5, "partitioner": "murmur2_random"})
    # Windows close by event time: what happens here is before everything else that happens now.
    start_ms = time.time_ns() // 1_000_000 // HOUR_MS * HOUR_MS - 4 * HOUR_MS
    for paid in payments(name, start_ms):
        producer.produce(TRANSACTIONS.name, codec.encode(paid), paid.user_id)

    def decided(hours: range) -> None:
        for decision in decisions(model, start_ms, hours):
            producer.produce(DECISIONS.name, codec.encode(decision), model, timestamp=decision.event_time_ms)
        assert producer.flush(30) == 0

    decided(range(2))
    found: list[DriftReport] = []
    figures: set[str] = set()
    deadline = time.monotonic() + ANSWERED_S

    def waits() -> bool:
        second = [r for r in found if r.model == model and r.window_start_ms == start_ms + HOUR_MS]
        return not (second and any(r.subject == "skew" for r in found) and {"volume", "active_users"} <= figures)

    while waits():
        assert time.monotonic() < deadline, f"{len(found)} reports and {sorted(figures)} within {ANSWERED_S} s"
        for message in consumer.consume(500, 0.2):
            assert message.error() is None
            value = message.value()
            if message.topic() == DRIFT_REPORTS.name:
                found.append(codec.decode(DriftReport, value))
            else:
                figures.add(codec.decode(Aggregate, value).name)
    consumer.close()
    for alert, feature in FAULTS:
        until(lambda: told_of(receiver, model, alert, feature, "firing"), f"the person hears of {alert}")  # noqa: B023  called at once
    (told,) = told_of(receiver, model, *FAULTS[0], "firing")
    assert WATCHED[0] in [cause["name"] for cause in told["causes"]]
    page = tmp_path / "drift.html"
    told_hour = [model, "feature", WATCHED[0], "psi"]
    (line,) = [line for line in reported(given, model, page) if line[1:5] == told_hour and line[8:9] == ["1"]]
    assert (line[0], line[7]) == ("significant", f"{PER_HOUR:,}")
    assert float(line[5]) > float(line[6]) > 0
    assert page.read_text().startswith("<!doctype html>")
    assert page.read_text().count("<svg") >= len(WATCHED)
    assert model in page.read_text()
    # Hardly has an hour been as in training, it is over.
    decided(range(2, 3))
    for alert, feature in FAULTS:
        until(lambda: told_of(receiver, model, alert, feature, "resolved"), f"the person hears of {alert}'s end")  # noqa: B023  called at once
    hourly = [
        r for r in found if r.model == model and r.measure == "psi" and r.window_end_ms - r.window_start_ms == HOUR_MS
    ]
    levels = {(r.name, r.window_start_ms): r.level for r in hourly if r.name in WATCHED}
    assert levels == {
        (feature, start_ms + hour * HOUR_MS): "significant" if (feature, hour) == (WATCHED[0], 1) else "none"
        for feature in WATCHED
        for hour in range(2)
    }
    skew = [r for r in found if r.subject == "skew"]
    assert {(r.name, r.value, r.level) for r in skew} == {("any", 0.0, "none")}

    for acted in interactions(name, start_ms):
        producer.produce(INTERACTIONS.name, codec.encode(acted), acted.user_id)
    for decision in of_a_segment(model, start_ms):
        producer.produce(DECISIONS.name, codec.encode(decision), model, timestamp=decision.event_time_ms)
    # Before the job that scores gives its own: the first is what is compared.
    for decision, paid in decided_wrong(name, start_ms):
        producer.produce(DECISIONS.name, codec.encode(decision), paid.user_id)
        assert producer.flush(30) == 0
        producer.produce(TRANSACTIONS.name, codec.encode(paid), paid.user_id)
    assert producer.flush(30) == 0
    asked = asked_of_flink()
    wanted = {metric.exported: asked[metric.exported] for metric in OF_WATCH_DRIFT}
    until(lambda: not missing(given, wanted), lambda: f"exported: {missing(given, wanted)}")
