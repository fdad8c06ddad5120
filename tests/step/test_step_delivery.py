"""Whatever lies in the log, every record becomes exactly one thing, and nothing stops the step."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from builders import Desk, decisions, record, scoring, tx
from histories import NOON_MS
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from infra.stack.kafka import MAX_MESSAGE_BYTES
from schemas import codec
from schemas.errors import InvalidError
from schemas.events import DeadLetter, FeatureUpdate, Label, LateEvent, Transaction
from schemas.letters import MAX_KEY_BYTES, MAX_RAW_BYTES
from schemas.topics import DEAD_LETTERS, FEATURE_UPDATES, LABELS, TRANSACTIONS
from schemas.units import HOUR_MS, MINUTE_MS
from serving.dead_letter import dead_letter
from serving.inflight import Record

fuzz = settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
PAYMENT = {"event_id": "e", "event_time_ms": NOON_MS, "user_id": "ann", "amount": 20.0, "merchant_id": "m"}
LABEL = {
    "event_id": "l",
    "event_time_ms": NOON_MS,
    "user_id": "ann",
    "transaction_id": "t",
    "transaction_time_ms": NOON_MS - 1,
    "merchant_id": "m",
    "is_fraud": True,
}


def raw_record(raw: bytes | None, key: bytes | None = b"ann", topic: str = TRANSACTIONS.name) -> Record:
    return Record(topic, 3, 17, NOON_MS, key, raw)


def fate(given: Record) -> tuple[str, str]:
    """decision, label or dead letter, and the letter's reason; everything that comes out must be readable."""
    outputs = Desk(scoring()).outputs(given)
    topics = [o.topic for o in outputs]
    for output in outputs:
        output.value.decode()
    if set(topics) <= {FEATURE_UPDATES.name}:
        return "label", ""
    if topics == [DEAD_LETTERS.name]:
        letter = codec.decode(DeadLetter, outputs[0].value) if len(outputs[0].value) < 200_000 else None
        letter = letter or msgspec.json.decode(outputs[0].value, type=DeadLetter)
        assert (letter.raw, letter.key) == (given.value or b"", given.key)
        assert (letter.source.topic, letter.source.partition, letter.source.offset) == (given.topic, 3, 17)
        return "dead", letter.reason
    updates = [output for output in outputs if output.topic == FEATURE_UPDATES.name]
    assert sorted(topics) == ["decisions"] + [FEATURE_UPDATES.name] * len(updates)
    assert decisions(outputs)[0].event_id
    told = [codec.decode(FeatureUpdate, update.value).entities for update in updates]
    assert {entity.entity for entities in told for entity in entities} >= {"user", "merchant"}
    return "decision", ""


def edited(base: dict[str, Any], **changes: Any) -> bytes:
    return msgspec.json.encode({k: v for k, v in (base | changes).items() if v is not ...})


@fuzz
@given(st.one_of(st.none(), st.binary(max_size=200)), st.one_of(st.none(), st.binary(max_size=20)), st.booleans())
def test_arbitrary_bytes_become_dead_letters(raw, key, label):
    assert fate(raw_record(raw, key, LABELS.name if label else TRANSACTIONS.name))[0] == "dead"


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=70)
    | st.sampled_from((1e308, -0.0, 2**63, 2**64, 10**30, "\0", "\x7f", "é" * 64, "x" * 65, "NaN", "", "0")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@fuzz
@given(
    st.sampled_from((PAYMENT, LABEL)),
    st.dictionaries(
        st.sampled_from((*Transaction.__struct_fields__, *Label.__struct_fields__, "extra")), anything, max_size=3
    ),
    st.sampled_from((b"ann", None, b"bob")),
)
def test_any_value_in_any_field_gives_one_fate(base, changes, key):
    raw = edited(base, **changes)
    topic = LABELS.name if base is LABEL else TRANSACTIONS.name
    kind, reason = fate(raw_record(raw, key, topic))
    assert (kind == "dead") == bool(reason)
    if kind != "dead":
        user = msgspec.json.decode(raw)["user_id"]
        assert key == user.encode()


@fuzz
@given(st.data(), st.sampled_from((PAYMENT, LABEL)))
def test_a_record_that_was_damaged_on_its_way_gives_one_fate(data, base):
    raw = bytearray(edited(base))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(raw) - 1))
        what = data.draw(st.sampled_from(("flip", "cut", "drop", "add")))
        if what == "flip":
            raw[place] = data.draw(st.integers(0, 255))
        elif what == "cut":
            del raw[place + 1 :]
        elif what == "drop":
            del raw[place]
        else:
            raw[place:place] = data.draw(
                st.sampled_from((b"\\u0000", b"\\ud800", b"\xff", b"1e999", b"[", b"\0", b"-"))
            )
        if not raw:
            break
    fate(raw_record(bytes(raw), b"ann", LABELS.name if base is LABEL else TRANSACTIONS.name))


