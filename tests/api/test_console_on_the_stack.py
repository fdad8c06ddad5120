"""The console of the real `sluice api` on the running stack, in a real browser."""

from __future__ import annotations

import json
import time
import urllib.request
from uuid import uuid4

import msgspec
import pytest
from confluent_kafka import Producer
from console_scene import drift_reports, snapshots
from page_server import CHROMIUM, browsing, photograph, watched
from playwright.sync_api import expect
from test_api_command import answered, serving_with

from infra.topic_tail import Tail
from schemas import codec, topics
from schemas.events import DeadLetter, Decision, Label, SourcePosition, Transaction
from schemas.watching import Alert
from tests.ports import free_port

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed; make setup brings it"),
]
RUN = uuid4().hex[:8]
# A poll of Alertmanager, its grouping and a slow machine lie between an alert and the page.
SEEN_MS = 30_000


def now_ms():
    return time.time_ns() // 1_000_000


@pytest.fixture(scope="module")
def address(stack, tmp_path_factory):
    ports = msgspec.structs.asdict(stack.stack.ports) | {"api": free_port()}
    text = "[stack.ports]\n" + "".join(f"{name} = {port}\n" for name, port in ports.items())
    with serving_with(tmp_path_factory.mktemp("console"), text, ports["api"]) as (_, found):
        answered(found, "/health")
        yield found


@pytest.fixture(scope="module")
def page(address):
    with browsing() as browser:
        shown = browser.new_page(viewport={"width": 1280, "height": 860})
        complaints = watched(shown)
        shown.set_default_timeout(SEEN_MS)
        shown.goto(f"{address}/")
        shown.get_by_text("live", exact=True).wait_for()
        yield shown
        assert complaints == []


@pytest.fixture(scope="module")
def publish(stack):
    client = Producer({"bootstrap.servers": stack.kafka.bootstrap, "partitioner": "murmur2_random"})

    def send(topic, event, key):
        client.produce(topic.name, codec.encode(event), key.encode())
        assert client.flush(30) == 0

    return send


def found(tail, kind, wanted):
    """The first event on the tail that `wanted` takes."""
    deadline = time.monotonic() + SEEN_MS / 1000
    while time.monotonic() < deadline:
        message = tail.poll(0.2)
        if message is not None:
            event = codec.decode(kind, message.value())
            if wanted(event):
                return event
    raise AssertionError("it did not arrive")


def test_a_payment_that_the_job_decides_is_on_the_page(page, publish):
    user = f"console-{RUN}"
    payment = Transaction(event_id=f"{user}-1", event_time_ms=now_ms(), user_id=user, amount=12.5, merchant_id="shop")
    publish(topics.TRANSACTIONS, payment, user)
    page.get_by_role("cell", name=user, exact=True).wait_for()
    expect(page.locator(".tile .value").first).not_to_have_text("0", timeout=SEEN_MS)
    photograph(page, "stack-overview")


def test_a_verdict_arrives_on_labels_and_the_payment_leaves_the_queue(page, address, publish, stack):
    user = f"reviewed-{RUN}"
    waiting = Decision(
        event_id=f"{user}-1",
        event_time_ms=now_ms(),
        user_id=user,
        merchant_id="shop",
        amount=321.5,
        decision="REVIEW",
        score=0.61,
        reasons=["model_score"],
    )
    page.goto(f"{address}/#/review")
    with Tail(stack.kafka, topics.LABELS.name) as tail:
        publish(topics.DECISIONS, waiting, user)
        row = page.locator(f"li[data-id='{user}-1']")
        row.get_by_role("button", name="Fraud").click()
        label = found(tail, Label, lambda label: label.user_id == user)
    assert (label.transaction_id, label.is_fraud, label.source) == (f"{user}-1", True, "review")
    assert label.transaction_time_ms == waiting.event_time_ms
    row.wait_for(state="detached")
    page.locator(".verdicts li", has_text=user).wait_for()


