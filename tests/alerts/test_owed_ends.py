"""PagerDuty hears the end of what it may have opened, whatever channel people heard it over."""

import random

import msgspec
from alert_builders import NOON_MS, config, notice, person
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.alerts.channels import payloads
from infra.alerts.incidents import MOST_ALONE
from infra.alerts.owed_ends import ENDS_AT_ONCE, MAX_OPEN
from infra.alerts.policy import RETRY_MOST_MS, Policy
from infra.alerts.routing_state import RouterState
from infra.alerts.sender import attempts
from schemas.settings import Channel
from schemas.units import HOUR_MS, MINUTE_MS, SECOND_MS

PAGERDUTY = Channel("pagerduty", "http://p/", "key-1")
HOOK = Channel("webhook", "http://h/")


class Fallback:
    """A person with PagerDuty and a webhook after it, whose answers are handed in; what is open at PagerDuty."""

    def __init__(self, pagerduty=lambda: True, webhook=lambda: True, channels=(PAGERDUTY, HOOK), **limits):
        self.config = config(person("ada", *channels), **{"person_per_hour": 10_000, **limits})
        self.answers = {"pagerduty": pagerduty, "webhook": webhook}
        self.policy = Policy(self.config, RouterState())
        self.open = set()
        self.told = []
        self.now_ms = NOON_MS

    def take(self, *notices):
        for given_notice in notices:
            self.policy.take(given_notice, self.now_ms)

    def post(self, channel, message):
        """As `sender.send`: the posts of a message until one is not taken."""
        if channel.kind == "webhook":
            taken = self.answers["webhook"]()
            self.told += message.notices if taken else []
            return ("delivered" if taken else "failed"), ""
        for event in payloads(channel, message):
            if not self.answers["pagerduty"]():
                return "failed", ""
            (self.open.add if event["event_action"] == "trigger" else self.open.discard)(event["dedup_key"])
        return "delivered", ""

    def send(self, message):
        """The channels that took a message, and those that were tried."""
        wanted = self.policy.wanted(message)
        found = list(attempts(message, self.config.people[0].channels, wanted, self.post))
        return [one.channel for one in found if one.outcome == "delivered"], [one.channel for one in found]

    def beat(self, after_ms=MINUTE_MS):
        self.now_ms += after_ms
        messages = self.policy.due(self.now_ms)
        for message in messages:
            taken, tried = self.send(message)
            self.policy.settle(message, taken, self.now_ms, tried)
        return messages

    def restart(self, settings=None):
        """The process ends without a word, and another one finds its state."""
        kept = msgspec.json.decode(msgspec.json.encode(self.policy._state), type=RouterState)
        self.config = settings or self.config
        self.policy = Policy(self.config, kept)
        self.policy.recover()


def pagerduty_is(fallback, works):
    fallback.answers["pagerduty"] = lambda: works


def test_an_end_that_another_channel_took_closes_the_incident_once_pagerduty_answers():
    ada = Fallback()
    ada.take(notice("JobDown"))
    ada.beat()
    assert len(ada.open) == 1
    pagerduty_is(ada, works=False)
    ada.take(notice("JobDown", state="resolved"))
    ada.beat()
    assert [told.state for told in ada.told] == ["resolved"]
    ada.restart()
    for _ in range(10):
        ada.beat()
    assert len(ada.open) == 1
    ada.restart()
    pagerduty_is(ada, works=True)
    ada.beat(RETRY_MOST_MS)
    assert ada.open == set()
    # People heard of the end once.
    assert [told.state for told in ada.told] == ["resolved"]
    assert ada.beat(RETRY_MOST_MS) == []


def test_an_end_over_a_channel_that_is_passed_by_closes_the_incident_all_the_same():
    """PagerDuty is over its rate when the end is told, or does not take the severity that the end has."""
    ada = Fallback(channel_per_hour=1)
    ada.take(notice("JobDown"))
    ada.beat()
    ada.take(notice("JobDown", state="resolved"))
    (told,) = ada.beat()
    assert told.channels == [1]
    ada.beat()
    assert ada.open == set()
    some = (msgspec.structs.replace(PAGERDUTY, severities=["critical"]), HOOK)
    bob = Fallback(channels=some)
    bob.take(notice("JobDown", "critical"))
    bob.beat()
    assert len(bob.open) == 1
    bob.take(notice("JobDown", "warning", "resolved"))
    bob.beat()
    bob.beat()
    assert bob.open == set()


