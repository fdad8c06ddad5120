"""What real Alertmanager makes of our configuration: what is told together, and what is not told at all."""

from __future__ import annotations

import time

import pytest
from alert_builders import Receiver
from alert_stack import running_alertmanager, until

from infra.alerts.alertmanager_client import send
from schemas.alerts.catalogue import DEFINITIONS
from schemas.settings import Ports
from schemas.watching import Alert
from tests.ports import free_port

pytestmark = pytest.mark.stack


@pytest.fixture
def told(tmp_path):
    """Tells a fresh Alertmanager of alerts; returns its notifications, each as its pairs of name and about."""
    receiver = Receiver()
    ports = Ports(alertmanager=free_port(), alerts=int(receiver.url.rsplit(":", 1)[1]))

    def tell(*names, expected):
        with running_alertmanager(tmp_path, ports, quick=True):
            fire(ports, *names)

            def heard():
                return {frozenset(_about(one) for one in body["alerts"]) for body in receiver.at("/alertmanager")}

            until(lambda: len(frozenset().union(*heard())) >= expected, f"{expected} alerts come", 20)
            # Long enough for a group that must not come: all wait for a second.
            time.sleep(3)
            return heard()

    yield tell
    receiver.close()


def fire(ports, *names):
    now_ms = time.time_ns() // 1_000_000
    alerts = [
        Alert(
            event_id=f"{name}-{place}",
            event_time_ms=now_ms,
            name=name,
            severity=DEFINITIONS[name].severity,
            state="firing",
            summary=name,
            since_ms=now_ms,
            labels=labels,
        )
        for place, (name, labels) in enumerate(names)
    ]
    send(f"http://127.0.0.1:{ports.alertmanager}", alerts, now_ms)


def _about(alert):
    labels = alert["labels"]
    return labels["alertname"], labels.get("job_name") or f"{labels.get('name', '')}{labels.get('segment', '')}"


def test_a_job_that_is_down_explains_its_own_lag_and_nobody_elses(told):
    score, learn = {"job_name": "score"}, {"job_name": "join"}
    heard = told(("JobDown", score), ("ConsumerLag", score), ("ConsumerLag", learn), expected=2)
    assert heard == {frozenset({("JobDown", "score")}), frozenset({("ConsumerLag", "join")})}


def test_a_store_that_is_down_explains_what_needs_it_and_nothing_else(told):
    heard = told(("StoreDown", {"part": "redis"}), ("FeaturesStale", {}), ("ConsumerLag", {}), expected=2)
    assert {name for group in heard for name, _ in group} == {"StoreDown", "ConsumerLag"}


def test_the_graver_alert_on_a_feature_is_enough_whatever_their_spans(told):
    day, hour = {"model": "m", "name": "amount", "span": "day"}, {"model": "m", "name": "amount", "span": "window"}
    heard = told(
        ("FeatureDriftSevere", hour), ("FeatureShift", day), ("FeatureDrift", hour),
        ("FeatureShift", hour | {"name": "hour"}), expected=2,
    )  # fmt: skip
    assert {pair for group in heard for pair in group} == {("FeatureDriftSevere", "amount"), ("FeatureShift", "hour")}


def test_features_of_one_model_are_told_together(told):
    names = ("amount", "hour", "country")
    heard = told(*(("FeatureDrift", {"model": "m", "name": name}) for name in names), expected=3)
    assert frozenset(("FeatureDrift", name) for name in names) in heard


def test_that_the_router_is_down_reaches_the_fallback_beside_a_heartbeat_and_nothing_else_does(tmp_path):
    outside = Receiver()
    # Nothing listens at the router's port.
    ports = Ports(alertmanager=free_port(), alerts=free_port())
    fallback = f"{outside.url}/outside?key='1"

    def came():
        labels = [one["labels"] for _, body in outside.got for one in body["alerts"]]
        return [(one["alertname"], one.get("job")) for one in labels]

    try:
        with running_alertmanager(tmp_path, ports, quick=True, fallback=fallback):
            about_others = (("ProcessDown", {"job": "api"}), ("JobDown", {"job_name": "score"}))
            fire(ports, ("ProcessDown", {"job": "alerts"}), ("Watchdog", {}), *about_others)
            until(lambda: came().count(("Watchdog", None)) > 1, "the heartbeat goes on", 20)
            assert set(came()) == {("ProcessDown", "alerts"), ("Watchdog", None)}
    finally:
        outside.close()
