"""On the running stack: what panels and rules ask of the jobs that score and store payments is what these export."""

import time
from uuid import uuid4

import msgspec
import pytest
from alert_stack import until
from asked_series import OF_RECOMMEND, OF_VECTORS, OF_WATCH_DRIFT, asked_of_flink, missing

from infra import control_topic, publish
from schemas import control, metrics
from schemas.events import ControlRecord, Label, Transaction
from schemas.units import DAY_MS

WAIT_S = 120
# Asked of other jobs alone: tests of these look for them.
OF_OTHER_JOBS = OF_WATCH_DRIFT | OF_RECOMMEND | OF_VECTORS
# And no test looks for these: the catalogue is what their names are held to (tests/stack/test_grafana.py).
UNSEEN = {metrics.LABEL_JOINS, metrics.EMPTY_LISTS, metrics.FALLBACK_LISTS}
# A counter is there once it has counted. These count what a stack that others use must not be made to do.
NOT_IN_CALM = {
    metrics.REJECTS: "an event that is refused, which would lie among the dead letters of others",
    metrics.CONTROL_REFUSED: "a control record that is refused, likewise",
    metrics.SNAPSHOTS_TAKEN: "a snapshot, which a learner writes, and none runs here",
    metrics.SNAPSHOTS_REFUSED: "a snapshot that is refused",
    metrics.STORE_RETRIES: "a store that does not answer",
}
LEFT_OUT = {metric.exported for metric in OF_OTHER_JOBS | UNSEEN | NOT_IN_CALM.keys()}


def traffic():
    """A payment, the same again, one that comes much too late, and a verdict; each of its own user."""
    now_ms, run = time.time_ns() // 1_000_000, uuid4().hex[:8]
    paid = Transaction(
        event_id=f"m-{run}-1", event_time_ms=now_ms, user_id=f"u-{run}", amount=12.5, merchant_id=f"shop-{run}"
    )
    late = msgspec.structs.replace(paid, event_id=f"m-{run}-2", event_time_ms=now_ms - DAY_MS)
    verdict = Label(
        event_id=f"m-{run}-3",
        event_time_ms=now_ms,
        user_id=paid.user_id,
        transaction_id=paid.event_id,
        transaction_time_ms=paid.event_time_ms,
        is_fraud=False,
        source="review",
    )
    return [paid, paid, late, verdict]


@pytest.mark.stack
def test_the_jobs_export_every_series_and_label_that_panels_and_rules_ask_of_them(stack):
    flag = ControlRecord(
        event_id=f"m-{uuid4().hex[:8]}",
        event_time_ms=time.time_ns() // 1_000_000,
        kind="flag",
        name="respond-retrain",
        payload=msgspec.Raw(msgspec.json.encode(control.Flag(False))),
    )
    publish.publish(publish.records(traffic()), publish.connect(stack.kafka), publish.Pace())
    control_topic.send(stack.kafka, [flag])
    wanted = {name: labels for name, labels in asked_of_flink().items() if name not in LEFT_OUT}
    until(lambda: not missing(stack, wanted), lambda: f"exported: {missing(stack, wanted)}", WAIT_S)


def test_what_is_left_out_is_asked_for_by_somebody():
    """A name that nothing asks for needs no reason any more."""
    assert asked_of_flink().keys() >= LEFT_OUT
