"""Old bytes stay readable, and what can not be read is refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from schemas import codec
from schemas.control import ModelPointer, Rule, payload
from schemas.errors import InvalidError, UnknownVersionError, UnreadableError
from schemas.events import ControlRecord, DeadLetter, Transaction
from schemas.json_schema import EVENTS
from schemas.models import FRAUD, Signature

FROZEN = Path(__file__).parent / "frozen"
VERSIONS = [(kind, version) for kind in EVENTS for version in range(1, kind.VERSION + 1)]


@pytest.mark.parametrize(("kind", "version"), VERSIONS)
def test_the_frozen_bytes_of_every_version_are_read_in_full(kind, version):
    raw = (FROZEN / f"{kind.__name__}.v{version}.json").read_bytes()
    event = codec.decode(kind, raw)
    # The version of today is a default, and defaults are not written.
    written = {"schema_version": 1} | json.loads(codec.encode(event))
    frozen = json.loads(raw)
    assert {name: written.get(name) for name in frozen} == frozen


@pytest.mark.parametrize("kind", EVENTS)
def test_a_version_that_is_not_known_is_refused_by_name(kind):
    raw = json.loads((FROZEN / f"{kind.__name__}.v{kind.VERSION}.json").read_bytes())
    newer = msgspec.json.encode(raw | {"schema_version": kind.VERSION + 1})
    with pytest.raises(UnknownVersionError, match=f"{kind.__name__} schema_version {kind.VERSION + 1}, newest known"):
        codec.decode(kind, newer)


def test_a_pointer_from_before_there_were_tasks_is_a_fraud_models_and_is_still_written_so():
    raw = (FROZEN / "ModelPointer.v1.json").read_bytes()
    pointer = msgspec.json.decode(raw, type=ModelPointer)
    assert pointer.task == FRAUD
    # A job of the release before refuses a field that it does not know.
    assert json.loads(msgspec.json.encode(pointer)) == json.loads(raw)
    other = msgspec.structs.replace(pointer, task="ranking")
    assert msgspec.json.decode(msgspec.json.encode(other), type=ModelPointer) == other


@pytest.mark.parametrize("task", ["", "Fraud", "a" * 41])
def test_a_task_that_is_no_name_is_refused(task):
    raw = json.loads((FROZEN / "ModelPointer.v1.json").read_bytes())
    with pytest.raises(msgspec.ValidationError, match="task"):
        msgspec.json.decode(msgspec.json.encode(raw | {"task": task}), type=ModelPointer)


def test_a_signature_from_before_there_were_tasks_is_a_fraud_models():
    signature = msgspec.json.decode((FROZEN / "Signature.v1.json").read_bytes(), type=Signature)
    assert signature.task == FRAUD


def test_the_frozen_control_payload_is_read_by_its_kind():
    record = codec.decode(ControlRecord, (FROZEN / "ControlRecord.v1.json").read_bytes())
    assert payload(record) == Rule("amount", "BLOCK", "amount_limit", {"limit": 10.0})


@pytest.mark.parametrize("text", [b'{"kind":"\xff"}', b"[" * 900 + b"]" * 900, b"7", b"{}"])
def test_a_payload_of_another_shape_is_refused_with_the_name_of_its_record(text):
    record = ControlRecord(event_id="c", event_time_ms=0, kind="rule", name="mine", payload=msgspec.Raw(text))
    with pytest.raises(InvalidError, match="control rule/mine: "):
        payload(record)


def test_a_payload_of_null_is_a_deletion():
    raw = b'{"event_id":"c","event_time_ms":0,"kind":"rule","name":"mine","payload":null}'
    assert payload(codec.decode(ControlRecord, raw)) is None


@pytest.mark.parametrize(
    ("raw", "error", "message"),
    [
        (None, UnreadableError, "empty record where a Transaction was expected"),
        (b"{", UnreadableError, "truncated"),
        (b"x" * 300_000, UnreadableError, "300000 bytes, more than the 262144"),
        (b"{}", InvalidError, "missing required field"),
        (b'{"schema_version":3}', UnknownVersionError, "schema_version 3, newest known 1"),
        (
            b'{"event_id":"a\\u0007","event_time_ms":0,"user_id":"u","amount":1,"merchant_id":"m"}',
            InvalidError,
            "control character in event_id 'a.x07'",
        ),
    ],
)
def test_what_can_not_be_read_is_refused_in_one_line(raw, error, message):
    with pytest.raises(error, match=message) as caught:
        codec.decode(Transaction, raw)
    assert "\n" not in str(caught.value)


def test_a_dead_letter_may_speak_of_control_characters():
    letter = codec.decode(DeadLetter, (FROZEN / "DeadLetter.v1.json").read_bytes())
    told = msgspec.structs.replace(letter, detail="control character in event_id '\0'")
    assert codec.decode(DeadLetter, codec.encode(told)) == told
