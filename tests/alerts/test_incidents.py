"""At PagerDuty, what fires is open and what is over is closed, however alerts were put together into messages."""

import random

import pytest
from alert_builders import NOON_MS, config, notice, person
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.alerts.channels import payloads
from infra.alerts.incidents import MOST_ALONE
from infra.alerts.policy import Policy
from infra.alerts.routing_state import RouterState
from schemas.settings import Channel
from schemas.units import HOUR_MS, MINUTE_MS

PAGERDUTY = Channel("pagerduty", "http://p/", "key-1")


class Pager:
    """A person with PagerDuty alone, and the incidents that are open there; `answers` says which posts it takes."""

    def __init__(self, answers=lambda: True):
        self.policy = Policy(config(person("ada", PAGERDUTY), person_per_hour=10_000), RouterState())
        self.answers = answers
        self.open = set()
        self.rung = 0
        self.now_ms = NOON_MS

    def take(self, *notices):
        for given_notice in notices:
            self.policy.take(given_notice, self.now_ms)

    def beat(self):
        """What is due is posted until a post fails; the events of the message that was taken, as words."""
        self.now_ms += HOUR_MS
        events = []
        for message in self.policy.due(self.now_ms):
            taken = True
            for event in payloads(PAGERDUTY, message):
                taken = self.answers()
                if not taken:
                    break
                events.append(event["event_action"])
                self._post(event["event_action"], event["dedup_key"])
            self.policy.settle(message, [0] if taken else [], self.now_ms)
        return events

    def _post(self, action, key):
        self.rung += action == "trigger" and key not in self.open
        (self.open.add if action == "trigger" else self.open.discard)(key)


def down(name, state="firing"):
    return notice(name, "critical", state)


def test_alerts_that_were_told_singly_and_end_in_one_message_are_both_closed():
    pager = Pager()
    for name in ("JobDown", "PartDown"):
        pager.take(down(name))
        pager.beat()
    assert len(pager.open) == 2
    pager.take(down("JobDown", "resolved"), down("PartDown", "resolved"))
    assert pager.beat() == ["resolve", "resolve"]
    assert pager.open == set()


def test_alerts_that_were_told_together_are_closed_one_by_one():
    pager = Pager()
    pager.take(down("JobDown"), down("PartDown"))
    pager.beat()
    assert len(pager.open) == 2
    pager.take(down("JobDown", "resolved"))
    pager.beat()
    assert len(pager.open) == 1
    pager.take(down("PartDown", "resolved"))
    pager.beat()
    assert pager.open == set()


@pytest.mark.parametrize(("count", "incidents"), [(MOST_ALONE, MOST_ALONE), (MOST_ALONE + 1, 1), (10_000, 1)])
def test_a_burst_is_one_incident_that_is_closed_with_the_last_of_it(count, incidents):
    pager = Pager()
    names = [f"a-{number}" for number in range(count)]
    pager.take(*map(down, names))
    pager.beat()
    assert (len(pager.open), pager.rung) == (incidents, incidents)
    pager.take(*(down(name, "resolved") for name in names[1:]))
    pager.beat()
    assert len(pager.open) == 1
    pager.take(down(names[0], "resolved"))
    pager.beat()
    assert pager.open == set()


def test_an_alert_that_fires_for_days_keeps_its_incident_in_a_burst():
    pager = Pager()
    pager.take(down("JobDown"))
    pager.beat()
    before = set(pager.open)
    pager.now_ms += 25 * HOUR_MS
    pager.take(down("JobDown"), *(down(f"a-{number}") for number in range(MOST_ALONE)))
    pager.beat()
    assert before < pager.open
    pager.take(down("JobDown", "resolved"))
    pager.beat()
    assert not before & pager.open


def test_a_message_that_was_posted_in_part_is_closed_whole_when_it_comes_again_with_more():
    answers = iter([True, True, False])
    pager = Pager(lambda: next(answers, True))
    pager.take(*(down(f"a-{number}") for number in range(3)))
    pager.beat()
    assert len(pager.open) == 2
    pager.take(*(down(f"b-{number}") for number in range(2 * MOST_ALONE)))
    pager.beat()
    assert len(pager.open) == 3 + 1
    pager.take(*(down(f"a-{number}", "resolved") for number in range(3)))
    pager.take(*(down(f"b-{number}", "resolved") for number in range(2 * MOST_ALONE)))
    pager.beat()
    assert pager.open == set()


@given(st.integers(min_value=0, max_value=2**32))
@settings(max_examples=30, deadline=None)
def test_whatever_came_and_failed_nothing_is_open_once_all_is_over(seed):
    chance = random.Random(seed)
    pager, firing = Pager(lambda: chance.random() < 0.8), set()
    for _ in range(40):
        for _ in range(chance.choice((1, 2, 15))):
            name = f"a-{chance.randrange(30)}"
            state = "resolved" if name in firing and chance.random() < 0.6 else "firing"
            (firing.add if state == "firing" else firing.discard)(name)
            pager.take(down(name, state))
        if chance.random() < 0.5:
            pager.beat()
    pager.take(*(down(name, "resolved") for name in sorted(firing)))
    pager.answers = lambda: True
    for _ in range(3):
        pager.beat()
    assert pager.open == set()
    assert all(told.incident == "" for told in pager.policy._of("ada").told.values())


def test_what_fires_is_open_while_it_does():
    pager = Pager()
    chance, firing = random.Random(7), set()
    for _ in range(200):
        name = f"a-{chance.randrange(20)}"
        state = "resolved" if name in firing else "firing"
        (firing.add if state == "firing" else firing.discard)(name)
        pager.take(down(name, state))
        pager.now_ms += MINUTE_MS
        if chance.random() < 0.3:
            pager.beat()
            told = pager.policy._of("ada").told
            assert pager.open == {told[down(firing_name).key("ada")].incident for firing_name in firing}