@pytest.mark.parametrize("topic", [TRANSACTIONS.name, LABELS.name])
@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (None, "unreadable"),
        (b"", "unreadable"),
        (b"NaN", "unreadable"),
        (b"null", "invalid"),
        (b"[]", "invalid"),
        (b"{}", "invalid"),
        (b"[" * 200_000, "invalid"),
        (b'{"a":' * 40_000, "unreadable"),
        (b'{"event_id":1,"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "invalid"),
        (b'"' + b"x" * 1_000_000 + b'"', "too_large"),
        (b"\x00" * 1000, "unreadable"),
        (b'{"event_id":"\xed\xa0\x80"}', "unreadable"),
        (b'{"event_id":"\\ud800"}', "unreadable"),
        (b'{"schema_version":2}', "unknown_version"),
        (b'{"schema_version":99999999999999999999999,"event_id":1}', "unknown_version"),
        (b'{"schema_version":-1}', "invalid"),
    ],
)
def test_what_no_event_looks_like_is_refused_by_reason(topic, raw, reason):
    assert fate(raw_record(raw, b"ann", topic)) == ("dead", reason)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "decision"),
        ({"amount": 0}, "decision"),
        ({"amount": -0.0}, "decision"),
        ({"amount": 10_000_000}, "decision"),
        ({"amount": 10_000_000.01}, "invalid"),
        ({"amount": -0.01}, "invalid"),
        ({"amount": "20"}, "invalid"),
        ({"amount": None}, "invalid"),
        ({"amount": 10**400}, "invalid"),
        ({"event_time_ms": 0}, "decision"),
        ({"event_time_ms": -1}, "invalid"),
        ({"event_time_ms": NOON_MS + 5 * MINUTE_MS}, "decision"),
        ({"event_time_ms": NOON_MS + 5 * MINUTE_MS + 1}, "future"),
        ({"event_time_ms": 4_102_444_800_000}, "invalid"),
        ({"event_time_ms": float(NOON_MS)}, "invalid"),
        ({"event_time_ms": NOON_MS + 0.5}, "invalid"),
        ({"user_id": "bob"}, "wrong_key"),
        ({"user_id": ""}, "invalid"),
        ({"user_id": 7}, "invalid"),
        ({"event_id": "x" * 64}, "decision"),
        ({"event_id": "x" * 65}, "invalid"),
        ({"event_id": "\0"}, "invalid"),
        ({"merchant_id": "a\nb"}, "invalid"),
        ({"device_id": "\x1f"}, "invalid"),
        ({"merchant_id": 'quote " backslash \\ umlaut ü'}, "decision"),
        ({"merchant_id": "m#0"}, "decision"),
        ({"merchant_id": ...}, "invalid"),
        ({"utc_offset_min": 840}, "decision"),
        ({"utc_offset_min": -841}, "invalid"),
        ({"lat": 90, "lon": -180}, "decision"),
        ({"lat": 90.1}, "invalid"),
        ({"lat": 1.0}, "decision"),
        ({"merchant_country": "at"}, "invalid"),
        ({"currency": "EURO"}, "invalid"),
        ({"schema_version": 1}, "decision"),
        ({"schema_version": 2}, "unknown_version"),
        ({"a_new_field": {"of": ["a", "newer", "producer"]}}, "decision"),
    ],
)
def test_both_sides_of_every_bound_of_a_payment(changes, expected):
    kind, reason = fate(raw_record(edited(PAYMENT, **changes)))
    assert (reason or kind) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "label"),
        ({"is_fraud": False}, "label"),
        ({"merchant_id": None}, "label"),
        ({"is_fraud": 1}, "invalid"),
        ({"source": "rumour"}, "invalid"),
        ({"transaction_time_ms": NOON_MS + 5 * MINUTE_MS}, "label"),
        ({"transaction_time_ms": NOON_MS + 5 * MINUTE_MS + 1}, "future"),
        ({"event_time_ms": NOON_MS + 5 * MINUTE_MS + 1}, "future"),
        ({"user_id": "bob"}, "wrong_key"),
        ({"transaction_id": "\t"}, "invalid"),
    ],
)
def test_both_sides_of_every_bound_of_a_label(changes, expected):
    kind, reason = fate(raw_record(edited(LABEL, **changes), topic=LABELS.name))
    assert (reason or kind) == expected