def test_the_end_is_owed_to_pagerduty_when_the_router_died_while_it_told_of_the_beginning():
    ada = Fallback()
    ada.take(notice("JobDown"))
    ada.now_ms += MINUTE_MS
    (message,) = ada.policy.due(ada.now_ms)
    ada.send(message)
    assert len(ada.open) == 1
    ada.restart()
    pagerduty_is(ada, works=False)
    ada.beat()
    ada.take(notice("JobDown", state="resolved"))
    ada.beat()
    assert [told.state for told in ada.told] == ["firing", "resolved"]
    pagerduty_is(ada, works=True)
    ada.beat(RETRY_MOST_MS)
    assert ada.open == set()


def test_a_pager_that_did_not_hear_of_the_beginning_is_not_told_of_the_end():
    ada = Fallback(channels=(HOOK, PAGERDUTY))
    ada.take(notice("JobDown"))
    ada.beat()
    ada.take(notice("JobDown", state="resolved"))
    ada.beat()
    assert [told.state for told in ada.told] == ["firing", "resolved"]
    assert ada.beat() == []


def test_an_end_that_is_owed_does_not_close_what_fires_again():
    ada = Fallback()
    ada.take(notice("JobDown", "critical"))
    ada.beat()
    pagerduty_is(ada, works=False)
    ada.take(notice("JobDown", "critical", "resolved"))
    ada.beat()
    ada.take(notice("JobDown", "critical"))
    ada.beat()
    pagerduty_is(ada, works=True)
    for _ in range(3):
        assert ada.beat(RETRY_MOST_MS) == []
    assert len(ada.open) == 1
    ada.take(notice("JobDown", "critical", "resolved"))
    ada.beat()
    assert ada.open == set()


def test_ends_that_are_owed_take_no_room_of_a_persons_hour_and_go_back_off_by_themselves():
    ada = Fallback(person_per_hour=10)
    ada.take(notice("JobDown"))
    ada.beat()
    pagerduty_is(ada, works=False)
    ada.take(notice("JobDown", state="resolved"))
    ada.beat()
    used = list(ada.policy._of("ada").delivered_ms)
    tries = sum(len(ada.beat(SECOND_MS)) for _ in range(60))
    # At once, then after 5, 10 and 20 s.
    assert tries == 4
    pagerduty_is(ada, works=True)
    ada.take(notice("PartDown"))
    (told,) = ada.beat(SECOND_MS)
    assert [one.name for one in told.notices] == ["PartDown"]
    ada.beat(RETRY_MOST_MS)
    assert ada.open == {notice("PartDown").key("ada")}
    assert len(ada.policy._of("ada").delivered_ms) == len(used) + 1


def test_the_end_of_a_burst_is_owed_as_one():
    ada = Fallback()
    names = [f"a-{number}" for number in range(3 * MOST_ALONE)]
    ada.take(*(notice(name) for name in names))
    ada.beat()
    assert len(ada.open) == 1
    pagerduty_is(ada, works=False)
    ada.take(*(notice(name, state="resolved") for name in names[1:]))
    ada.beat()
    pagerduty_is(ada, works=True)
    ada.beat(RETRY_MOST_MS)
    assert len(ada.open) == 1
    pagerduty_is(ada, works=False)
    ada.take(notice(names[0], state="resolved"))
    ada.beat(RETRY_MOST_MS)
    pagerduty_is(ada, works=True)
    ada.beat(RETRY_MOST_MS)
    assert ada.open == set()