def test_drift_reports_fill_the_map_and_a_window_opens(page, address, publish):
    model = f"console-{RUN}@1"
    for report in drift_reports(now_ms(), windows=12):
        publish(topics.DRIFT_REPORTS, msgspec.structs.replace(report, model=model), model)
    page.goto(f"{address}/#/drift")
    page.get_by_label("Model").select_option(model)
    page.locator("tr", has_text="travel_kmh").locator("button").last.click()
    page.locator(".detail h3", has_text="travel_kmh").wait_for()
    expect(page.locator(".detail svg rect.bar")).to_have_count(10)


def test_a_learners_curve_is_drawn_from_its_snapshots(page, address, publish):
    page.goto(f"{address}/#/models")
    for snapshot in snapshots(now_ms(), count=6):
        publish(
            topics.SNAPSHOTS, msgspec.structs.replace(snapshot, learner=f"{snapshot.learner}-{RUN}"), snapshot.learner
        )
    page.locator(".figures-of li", has_text=f"forest-{RUN}").wait_for()


def test_an_alert_of_the_stream_appears_and_resolves(page, address, publish):
    begun = Alert(
        event_id=f"alert-{RUN}",
        event_time_ms=now_ms(),
        name="console_test",
        severity="critical",
        state="firing",
        summary=f"scores moved {RUN}",
        since_ms=now_ms(),
    )
    page.goto(f"{address}/#/alerts")
    publish(topics.ALERTS, begun, begun.name)
    page.locator(".alerts li", has_text=f"scores moved {RUN}").wait_for()
    publish(topics.ALERTS, msgspec.structs.replace(begun, state="resolved", event_time_ms=now_ms()), begun.name)
    page.locator(".alerts li", has_text=f"scores moved {RUN}").wait_for(state="detached")
    page.locator(".verdicts li", has_text=f"scores moved {RUN}").wait_for()


def test_an_alert_of_alertmanager_appears_and_resolves(page, address, stack):
    def tell(**more):
        alert = {"labels": {"alertname": f"Rule{RUN}", "severity": "warning"}, "annotations": {"action": "look"}} | more
        request = urllib.request.Request(
            f"http://127.0.0.1:{stack.stack.ports.alertmanager}/api/v2/alerts",
            json.dumps([alert]).encode(),
            {"content-type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=10).close()

    page.goto(f"{address}/#/alerts")
    begun = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60))
    tell(startsAt=begun)
    page.locator(".alerts li", has_text=f"Rule{RUN}").wait_for()
    tell(startsAt=begun, endsAt=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 1)))
    page.locator(".alerts li", has_text=f"Rule{RUN}").wait_for(state="detached")


def test_jobs_are_shown_with_their_lag_and_a_dead_letter_goes_back_to_its_topic(page, address, publish, stack):
    page.goto(f"{address}/#/system")
    page.locator(".lane", has_text="score_transactions").get_by_text("running", exact=True).wait_for()
    label = Label(
        event_id=f"letter-{RUN}",
        event_time_ms=now_ms(),
        user_id=f"letter-{RUN}",
        transaction_id="t",
        transaction_time_ms=now_ms(),
        is_fraud=False,
    )
    letter = DeadLetter(
        event_id=f"labels-0-{RUN}",
        event_time_ms=now_ms(),
        reason="invalid",
        detail=f"a test's {RUN}",
        job="score_transactions",
        source=SourcePosition("labels", 0, 1),
        key=label.user_id.encode(),
        raw=codec.encode(label),
    )
    with Tail(stack.kafka, topics.LABELS.name) as tail:
        publish(topics.DEAD_LETTERS, letter, label.user_id)
        row = page.locator(".letters > li", has_text=f"a test's {RUN}")
        row.get_by_role("button", name="Play back").click()
        assert found(tail, Label, lambda one: one.user_id == label.user_id) == label
    row.get_by_text("played back", exact=False).wait_for()
    photograph(page, "stack-system")
