"""What the stores hold for labels, by id and in batches: the twin in memory and Cassandra."""

from __future__ import annotations

from math import inf

import msgspec
import pytest
from store_builders import NOON_MS, listing

from schemas import codec
from schemas.errors import InvalidError, StateVersionError
from serving.labels.words import Word, Words
from serving.stores.listed import pack_listed, pack_whole, unpack_whole, whole
from serving.stores.words import Spoken
from tests.decisions import decision


def test_decisions_and_lists_are_read_by_many_ids_and_those_that_are_unknown_are_left_out(history, fresh):
    decisions = [decision(fresh(f"e{n}"), user_id=fresh("u"), features=[n, 0.1]) for n in range(150)]
    lists = [listing(fresh("u"), list_id=fresh(f"l{n}")) for n in range(150)]
    history.write_decisions(decisions)
    history.write_lists(lists)
    ids = [d.event_id for d in decisions]
    assert history.decisions([*ids, fresh("e")]) == dict(zip(ids, decisions, strict=True))
    found = history.lists({made.list_id for made in lists} | {fresh("l")})
    assert found == {made.list_id: whole(made) for made in lists}
    assert [item.features for item in found[lists[0].list_id].items] == [[1.0, 2.0], [1.0, 2.0]]
    assert history.decisions([]) == history.lists([]) == history.words([]) == {}


def test_newer_words_replace_older_ones_also_when_they_were_known_before(history, fresh):
    name, words = fresh("x"), Words()
    words.take(Word("t", NOON_MS + 10**9, 0.0, "timeout"))
    history.write_words([Spoken(name, NOON_MS, words)])
    words.take(Word("l", NOON_MS + 10**6, 1.0, "chargeback"))
    history.write_words([Spoken(name, NOON_MS, words)])
    assert history.words([name, fresh("x")]) == {name: words}


@pytest.mark.parametrize("name", ["", "x" * 65, "\ud800"])
def test_an_id_that_no_store_could_hold_is_refused_by_name(history, name):
    for call in (
        lambda: history.decisions([name]),
        lambda: history.lists([name]),
        lambda: history.words([name]),
        lambda: history.write_words([Spoken(name, NOON_MS, Words())]),
    ):
        with pytest.raises(InvalidError, match=r"(event|list|example) id"):
            call()


def packed(made):
    return pack_whole(made, pack_listed(made))


def test_a_list_whose_items_differ_in_their_features_is_kept_without_them():
    made = listing()
    mixed = msgspec.structs.replace(made, items=[made.items[0], msgspec.structs.replace(made.items[1], features=[])])
    assert [item.features for item in unpack_whole(packed(mixed), "l").items] == [[], []]


def test_a_whole_list_is_smaller_than_its_json_and_another_version_is_refused_by_name():
    made = listing(items=tuple(f"item-{place:05}" for place in range(20)))
    rows = [[(place * 7919 % 10_000) / 10_000 + n for n in range(33)] for place in range(20)]
    items = [msgspec.structs.replace(item, features=row) for item, row in zip(made.items, rows, strict=True)]
    made = msgspec.structs.replace(made, items=items)
    raw = packed(made)
    assert len(raw) < len(codec.encode(made)) * 0.7
    assert unpack_whole(raw, made.list_id) == whole(made)
    with pytest.raises(StateVersionError, match="with features has version 02, this release reads 1"):
        unpack_whole(b"\x02" + raw[1:], made.list_id)


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_bytes_of_a_whole_list_stay_as_they_were():
    frozen = bytes.fromhex(
        "0195a27531cf0000018bd2da3e00c45d0198ae65313730303034393630303030309295a2693100cb3ff0000000000000a87472656e6469"
        "6e67cb3fe000000000000095a2693201cb3fe0000000000000a87472656e64696e67cb3fe0000000000000a0a3724031a0a0a27331c203"
        "c418cdcccc3d000000800000807fcdcccc3d000020c00000807f"
    )
    made = listing()
    rows = [[0.1, -2.5 * item.position, 1e300] for item in made.items]
    items = [msgspec.structs.replace(item, features=row) for item, row in zip(made.items, rows, strict=True)]
    made = msgspec.structs.replace(made, items=items)
    assert packed(made) == frozen
    assert [item.features[1:] for item in unpack_whole(frozen, made.list_id).items] == [[0, inf], [-2.5, inf]]
