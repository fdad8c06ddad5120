"""Who is told of what and when: a storm is ten messages, nothing is lost, the urgent is told at night."""

import random
from datetime import UTC, datetime

import msgspec
import pytest
from alert_builders import NOON_MS, config, notice, person
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.alerts.policy import Policy
from infra.alerts.routing_state import RouterState
from schemas.settings import Channel
from schemas.units import DAY_MS, HOUR_MS, MINUTE_MS

SEVERITIES = ("critical", "high", "warning", "info")


class Run:
    """A policy, a clock, and everything that left."""

    def __init__(self, alerts=None, works=lambda: True):
        self.config = alerts or config()
        self.state = RouterState()
        self.policy = Policy(self.config, self.state)
        self.works = works
        self.sent = []  # (time, message, channels that took it)

    def take(self, given_notice, now_ms):
        return next(iter(self.policy.take(given_notice, now_ms).values()))

    def beat(self, now_ms):
        for message in self.policy.due(now_ms):
            wanted = self.policy.wanted(message)
            taken = [number for number in message.channels if self.works()][:wanted]
            self.policy.settle(message, taken, now_ms)
            if taken:
                self.sent.append((now_ms, message, taken))

    def beat_until(self, start_ms, end_ms, step_ms):
        for now_ms in range(start_ms, end_ms, step_ms):
            self.beat(now_ms)

    @property
    def told(self):
        return [told for _, message, _ in self.sent for told in message.notices]

    def most_in_an_hour(self):
        times = [time for time, _, taken in self.sent for _ in taken]
        return max((sum(time <= other < time + HOUR_MS for other in times) for time in times), default=0)


EVENT = st.tuples(
    st.integers(min_value=0, max_value=150),  # minutes since the one before
    st.integers(min_value=0, max_value=7),  # which alert: its severity follows
    st.sampled_from(["firing", "resolved"]),
)


def naive_news(history, now_ms, name, severity, state):
    """Whether it is news, from the whole history of (time, name, state, news), told in words."""
    before = [entry for entry in history if entry[1] == name]
    beginnings = [time for time, _, what, news in before if what == "firing" and news]
    if not beginnings:
        return state == "firing"
    told_ms = beginnings[-1]
    last_state = before[-1][2]
    if state == "resolved":
        # Its last beginning must have been told, or be the same one that goes on since it was told.
        since_told = [entry for entry in before if entry[0] >= told_ms]
        came_back_unheard = any(what == "resolved" for _, _, what, _ in since_told)
        return last_state == "firing" and not came_back_unheard
    if now_ms - told_ms >= DAY_MS:
        return True
    return severity == "critical" and last_state == "resolved"


@given(st.lists(EVENT, max_size=60))
@settings(deadline=None)
def test_dedup_is_what_the_whole_history_says(events):
    run, history, now_ms = Run(), [], NOON_MS
    for minutes, which, state in events:
        # Never two at the same instant, so that the history has an order.
        now_ms += minutes * MINUTE_MS + 1
        severity, name = SEVERITIES[which % 4], f"alert-{which}"
        outcome = run.take(notice(name, severity, state, at_ms=now_ms), now_ms)
        news = naive_news(history, now_ms, name, severity, state)
        assert (outcome == "waiting") == news
        history.append((now_ms, name, state, news))


