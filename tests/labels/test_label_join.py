"""Labels meet the decision that they are about, whatever the order, the batches, the delays and the crashes."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from label_builders import NOON_MS, Bucket, decision, label, policies, record

from schemas.control import Maturity
from schemas.errors import InvalidError, StateVersionError, StoreError
from schemas.events import ControlRecord
from schemas.online_scores import OnlineScore
from schemas.units import DAY_MS
from serving.labels.join import JOB, RETRY_DELAYS_MS, Waiting
from serving.labels.later import Later
from serving.labels.maturity import DEFAULTS, MaturityControl, is_sampled
from serving.labels.words import REMEMBERED_WORDS, Said, Told, Word, Words, pack_words, unpack_words


def test_a_label_becomes_an_example_with_the_features_of_the_decision_and_both_times():
    bucket = Bucket()
    bucket.store.write_decisions([decision()])
    bucket.step(label("c1", known_ms=NOON_MS + 60 * DAY_MS))
    (example,) = bucket.examples
    assert (example.event_id, example.task, example.example_id, example.user_id) == ("c1", "fraud", "p1", "u1")
    assert (example.decided_ms, example.event_time_ms, example.delay_ms) == (
        NOON_MS,
        NOON_MS + 60 * DAY_MS,
        60 * DAY_MS,
    )
    assert (example.label, example.source, example.replaced, example.maturity) == (1.0, "chargeback", None, "")
    assert (example.features, example.feature_set, example.model) == ([1.0, 2.5], "fs-1", "fraud@3")
    assert (example.score, example.amount, example.segment, example.weight) == (0.25, 12.5, "gold", 1.0)


@pytest.mark.parametrize(
    ("online", "champion"),
    [
        ({"fraud-tree@2000": OnlineScore(0.9, 1.0), "fraud-logistic@9": OnlineScore(0.1)}, ("fraud-tree", 0.9)),
        ({"fraud-tree@2000": OnlineScore(0.9, 0.4)}, ("", None)),
        ({"a@1": OnlineScore(0.9, 0.5), "b@1": OnlineScore(0.7, 0.5)}, ("", None)),
    ],
)
def test_an_example_states_the_learner_that_decided_alone_beside_the_model_and_its_own_score(online, champion):
    bucket = Bucket()
    bucket.store.write_decisions([decision(score=0.8, champion_score=0.25, online=online)])
    bucket.step(label("c1"))
    (example,) = bucket.examples
    assert (example.champion, example.champion_score) == champion
    assert (example.model, example.score) == ("fraud@3", 0.25)


def test_an_example_states_what_those_said_that_had_no_part_in_the_score():
    bucket = Bucket()
    online = {
        "fraud@4": OnlineScore(0.7),
        "fraud-tree@2000": OnlineScore(0.9, 0.4),
        "fraud-logistic@9": OnlineScore(0.1),
    }
    bucket.store.write_decisions([decision(score=0.8, champion_score=0.25, online=online)])
    bucket.step(label("c1"))
    (example,) = bucket.examples
    assert example.shadows == {"fraud@4": 0.7, "fraud-logistic@9": 0.1}


def test_a_changed_label_says_what_it_replaces_and_an_equal_one_is_counted_alone():
    bucket = Bucket()
    bucket.store.write_decisions([decision()])
    bucket.step(label("c1"), label("c2", known_ms=NOON_MS + 2 * DAY_MS, source="review"))
    bucket.step(label("d1", False, NOON_MS + 3 * DAY_MS, source="dispute"))
    assert [(e.event_id, e.label, e.replaced) for e in bucket.examples] == [("c1", 1.0, None), ("d1", 0.0, 1.0)]
    assert (bucket.counts["joined"], bucket.counts["confirmed"], bucket.counts["replaced"]) == (1, 1, 1)


def test_a_label_that_became_known_before_the_last_one_changes_nothing():
    bucket = Bucket()
    bucket.store.write_decisions([decision()])
    bucket.step(label("d1", False, NOON_MS + 3 * DAY_MS), label("c1", True, NOON_MS + DAY_MS))
    assert [(e.event_id, e.label) for e in bucket.examples] == [("d1", 0.0)]
    assert bucket.counts["stale"] == 1


def test_an_unknown_payment_waits_and_is_joined_once_the_decision_is_there():
    bucket = Bucket()
    bucket.step(label("c1"))
    assert (bucket.examples, bucket.next_ms()) == ([], NOON_MS + RETRY_DELAYS_MS[0])
    bucket.wake(NOON_MS + RETRY_DELAYS_MS[0] - 1)
    assert bucket.counts["waiting"] == 1
    bucket.store.write_decisions([decision()])
    bucket.drain()
    assert [e.event_id for e in bucket.examples] == ["c1"]
    assert list(bucket.state) == ["clock"]


def test_a_payment_that_nobody_decided_on_is_a_dead_letter_after_the_last_retry():
    bucket = Bucket()
    bucket.step(label("c1"))
    for tries in range(len(RETRY_DELAYS_MS)):
        assert bucket.counts["waiting"] == tries + 1
        bucket.wake(bucket.next_ms())
    (letter,) = bucket.letters
    assert (letter.reason, letter.job, letter.raw) == ("unknown_answer", JOB, record(label("c1")).value)
    assert letter.detail == "no answer 'p1' is known after 6 retries"
    assert (bucket.next_ms(), bucket.counts["unknown"]) == (None, 1)


def test_labels_that_find_no_room_to_wait_are_dead_letters_at_once(monkeypatch):
    monkeypatch.setattr("serving.labels.join.MOST_WAITING", 1)
    bucket = Bucket()
    bucket.step(label("c1"), label("c2"))
    assert [letter.detail for letter in bucket.letters] == ["no answer 'p1' is known and too many labels wait already"]


@pytest.mark.parametrize(
    ("stored", "reason"), [({"user_id": "somebody"}, "wrong_user"), ({"features": []}, "no_features")]
)
def test_a_decision_that_can_not_be_learned_from_is_a_dead_letter_and_counts_for_nothing(stored, reason):
    bucket = Bucket()
    bucket.store.write_decisions([decision(**stored)])
    bucket.step(label("c1"))
    assert [letter.reason for letter in bucket.letters] == [reason]
    assert bucket.store.words(["p1"]) == {}


def test_what_the_scoring_job_refuses_is_counted_and_not_told_twice():
    bucket = Bucket()
    bucket.store.write_decisions([decision()])
    waiting = Waiting(bucket.state.get)
    bad = [record(label("x"), arrival_ms=NOON_MS), record(label("y")), record(label("z"))]
    bad[1].key, bad[2].value = b"other", b"{"
    assert bucket._join.step(bad, waiting, bucket.control, NOON_MS) == []
    assert {reason: bucket.counts[reason] for reason in ("future", "wrong_key", "unreadable")} == dict.fromkeys(
        ("future", "wrong_key", "unreadable"), 1
    )


def test_a_store_that_is_away_leaves_everything_as_it_was():
    bucket = Bucket()
    bucket.step(label("c1"))
    before = dict(bucket.state)

    def away(_: object) -> None:
        raise StoreError("Cassandra is away")

    reads, bucket.store.decisions = bucket.store.decisions, away
    with pytest.raises(StoreError):
        bucket.wake(NOON_MS + DAY_MS)
    assert bucket.state == before
    bucket.store.decisions = reads
    bucket.store.write_decisions([decision()])
    bucket.drain()
    assert [e.event_id for e in bucket.examples] == ["c1"]


class TestMaturity:
    def test_a_payment_without_a_label_is_negative_when_its_policy_says_so_and_not_before(self):
        bucket = Bucket(control=policies(soon=Maturity("chargeback", days=10, share=1.0)))
        bucket.store.write_decisions([decision()])
        bucket.step(decision())
        bucket.step(decision("p2", NOON_MS + 10 * DAY_MS - 1))
        assert bucket.examples == []
        bucket.step(decision("p3", NOON_MS + 11 * DAY_MS))
        (example,) = bucket.examples
        assert (example.example_id, example.label, example.source, example.maturity) == ("p1", 0.0, "timeout", "soon")
        assert (example.delay_ms, example.weight) == (10 * DAY_MS, 1.0)

    def test_a_label_takes_the_place_of_a_time_out_even_when_it_became_known_before(self):
        bucket = Bucket(control=policies(soon=Maturity("chargeback", days=10, share=1.0)))
        bucket.store.write_decisions([decision()])
        bucket.step(decision())
        bucket.step(decision("p3", NOON_MS + 11 * DAY_MS))
        bucket.step(label("c1", known_ms=NOON_MS + 9 * DAY_MS))
        assert [(e.label, e.replaced) for e in bucket.examples] == [(0.0, None), (1.0, 0.0)]

    def test_a_label_says_how_many_answers_the_time_out_stood_for_that_it_replaces_and_what_was_decided(self):
        bucket = Bucket(control=policies(soon=Maturity("chargeback", days=10, share=0.99)))
        bucket.store.write_decisions([decision()])
        bucket.step(decision())
        bucket.step(decision("p3", NOON_MS + 11 * DAY_MS))
        bucket.step(label("c1", known_ms=NOON_MS + 12 * DAY_MS))
        assert [(e.weight, e.replaced_weight) for e in bucket.examples] == [(1 / 0.99, 1.0), (1.0, 1 / 0.99)]
        assert {e.decision for e in bucket.examples} == {decision().decision}

    def test_a_payment_with_a_label_a_repeat_and_a_refused_one_have_no_time_out(self):
        bucket = Bucket(control=policies(soon=Maturity("chargeback", days=1, share=1.0)))
        log = [decision(), decision("p2", repeat=True), decision("p3", decision="BLOCK")]
        bucket.store.write_decisions(log)
        bucket.step(*log, label("c1", False))
        bucket.step(decision("p4", NOON_MS + 20 * DAY_MS))
        assert [e.event_id for e in bucket.examples] == ["c1"]

    def test_a_sample_is_the_same_for_everybody_has_its_share_and_weighs_what_it_stands_for(self):
        policy = Maturity("chargeback", days=1, share=0.25)
        names = [f"p{n}" for n in range(4000)]
        sampled = [name for name in names if is_sampled(policy, "a", name)]
        assert 900 < len(sampled) < 1100
        assert sampled != [name for name in names if is_sampled(policy, "b", name)]
        bucket = Bucket(control=policies(a=policy))
        bucket.store.write_decisions([decision(sampled[0])])
        bucket.step(decision(sampled[0]), decision("end", NOON_MS + 2 * DAY_MS))
        assert [(e.example_id, e.weight) for e in bucket.examples] == [(sampled[0], 4.0)]

    def test_answers_that_find_no_room_are_not_followed_and_counted(self, monkeypatch):
        monkeypatch.setattr("serving.labels.join.MOST_FOLLOWED", 2)
        bucket = Bucket(control=policies(soon=Maturity("chargeback", days=1, share=1.0)))
        bucket.step(*(decision(f"p{n}") for n in range(5)))
        assert bucket.counts["answers_not_followed"] == 3

    def test_policies_come_from_control_and_a_deletion_brings_back_the_default(self):
        control = MaturityControl()
        change = {"event_id": "c", "event_time_ms": 0, "kind": "maturity", "name": "chargeback-30d"}
        default = [("chargeback-30d", DEFAULTS["chargeback-30d"])]
        control.apply(ControlRecord(**change, payload=b'{"source":"chargeback","days":60,"share":0.5}'))
        assert control.waiting_for("chargeback", 0) == [("chargeback-30d", Maturity("chargeback", 60.0, 0.5))]
        control.apply(ControlRecord(**change, payload=b"null"))
        assert control.waiting_for("chargeback", 0) == default
        with pytest.raises(InvalidError, match="control maturity/chargeback-30d"):
            control.apply(ControlRecord(**change, payload=b'{"source":"chargeback","days":91}'))
        assert control.waiting_for("chargeback", 0) == default

    def test_a_policy_is_of_the_answers_after_it_however_late_the_job_reads_them(self):
        control = MaturityControl()
        for name, days in (("soon", 1), ("chargeback-30d", 60)):
            payload = msgspec.Raw(msgspec.json.encode(Maturity("chargeback", days, 1.0)))
            change = ControlRecord(
                event_id=name, event_time_ms=NOON_MS + 5, kind="maturity", name=name, payload=payload
            )
            control.apply(change)
        assert control.waiting_for("chargeback", NOON_MS + 4) == [("chargeback-30d", DEFAULTS["chargeback-30d"])]
        assert [name for name, _ in control.waiting_for("chargeback", NOON_MS + 5)] == ["chargeback-30d", "soon"]
        bucket = Bucket(control=control)
        answers = [decision("before", NOON_MS + 4), decision("after", NOON_MS + 5)]
        bucket.store.write_decisions(answers)
        bucket.step(*answers)
        bucket.step(decision("end", NOON_MS + 2 * DAY_MS))
        assert [example.example_id for example in bucket.examples if example.maturity == "soon"] == ["after"]


PAYMENTS = [f"p{n}" for n in range(4)]
words = st.lists(
    st.tuples(st.sampled_from(PAYMENTS), st.booleans(), st.integers(0, 4), st.booleans()), min_size=1, max_size=14
)


@given(log=words, missing=st.sampled_from(PAYMENTS), data=st.data())
def test_any_history_ends_with_the_labels_that_a_naive_reference_gives(log, missing, data):
    """Cut anywhere, read twice after a crash, with decisions that come to the store before, between or never."""
    events = [
        label(f"l{n}", fraud, NOON_MS + day * DAY_MS, transaction_id=payment)
        for n, (payment, fraud, day, _) in enumerate(log)
    ]
    repeated = [event for event, (*_, again) in zip(events, log, strict=True) if again]
    late = data.draw(st.sets(st.sampled_from(PAYMENTS)))
    bucket = Bucket()
    bucket.store.write_decisions([decision(p) for p in PAYMENTS if p not in late and p != missing])
    place = 0
    while place < len(events):
        size, crash = data.draw(st.integers(1, 5)), data.draw(st.booleans())
        if crash:
            bucket.step(*events[place : place + size], crash=True)
            # What was read is read again, in other batches.
            size = 1
        bucket.step(*events[place : place + size])
        place += size
    bucket.store.write_decisions([decision(p) for p in late if p != missing])
    bucket.step(*repeated)
    bucket.drain()

    wanted = {}
    for event in sorted(events, key=lambda e: (e.event_time_ms, not e.is_fraud)):
        if event.transaction_id != missing:
            wanted[event.transaction_id] = float(event.is_fraud)
    learned: dict[str, float] = {}
    told = set()
    for example in bucket.examples:
        if example.event_id not in told:
            told.add(example.event_id)
            assert example.replaced == learned.get(example.example_id)
            learned[example.example_id] = example.label
    assert learned == wanted
    unknown = {event.event_id for event in events if event.transaction_id == missing}
    assert {letter.raw for letter in bucket.letters} == {
        record(event).value for event in events if event.event_id in unknown
    }


@given(
    things=st.lists(st.tuples(st.integers(0, 100), st.integers(0, 9)), max_size=40),
    width=st.integers(1, 30),
    about=st.integers(1, 5),
    now=st.integers(0, 130),
    data=st.data(),
)
def test_what_waits_comes_back_once_and_in_time(things, width, about, now, data):
    state: dict[str, bytes] = {}

    def batch() -> Later[int]:
        return Later("x", int, 1000, state.get)

    def keep(later: Later[int]) -> None:
        for key, value in later.take_writes().items():
            state.pop(key, None) if value is None else state.__setitem__(key, value)

    place = 0
    while place < len(things):
        size = data.draw(st.integers(1, 10))
        later = batch()
        later.put(things[place : place + size], width)
        keep(later)
        place += size
    taken = []
    while part := (later := batch()).take(now, about):
        taken += part
        keep(later)
    due = [thing for due_ms, thing in things if -(-due_ms // width) * width <= now]
    assert sorted(taken) == sorted(due)
    assert len(batch()) == len(things) - len(due)
    later = batch()
    while later.take(200, 50):
        pass
    keep(later)
    assert state == {}


def test_words_are_few_and_their_bytes_stay_readable():
    words = Words()
    for n in range(20):
        said, _ = words.take(Word(f"l{n}", n, float(n % 2), "review"))
        assert said is (Said.FIRST if n == 0 else Said.REPLACES)
    assert (len(words.told), words.count) == (REMEMBERED_WORDS, 20)
    one = Words([Told(Word("c1", NOON_MS, 1.0, "chargeback"), True, 0.0)], 2)
    frozen = pack_words(one)
    assert frozen.hex() == FROZEN_WORDS_WITH_WEIGHTS
    assert unpack_words(frozen) == one
    assert unpack_words(bytes.fromhex(FROZEN_WORDS)) == one
    with pytest.raises(StateVersionError, match="version 02, this release reads 1"):
        unpack_words(b"\x02" + frozen[1:])


def test_state_of_another_version_is_refused_by_name():
    with pytest.raises(StateVersionError, match="waits under retries has version 9"):
        Waiting({"retries": b"\x92\x09\x80"}.get).retries.next_ms()


# Of the release before words had weights.
FROZEN_WORDS = "0192919394a26331cf0000018bd2da3e00cb3ff0000000000000aa6368617267656261636bc3cb000000000000000002"
FROZEN_WORDS_WITH_WEIGHTS = (
    "0192919495a26331cf0000018bd2da3e00cb3ff0000000000000aa6368617267656261636bcb3ff0000000000000"
    "c3cb0000000000000000cb3ff000000000000002"
)
