"""How long a critical alert takes from its fault to the router, by what the catalogue and the settings say."""

import math
import re
from pathlib import Path

import pytest
import yaml

from infra.alerts import probes
from infra.alerts.router import SILENCE_MS
from infra.stack import alertmanager, prometheus
from schemas.alerts.catalogue import DEFINITIONS
from schemas.alerts.definition import Rule
from schemas.settings import Settings
from schemas.units import MINUTE_MS, SECOND_MS

CRITICAL = {definition.name: definition for definition in DEFINITIONS.values() if definition.severity == "critical"}
RULED = {name: definition for name, definition in CRITICAL.items() if isinstance(definition.signal, Rule)}
MS = {"s": SECOND_MS, "m": MINUTE_MS}

# True with the first samples that a fault shows in, if the fault is whole: what is down, counted, or a rate or
# percentile that the fault takes far across the limit.
AT_ONCE = {
    "PartDown",
    "StoreDown",
    "JobDown",
    "ProcessDown",
    "SchemaRefused",
    "DecisionLatencyHigh",
    "DeploySlow",
    "BlockRateHigh",
    "EmptyLists",
    "ApiErrors",
}
# True once nothing came for a whole window, or for as long as the limit.
AFTER_A_WINDOW = {"CheckpointsMissing", "EventsStopped", "ListsStopped", "ProcessStuck"}
# Of a stream that stopped, the rate is half of what it was after half of the window.
AFTER_HALF_A_WINDOW = {"ThroughputHalved"}

# Told more than five minutes after their fault, and why that may be.
LATER = {
    "CheckpointsMissing": "decisions go on; one checkpoint is due every 10 s, and a slow one may take minutes",
    "EventsStopped": "says that nothing comes at all; ThroughputHalved tells of the same fault before",
}


def milliseconds(text):
    """A duration of Prometheus, such as 30s."""
    return int(text[:-1]) * MS[text[-1]]


def window_ms(definition):
    if definition.name in AT_ONCE:
        return 0
    if definition.unit == "seconds":
        return definition.limit * SECOND_MS
    whole_ms = milliseconds(re.search(r"\[(\w+)\]", definition.expr)[1])
    return whole_ms / 2 if definition.name in AFTER_HALF_A_WINDOW else whole_ms


def most_ms(definition):
    """Between a fault and the notification, at the worst instant: probe, scrape, window, evaluations, group."""
    every = prometheus.configuration(Settings())["global"]
    scrape_ms, evaluation_ms = milliseconds(every["scrape_interval"]), milliseconds(every["evaluation_interval"])
    hold_ms = math.ceil(milliseconds(definition.signal.hold) / evaluation_ms) * evaluation_ms
    probe_ms = SECOND_MS * (probes.EVERY_S + probes.TIMEOUT_S) if definition.name == "StoreDown" else 0
    return probe_ms + scrape_ms + window_ms(definition) + evaluation_ms + hold_ms + group_wait_ms()


def group_wait_ms():
    """How long Alertmanager holds a critical alert that opens a group."""
    routes = yaml.safe_load(alertmanager.configuration(Settings()))["route"]["routes"]
    (critical,) = (route for route in routes if route["matchers"] == ['severity="critical"'])
    return milliseconds(critical["group_wait"])


def test_each_critical_rule_says_whether_it_waits_for_a_window():
    kinds = (AT_ONCE, AFTER_A_WINDOW, AFTER_HALF_A_WINDOW)
    assert set.union(*kinds) == set(RULED)
    assert sum(map(len, kinds)) == len(RULED)


@pytest.mark.parametrize("name", RULED)
def test_a_critical_alert_needs_five_minutes_at_most_or_says_why(name):
    assert (most_ms(RULED[name]) >= 5 * MINUTE_MS) == (name in LATER)


def test_what_is_down_or_refused_is_told_within_a_minute_of_its_fault():
    soon = {name for name, definition in RULED.items() if most_ms(definition) < MINUTE_MS}
    assert soon == {"PartDown", "StoreDown", "JobDown", "ProcessDown", "SchemaRefused", "EmptyLists"}


def test_silence_of_prometheus_is_told_well_within_five_minutes():
    assert SILENCE_MS < 5 * MINUTE_MS


def test_decisions_say_how_long_each_critical_rule_takes():
    """The table of DECISIONS.md holds the seconds that follow from the catalogue."""
    text = (Path(__file__).parents[2] / "DECISIONS.md").read_text()
    said = {name: int(seconds) for name, seconds in re.findall(r"^\| `(\w+)` \| (\d+) s \|", text, re.MULTILINE)}
    assert said == {name: most_ms(definition) / SECOND_MS for name, definition in RULED.items()}