@given(events=st.lists(EVENT, max_size=40), luck=st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_everything_that_was_taken_is_told_once_and_ten_an_hour_at_most(events, luck):
    somebody = person(zone="Europe/Berlin")
    run = Run(config(somebody), works=lambda: luck.random() < 0.8)
    expected, now_ms = [], NOON_MS
    for minutes, which, state in events:
        run.beat_until(now_ms, now_ms + minutes * MINUTE_MS, 10 * MINUTE_MS)
        now_ms += minutes * MINUTE_MS
        given_notice = notice(f"alert-{which}", SEVERITIES[which % 4], state, at_ms=now_ms)
        if run.take(given_notice, now_ms) == "waiting":
            expected.append(given_notice)
        run.beat(now_ms)
    run.works = lambda: True
    run.beat_until(now_ms, now_ms + 2 * DAY_MS, 10 * MINUTE_MS)
    assert sorted(map(repr, run.told)) == sorted(map(repr, expected))
    assert run.most_in_an_hour() <= 10
    for time_ms, message, _ in run.sent:
        hour = datetime.fromtimestamp(time_ms / 1000, UTC).astimezone(run.policy._zones["ada"]).hour
        assert message.urgent or 8 <= hour < 22


@given(st.integers(min_value=0, max_value=2**32))
@settings(max_examples=5, deadline=None)
def test_a_storm_of_ten_thousand_signals_reaches_a_person_as_ten_messages_at_most(seed):
    chance = random.Random(seed)
    run = Run()
    times = sorted(NOON_MS + chance.randrange(HOUR_MS) for _ in range(10_000))
    for number, now_ms in enumerate(times):
        severity = chance.choice(SEVERITIES)
        run.take(notice(f"alert-{number % 40}", severity, labels={"n": str(number)}, at_ms=now_ms), now_ms)
        if number % 20 == 0:
            run.beat(now_ms)
    in_the_storm = sum(len(taken) for time_ms, _, taken in run.sent if time_ms < NOON_MS + HOUR_MS)
    assert 1 <= in_the_storm <= 10
    run.beat_until(NOON_MS + HOUR_MS, NOON_MS + 5 * HOUR_MS, MINUTE_MS)
    assert run.most_in_an_hour() <= 10
    assert len(run.told) == 10_000
    # What is worst is told soonest: the first critical alert within a minute of its signal.
    first = next(time_ms for time_ms, message, _ in run.sent if message.urgent)
    assert first - times[0] < MINUTE_MS


def at(hour):
    """An hour of that day and the next ones, UTC."""
    return NOON_MS + (hour - 12) * HOUR_MS


def test_a_critical_alert_breaks_through_at_night_on_two_channels_and_its_end_too():
    run = Run()
    run.take(notice("JobDown", "critical", at_ms=at(27)), at(27))
    run.beat(at(27))
    run.take(notice("JobDown", "critical", "resolved", at_ms=at(27) + 5), at(27) + 5)
    run.beat(at(27) + 5)
    assert [(message.urgent, taken) for _, message, taken in run.sent] == [(True, [0, 1]), (True, [0, 1])]


def test_what_is_held_at_night_is_told_at_eight_in_one_message():
    run = Run()
    for number, severity in enumerate(("high", "warning", "info", "high")):
        run.take(notice(f"a-{number}", severity, at_ms=at(23)), at(23))
    run.beat_until(at(23), at(32), MINUTE_MS)
    assert run.sent == []
    run.beat(at(32))
    ((time_ms, message, taken),) = run.sent
    assert time_ms == at(32)
    assert [told.name for told in message.notices] == ["a-0", "a-1", "a-2", "a-3"]
    assert taken == [0]


def test_priorities_are_told_in_their_time():
    waits = {"critical": 1_000, "high": 1_000, "warning": MINUTE_MS, "info": HOUR_MS}
    for severity, most_ms in waits.items():
        run = Run()
        run.take(notice(severity=severity), NOON_MS)
        run.beat_until(NOON_MS, NOON_MS + 2 * HOUR_MS, 500)
        ((time_ms, _, _),) = run.sent
        assert time_ms - NOON_MS < most_ms, severity


def test_warnings_of_one_moment_are_one_message():
    run = Run()
    for number in range(5):
        run.take(notice(f"w-{number}", "warning", at_ms=NOON_MS + number), NOON_MS + number)
    run.beat_until(NOON_MS, NOON_MS + MINUTE_MS, 1_000)
    ((_, message, _),) = run.sent
    assert len(message.notices) == 5


def test_a_channel_that_fails_is_followed_by_the_next_and_by_another_try():
    answers = iter([False, True])
    run = Run(works=lambda: next(answers))
    run.take(notice(), NOON_MS)
    run.beat(NOON_MS)
    ((_, _, taken),) = run.sent
    assert taken == [1]
    run = Run(works=lambda: False)
    run.take(notice(), NOON_MS)
    run.beat(NOON_MS)
    assert run.sent == []
    run.works = lambda: True
    run.beat(NOON_MS + 4_999)
    assert run.sent == []
    run.beat(NOON_MS + 5_000)
    assert len(run.told) == 1


def test_a_busy_channel_is_passed_by_and_a_full_hour_of_all_waits():
    run = Run(config(channel_per_hour=2, person_per_hour=100))
    for number in range(4):
        now_ms = NOON_MS + number * MINUTE_MS
        run.take(notice(f"a-{number}"), now_ms)
        run.beat(now_ms)
    assert [taken for _, _, taken in run.sent] == [[0], [0], [1], [1]]
    run = Run(config(all_per_hour=2, person_per_hour=100))
    for number in range(4):
        run.take(notice(f"a-{number}"), NOON_MS + number * MINUTE_MS)
        run.beat(NOON_MS + number * MINUTE_MS)
    assert len(run.sent) == 2
    run.take(notice("JobDown", "critical"), NOON_MS + 5 * MINUTE_MS)
    run.beat(NOON_MS + 5 * MINUTE_MS)
    assert run.sent[-1][1].urgent


PAGER = Channel("pagerduty", "http://127.0.0.1:1/p", severities=["critical"])
CHAT = Channel("slack", "http://127.0.0.1:1/s", severities=["high", "warning"])
MAIL = Channel("webhook", "http://127.0.0.1:1/m", severities=["info"])


def test_each_severity_goes_to_the_channels_that_take_it():
    run = Run(config(person("ada", PAGER, CHAT, MAIL), person_per_hour=100))
    for severity in SEVERITIES:
        run.take(notice(f"a-{severity}", severity), NOON_MS)
    run.beat_until(NOON_MS, NOON_MS + HOUR_MS, MINUTE_MS // 2)
    by_channel = [(taken, sorted(told.severity for told in message.notices)) for _, message, taken in run.sent]
    assert by_channel == [([0], ["critical"]), ([1], ["high", "warning"]), ([2], ["info"])]


def test_a_critical_alert_takes_another_channel_only_when_its_own_fail():
    run = Run(config(person("ada", CHAT, PAGER, MAIL)))
    run.take(notice("JobDown", "critical"), NOON_MS)
    run.beat(NOON_MS)
    assert [taken for _, _, taken in run.sent] == [[1]]
    answers = iter([False, True, True])
    run = Run(config(person("ada", CHAT, PAGER, MAIL)), works=lambda: next(answers))
    run.take(notice("JobDown", "critical"), NOON_MS)
    run.beat(NOON_MS)
    assert [taken for _, _, taken in run.sent] == [[0]]


def test_a_person_whom_some_severity_could_not_reach_is_refused():
    with pytest.raises(ValueError, match=r"alerts\.people ada: none of the channels takes what is info"):
        person("ada", PAGER, CHAT)


def test_people_hear_of_what_they_own_and_everybody_of_what_nobody_owns():
    run = Run(config(person("ada", owners=["data"]), person("bob", owners=["fraud"]), person("cy")))
    assert run.policy.take(notice(owner="data"), NOON_MS).keys() == {"ada", "cy"}
    run = Run(config(person("ada", owners=["data"]), person("bob", owners=["fraud"])))
    assert run.policy.take(notice(owner="nobody"), NOON_MS).keys() == {"ada", "bob"}


def test_state_survives_as_bytes_and_a_message_under_way_is_sent_again():
    run = Run()
    run.take(notice("one", "warning"), NOON_MS)
    run.take(notice("two", "critical"), NOON_MS)
    (message,) = run.policy.due(NOON_MS)
    again = msgspec.json.decode(msgspec.json.encode(run.state), type=RouterState)
    policy = Policy(run.config, again)
    policy.recover()
    assert policy.take(notice("one", "warning"), NOON_MS + 1) == {"ada": "repeat"}
    (repeated,) = policy.due(NOON_MS + 2)
    assert repeated.notices == message.notices
    policy.settle(repeated, [0, 1], NOON_MS + 2)
    assert [told.name for told in policy.due(NOON_MS + MINUTE_MS)[0].notices] == ["one"]


def test_beyond_its_bound_the_least_urgent_goes_and_is_told_as_a_number(monkeypatch):
    monkeypatch.setattr("infra.alerts.policy.MAX_WAITING", 2)
    run = Run()
    run.take(notice("c", "critical"), at(23))
    run.take(notice("i", "info"), at(23))
    assert run.take(notice("h", "high"), at(23)) == "overflow"
    run.beat(at(23))
    assert [told.name for told in run.told] == ["c"]
    assert run.sent[0][1].dropped == 1
    run.beat(at(32))
    assert [told.name for told in run.told] == ["c", "h"]