def test_ends_beyond_what_one_message_holds_follow_in_the_next():
    ada = Fallback()
    for number in range(2 * ENDS_AT_ONCE + 1):
        ada.take(notice(f"a-{number}"))
        ada.beat()
    pagerduty_is(ada, works=False)
    ada.take(*(notice(f"a-{number}", state="resolved") for number in range(2 * ENDS_AT_ONCE + 1)))
    ada.beat()
    pagerduty_is(ada, works=True)
    sizes = [len(message.notices) for _ in range(4) for message in ada.beat(RETRY_MOST_MS)]
    assert sizes == [ENDS_AT_ONCE, ENDS_AT_ONCE, 1]
    assert ada.open == set()


def test_an_end_that_found_no_room_to_wait_is_told_to_pagerduty(monkeypatch):
    monkeypatch.setattr("infra.alerts.policy.MAX_WAITING", 1)
    ada = Fallback()
    ada.take(notice("ApiSlow", "warning"))
    ada.beat()
    assert len(ada.open) == 1
    ada.take(notice("ApiSlow", "warning", "resolved"), notice("JobDown"))
    ada.beat()
    ada.beat()
    assert ada.open == {notice("JobDown").key("ada")}


def test_what_is_owed_to_a_channel_that_is_no_more_in_the_settings_goes_nowhere():
    ada = Fallback()
    ada.take(notice("JobDown"))
    ada.beat()
    pagerduty_is(ada, works=False)
    ada.take(notice("JobDown", state="resolved"))
    ada.beat()
    pagerduty_is(ada, works=True)
    another = msgspec.structs.replace(PAGERDUTY, key="key-2")
    ada.restart(config(person("ada", another, HOOK)))
    assert ada.beat(RETRY_MOST_MS) == []
    # In another place it is the same channel.
    ada.restart(config(person("ada", HOOK, another, PAGERDUTY)))
    (message,) = ada.beat(RETRY_MOST_MS)
    assert message.channels == [2]
    assert ada.open == set()


def test_the_state_holds_no_routing_key():
    ada = Fallback()
    ada.take(notice("JobDown"))
    ada.beat()
    state = msgspec.json.encode(ada.policy._state)
    assert notice("JobDown").key("ada").encode() in state
    assert PAGERDUTY.key.encode() not in state


@given(st.integers(min_value=0, max_value=2**32))
@settings(max_examples=20, deadline=None)
def test_over_two_channels_that_fail_and_restarts_nothing_is_open_once_all_is_over(seed):
    chance = random.Random(seed)
    ada = Fallback(lambda: chance.random() < 0.6, lambda: chance.random() < 0.8, channel_per_hour=30)
    firing = set()
    for _ in range(40):
        for _ in range(chance.choice((1, 2, 15))):
            severity = chance.choice(("critical", "high"))
            name = f"{severity}-{chance.randrange(15)}"
            state = "resolved" if name in firing and chance.random() < 0.6 else "firing"
            (firing.add if state == "firing" else firing.discard)(name)
            ada.take(notice(name, severity, state))
        if chance.random() < 0.5:
            ada.beat()
        if chance.random() < 0.1:
            for message in ada.policy.due(ada.now_ms):
                ada.send(message)
            ada.restart()
    ada.take(*(notice(name, name.split("-")[0], "resolved") for name in sorted(firing)))
    ada.answers = {"pagerduty": lambda: True, "webhook": lambda: True}
    for _ in range(10):
        ada.beat(HOUR_MS)
    assert ada.open == set()
    assert ada.policy._of("ada").pagers == {}


def test_incidents_beyond_the_bound_are_forgotten_from_the_oldest_on(monkeypatch):
    assert MAX_OPEN > 2
    monkeypatch.setattr("infra.alerts.owed_ends.MAX_OPEN", 2)
    ada = Fallback()
    for name in ("a", "b", "c"):
        ada.take(notice(name))
        ada.beat()
    pagerduty_is(ada, works=False)
    ada.take(*(notice(name, state="resolved") for name in ("a", "b", "c")))
    ada.beat()
    pagerduty_is(ada, works=True)
    ada.beat(RETRY_MOST_MS)
    assert ada.open == {notice("a").key("ada")}
