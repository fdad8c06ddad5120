"""Verdicts that are acted on as snapshots leave."""

from __future__ import annotations

import pytest
from promotion_builders import snapshot_of

from infra.promoter import AGAIN_MS, Promoter
from schemas.alerts.catalogue import DEFINITIONS
from schemas.settings import Promotion, Settings
from schemas.units import HOUR_MS
from schemas.watching import Alert

AUTOMATIC = Promotion(mode="automatic", least_shadow_hours=0)


@pytest.mark.parametrize(("mode", "promoted"), [("automatic", ["a"]), ("asked", []), ("off", [])])
def test_a_learner_that_won_is_promoted_once_as_its_snapshots_leave(log, mode, promoted):
    promoter = Promoter(Settings().kafka, Promotion(mode=mode, least_shadow_hours=0), lambda: 9000)
    assert promoter.consider([snapshot_of("a"), snapshot_of("b", "wait")]) == promoted
    # A person may have taken it back: the same evidence does not promote it again.
    assert promoter.consider([snapshot_of("a")]) == []
    assert log.modes() == dict.fromkeys(promoted, "champion")


def test_by_itself_a_learner_becomes_a_shadow_and_decides_a_day_later(log):
    now_ms = [9000]
    promoter = Promoter(Settings().kafka, Promotion(mode="automatic"), lambda: now_ms[0])
    assert promoter.consider([snapshot_of("a")]) == []
    assert log.modes() == {"a": "shadow"}
    now_ms[0] += 24 * HOUR_MS - 1
    assert promoter.consider([snapshot_of("a")]) == []
    # The topic is not read at each snapshot meanwhile.
    now_ms[0] += 1
    assert promoter.consider([snapshot_of("a")]) == []
    now_ms[0] += AGAIN_MS
    assert promoter.consider([snapshot_of("a")]) == ["a"]
    assert log.modes() == {"a": "champion"}


def test_where_a_person_is_asked_an_alert_tells_of_it_once(log):
    told: list[Alert] = []
    promoter = Promoter(Settings().kafka, Promotion(), lambda: 9000, told.extend)
    for verdict in ("wait", "ask", "ask", "promote"):
        assert promoter.consider([snapshot_of("a", verdict)]) == []
    (alert,) = told
    assert (alert.name, alert.labels, alert.limit) == ("LearnerAsks", {"learner": "a"}, 0.02)
    assert alert.value == pytest.approx(0.1)
    assert alert.summary.startswith("a asks to be champion: 0.5500 against 0.5000")
    assert DEFINITIONS[alert.name].severity == alert.severity
    assert log.modes() == {}


def test_the_loop_acts_on_a_new_duel_of_a_learner_that_it_promoted_before(log):
    promoter = Promoter(Settings().kafka, AUTOMATIC, lambda: 9000)
    assert promoter.consider([snapshot_of("a")]) == ["a"]
    assert promoter.consider([snapshot_of("a", "refuse", -0.1, defends=True)]) == []
    assert log.modes() == {"a": "shadow"}
