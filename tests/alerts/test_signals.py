"""What the stream tells becomes alerts that begin once, end once, and say what may lie behind them."""

import pytest
from alert_builders import NOON_MS, report

from infra.alerts import signals
from infra.alerts.routing_state import RouterState
from schemas.alerts.catalogue import DEFINITIONS
from schemas.alerts.definition import Reports
from schemas.measures import DISTANCES, MEASURES
from schemas.units import DAY_MS, HOUR_MS, MINUTE_MS
from schemas.watching import Aggregate, Anomaly

CONSOLE = "http://console/"


def told(state, given, now_ms=NOON_MS):
    return [(alert.name, alert.state) for alert in signals.of_report(given, state, CONSOLE, now_ms)]


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (report(value=0.11, level="moderate"), ["FeatureShift"]),
        (report(value=0.25, level="significant"), ["FeatureDrift"]),
        (report(value=0.26, level="significant"), ["FeatureDrift", "FeatureDriftSevere"]),
        (report(measure="kullback_leibler", value=0.2), ["DivergenceHigh"]),
        (report(measure="kullback_leibler", value=0.1), []),
        (report(measure="wasserstein"), []),
        (report(measure="null_share", value=0.11), ["MissingValuesHigh"]),
        (report(measure="null_share", value=0.1), []),
        (report(measure="outside_share"), ["RangeViolated"]),
        (report(measure="range_ratio", value=2.1, level="moderate"), ["ValueFarOutside"]),
        (report(measure="range_ratio", value=2.0, level="moderate"), []),
        (report("vector", 0.001, "moderate", measure="unread_share"), ["SchemaChanged"]),
        (report(subject="score"), ["ScoreShift"]),
        (report("score", 0.11, "moderate", subject="score"), ["ScoreMoves"]),
        (report("score", 0.05, "none", subject="score"), []),
        (report("score", 1.1, "moderate", subject="score", measure="mean_shift"), []),
        (report(subject="decisions"), ["DecisionMixShift"]),
        (report(subject="skew", measure="mismatch_share", value=0.06), ["SkewHigh"]),
        (report(subject="skew", measure="mismatch_share", value=0.05), []),
        (report(subject="multivariate"), ["MultivariateDrift"]),
        (report(subject="error"), ["ConceptDrift"]),
        (report(subject="label", measure="positive_share"), ["LabelShift"]),
        (report("roc_auc", 0.8, subject="performance", measure="roc_auc"), ["AccuracyDropped"]),
        (report("catch_rate", 0.74, subject="performance", measure="catch_rate"), ["CatchRateLow"]),
        (report("catch_rate", 0.75, subject="performance", measure="catch_rate"), []),
        (report("catch_rate", 0.7, "none", subject="performance", measure="catch_rate"), []),
        (report("recall", 0.5, subject="performance", measure="recall"), []),
        (report("fpr", 0.016, subject="performance", measure="false_positive_rate"), ["FalsePositivesHigh"]),
        (report("fpr", 0.015, subject="performance", measure="false_positive_rate"), []),
        (report("fpr", 0.02, "none", subject="performance", measure="false_positive_rate"), []),
        (report("recall", 0.5, subject="performance", measure="recall_estimated"), []),
        (report(value=0.4, level="none"), []),
        (report(measure="kullback_leibler", value=0.4, level="none"), []),
        (report(level="none", value=0.05), []),
    ],
    ids=lambda given: "/".join(given) if isinstance(given, list) else f"{given.subject}-{given.measure}-{given.value}",
)
def test_a_report_sets_off_what_the_catalogue_says(given, names):
    assert [name for name, _ in told(RouterState(), given)] == names


def test_an_alert_begins_once_and_ends_once():
    state = RouterState()
    assert told(state, report(value=0.22)) == [("FeatureDrift", "firing")]
    assert told(state, report(value=0.23)) == []
    assert told(state, report(value=0.05, level="none")) == [("FeatureDrift", "resolved")]
    assert told(state, report(value=0.05, level="none")) == []


def test_a_window_and_the_running_day_are_alerts_of_their_own():
    """The job tells of both in a row, every hour: a drift of hours must not be over because the day is at ease."""
    state, day = RouterState(), {"window_start_ms": NOON_MS - DAY_MS}
    assert told(state, report(value=0.24)) == [("FeatureDrift", "firing")]
    assert told(state, report(value=0.05, level="none", **day)) == []
    assert [cause.name for cause in signals.causes("fraud@1", state)] == ["amount"]
    assert told(state, report(value=0.24)) == []
    assert told(state, report(value=0.21, **day)) == [("FeatureDrift", "firing")]
    assert told(state, report(value=0.05, level="none")) == [("FeatureDrift", "resolved")]
    assert [cause.name for cause in signals.causes("fraud@1", state)] == ["amount"]


def test_an_alert_on_a_value_ends_well_within_its_limit_or_with_the_level():
    state = RouterState()
    assert ("FeatureDriftSevere", "firing") in told(state, report(value=0.26))
    assert told(state, report(value=0.21)) == []
    assert told(state, report(value=0.26, level="moderate")) != []
    assert ("FeatureDriftSevere", "firing") in told(state, report(value=0.26))
    assert told(state, report(value=0.19)) == [("FeatureDriftSevere", "resolved")]


