"""Control records: ids that fit whatever they are about, no two alike, and payloads by their type."""

from __future__ import annotations

from itertools import product

import msgspec
import pytest

from schemas import codec, control
from schemas.control import Audit, Flag, ModelPointer, OnlineModel, Policy
from schemas.control_records import By, audit_record, control_record, of_type, usable
from schemas.events import ID_CHARS, ControlRecord

LONGEST, OTHER = "n" * ID_CHARS, "n" * (ID_CHARS - 1) + "m"
# The newest time that an event may have, and the longest author and note.
BY = By("a" * 64, 4_102_444_799_999, "w" * 1000)


def test_the_longest_names_make_records_that_a_job_takes():
    pointer = ModelPointer(LONGEST, "1", "Production", "p", "0" * 64)
    said = {"flag": Flag(True), "model": pointer, "online_model": OnlineModel(LONGEST), "policy": Policy()}
    records = [control_record(kind, LONGEST, payload, BY) for kind, payload in said.items()]
    records += [control_record(kind, LONGEST, None, BY) for kind in control.PAYLOADS]
    records += [audit_record("rollback_learner", LONGEST, {"learner": LONGEST}, BY)]
    for record in records:
        assert codec.decode(ControlRecord, codec.encode(record)) == record


def test_no_two_records_have_the_same_id():
    names = (LONGEST, OTHER, "n")
    said = (Flag(True), Flag(False), None)
    times = (By("ada", 1), By("ada", 2), By("bob", 1), By("ada", 1, "why"))
    records = [control_record("flag", name, payload, by) for name, payload, by in product(names, said, times)]
    assert len({record.event_id for record in records}) == len(records)
    assert control_record("flag", "n", None, BY) == control_record("flag", "n", None, BY)


def test_audit_records_of_one_moment_stand_beside_each_other_however_long_their_names():
    kept = [
        audit_record(action, about, {}, BY).name
        for action in ("set_learner_aside", "promote_learner")
        for about in (LONGEST, OTHER, "n")
    ]
    assert len(set(kept)) == 6
    assert max(map(len, kept)) == ID_CHARS


def test_an_audit_record_names_what_was_done_to_what_and_when():
    record = audit_record("promote", "fraud", {"version": "3"}, By("ada", 1_000, "why"))
    assert (record.kind, record.name, record.event_time_ms) == ("audit", "promote-fraud-1000", 1_000)
    assert (record.author, record.note) == ("ada", "why")
    assert control.payload(record) == Audit("promote", {"version": "3"})


def test_a_payload_of_another_kind_is_a_mistake_of_ours():
    with pytest.raises(AssertionError, match="flag does not carry Policy"):
        control_record("flag", "n", Policy(), BY)


def test_a_deletion_carries_nothing():
    assert control_record("flag", "n", None, BY).payload == msgspec.Raw(b"null")


def test_records_are_read_by_the_type_of_their_payload_and_what_is_unusable_is_passed_over():
    said = control_record("flag", "n", Flag(True), BY)
    newer = msgspec.structs.replace(said, name="newer", payload=msgspec.Raw(b'{"enabled": true, "newer": 1}'))
    gone = control_record("flag", "gone", None, BY)
    records = [newer, audit_record("promote", "n", {}, BY), said, gone]
    assert list(of_type(records, Flag)) == [(said, Flag(True))]
    assert list(of_type(records, Policy)) == []
    assert [usable(record) for record in (newer, gone, said)] == [None, None, Flag(True)]