@pytest.mark.parametrize("key", [None, b"", b"bob", b"ann\0", b"\xff" * 100_000])
def test_a_wrong_key_is_refused_and_named(key):
    (output,) = Desk().outputs(raw_record(edited(PAYMENT), key))
    letter = msgspec.json.decode(output.value, type=DeadLetter)
    assert letter.reason == "wrong_key"
    assert letter.key == key
    assert "'ann'" in letter.detail
    assert len(letter.detail) <= 500


@settings(max_examples=60, deadline=None)
@given(
    st.one_of(st.integers(0, 300), st.integers(-2, 2).map(lambda more: MAX_RAW_BYTES + more), st.just(9_000_000)),
    st.one_of(st.integers(0, 300), st.integers(-2, 2).map(lambda more: MAX_KEY_BYTES + more), st.just(4_000_000)),
    st.sampled_from((b"x", b"\0", b"\xff", b"\x7f")),
)
def test_a_letter_fits_into_a_record_however_long_its_record_is(raw_bytes, key_bytes, filling):
    """A letter that Kafka refuses would stop the job at the same record for ever."""
    given = raw_record(filling * raw_bytes, filling * key_bytes)
    error = InvalidError("\0" * 1000)
    output = dead_letter(given, error, "score_transactions")
    assert len(output.value) + len(output.key) < MAX_MESSAGE_BYTES - 64 * 1024
    letter = msgspec.json.decode(output.value, type=DeadLetter)
    assert (letter.raw, letter.key, letter.key) == (given.value[:MAX_RAW_BYTES], given.key[:MAX_KEY_BYTES], output.key)
    assert letter.raw_bytes == (raw_bytes if raw_bytes > MAX_RAW_BYTES else 0)
    assert letter.key_bytes == (key_bytes if key_bytes > MAX_KEY_BYTES else 0)


def test_a_record_without_a_time_stamp_still_becomes_a_readable_letter():
    (output,) = Desk().outputs(Record(TRANSACTIONS.name, 0, 0, -1, b"ann", b"{"))
    assert codec.decode(DeadLetter, output.value).event_time_ms == 0


def test_a_payment_outside_the_stream_has_no_source():
    given = record(tx())
    given.offset = -1
    assert decisions(Desk().outputs(given))[0].source is None


def test_a_bad_record_does_not_disturb_its_neighbours():
    first, second = tx(), tx(NOON_MS + 1)
    alone = decisions(Desk().outputs(record(first), record(second)))
    among = Desk().outputs(record(first), raw_record(b"{"), raw_record(edited(PAYMENT), b"bob"), record(second))
    assert [d.features for d in decisions(among)] == [d.features for d in alone]
    assert [o.topic for o in among].count(DEAD_LETTERS.name) == 2


@pytest.mark.parametrize(("behind_ms", "late"), [(0, False), (1, False), (HOUR_MS, False), (HOUR_MS + 1, True)])
def test_a_payment_more_than_an_hour_late_is_decided_marked_and_copied(behind_ms, late):
    desk = Desk()
    desk.decide(tx(), arrival_ms=NOON_MS)
    payment = tx(NOON_MS - behind_ms)
    outputs = desk.outputs(record(payment, NOON_MS))
    (decision,) = decisions(outputs)
    assert (decision.late, decision.lateness_ms) == (late, behind_ms)
    copies = [msgspec.json.decode(o.value, type=LateEvent) for o in outputs if o.topic == "late-events"]
    assert [(c.event_id, c.lateness_ms, c.raw) for c in copies] == (
        [(payment.event_id, behind_ms, codec.encode(payment))] if late else []
    )


def test_a_payment_late_for_its_user_may_be_in_time_for_its_merchant():
    desk = Desk()
    desk.decide(tx(merchant_id="m1"))
    outputs = desk.outputs(record(tx(NOON_MS - 2 * HOUR_MS, merchant_id="m2"), NOON_MS))
    updates = [msgspec.json.decode(o.value, type=FeatureUpdate) for o in outputs if o.topic == "feature-updates"]
    found = {entity.entity: bool(entity.values) for update in updates for entity in update.entities}
    assert found == {"user": False, "merchant": True}


def test_after_years_of_silence_a_large_amount_after_a_small_one_is_decided():
    """The decayed variance once fell below zero here."""
    desk = Desk()
    for number, amount in enumerate((0.1, 10_000_000.0, 10_000_000.0, 0.3)):
        desk.decide(tx(NOON_MS + number if number else 0, amount=amount))


@example(NOON_MS, 0)
@given(st.integers(0, NOON_MS), st.integers(0, NOON_MS))
def test_any_two_times_are_decided(first, second):
    desk = Desk()
    desk.decide(tx(first), tx(second), arrival_ms=NOON_MS)


def test_a_label_of_an_unknown_user_and_merchant_is_taken():
    label = Label(**LABEL)
    assert fate(raw_record(codec.encode(label), topic=LABELS.name)) == ("label", "")