@pytest.mark.parametrize("definition", [d for d in DEFINITIONS.values() if isinstance(d.signal, Reports)])
def test_what_an_alert_waits_for_is_measured_by_somebody(definition):
    """A signal that nothing writes could never fire."""
    written = MEASURES[definition.signal.subject]
    assert written is None or set(definition.signal.measures) <= set(written)


def test_no_alert_can_fire_only_where_a_graver_one_speaks_for_it():
    """Other distances have the level of PSI: what waits for its highest is always inhibited by FeatureDrift."""
    shadowed = {
        name
        for name, definition in DEFINITIONS.items()
        if isinstance(definition.signal, Reports)
        and definition.signal.subject == "feature"
        and set(definition.signal.measures) & (set(DISTANCES) - {"psi"})
        and "moderate" not in definition.signal.levels
    }
    assert shadowed == set()


def test_segments_features_and_models_are_alerts_of_their_own():
    state = RouterState()
    assert told(state, report(value=0.22)) != []
    assert told(state, report(value=0.22, segment="eu")) != []
    assert told(state, report("hour", 0.22)) != []
    assert told(state, report(value=0.22, model="fraud@2")) != []


def test_an_alert_of_which_nothing_is_heard_ends_by_itself():
    state = RouterState()
    told(state, report(measure="outside_share"))
    assert signals.expired(state, NOON_MS + signals.LIFE_MS - 1) == []
    (over,) = signals.expired(state, NOON_MS + signals.LIFE_MS)
    assert (over.name, over.state) == ("RangeViolated", "resolved")
    assert signals.expired(state, NOON_MS + 2 * signals.LIFE_MS) == []


def test_an_alert_of_reports_that_come_daily_outlives_the_day():
    """A fall of accuracy is told again a day later; in between it must not be said to be over."""
    state, daily = RouterState(), {"subject": "performance", "measure": "roc_auc", "every_ms": DAY_MS}
    assert told(state, report("roc_auc", 0.8, **daily)) == [("AccuracyDropped", "firing")]
    assert signals.expired(state, NOON_MS + DAY_MS) == []
    assert told(state, report("roc_auc", 0.8, **daily), NOON_MS + DAY_MS) == []
    assert signals.expired(state, NOON_MS + 3 * DAY_MS) == []
    assert [alert.state for alert in signals.expired(state, NOON_MS + DAY_MS * 7 // 2)] == ["resolved"]


def test_an_anomaly_ends_half_an_hour_after_the_last():
    state, now_ms = RouterState(), NOON_MS
    unlikely = Anomaly(
        event_id="a", event_time_ms=now_ms, name="volume", detector="season", value=10, expected=90, low=50, high=120,
        score=4,
    )  # fmt: skip
    (begun,) = signals.of_anomaly(unlikely, state, CONSOLE, now_ms)
    assert (begun.name, begun.value, begun.limit) == ("BusinessAnomaly", 10, 50)
    assert begun.link == "http://console/#/alerts"
    assert signals.of_anomaly(unlikely, state, CONSOLE, now_ms + HOUR_MS // 3) == []
    assert signals.expired(state, now_ms + HOUR_MS // 3 + HOUR_MS // 2 - 1) == []
    assert [alert.state for alert in signals.expired(state, now_ms + HOUR_MS // 3 + HOUR_MS // 2)] == ["resolved"]


def test_an_alert_says_what_how_much_since_when_why_and_where_to_read_on():
    state = RouterState()
    flow = Aggregate(
        event_id="g", event_time_ms=NOON_MS, name="amount", value=1000, count=9,
        window_start_ms=NOON_MS - 5 * MINUTE_MS, window_end_ms=NOON_MS,
    )  # fmt: skip
    signals.of_aggregate(flow, state)
    told(state, report("hour", 0.24))
    (alert,) = [a for a in signals.of_report(report("amount", 0.22), state, CONSOLE, NOON_MS) if a.state == "firing"]
    assert alert.summary == "feature amount of fraud@1 drifted: PSI 0.220"
    assert (alert.value, alert.limit, alert.since_ms) == (0.22, 0.2, NOON_MS - HOUR_MS)
    assert alert.runbook == "infra/runbooks/feature-drift.md"
    assert alert.link == "http://console/#/drift"
    assert [(cause.name, round(cause.share, 3), cause.money) for cause in alert.causes] == [
        ("hour", 0.522, 3600.0),
        ("amount", 0.478, 3600.0),
    ]


def test_the_money_of_a_cause_is_that_of_its_reports_window():
    state = RouterState()
    signals.of_report(report("hour", window_start_ms=NOON_MS - DAY_MS), state, CONSOLE, NOON_MS)
    signals.of_report(report("amount"), state, CONSOLE, NOON_MS)
    for start_ms in range(NOON_MS - DAY_MS, NOON_MS, 5 * MINUTE_MS):
        value = 100.0 if start_ms >= NOON_MS - HOUR_MS else 10.0
        flow = Aggregate(
            event_id=f"g-{start_ms}", event_time_ms=start_ms, name="amount", value=value, count=9,
            window_start_ms=start_ms, window_end_ms=start_ms + 5 * MINUTE_MS,
        )  # fmt: skip
        signals.of_aggregate(flow, state)
    # 0.3 of a day's 288 amounts, and of an hour's twelve.
    money = {cause.name: cause.money for cause in signals.causes("fraud@1", state)}
    assert money == {"hour": pytest.approx(0.3 * (276 * 10 + 12 * 100)), "amount": pytest.approx(0.3 * 12 * 100)}
