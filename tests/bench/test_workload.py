"""The payments of a bench: valid, numbered, equal in every process, and nobody else's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.bench.workload import ITEMS, POOL, Workload, catalogue, event_id, number_of
from schemas import codec
from schemas.events import Interaction, Transaction

FULL, SMALL = Workload(200), Workload(200, "small_payments")


@given(st.integers(0, 3 * POOL), st.integers(1_700_000_000_000, 1_900_000_000_000), st.sampled_from([FULL, SMALL]))
def test_each_number_is_a_valid_payment_of_its_user_at_its_time(number, time_ms, workload):
    key, value = workload.record("0a1b2c3d", number, time_ms)
    transaction = codec.decode(Transaction, value)
    assert transaction.event_time_ms == time_ms
    assert number_of("0a1b2c3d", transaction.event_id) == number
    assert key.decode() == transaction.user_id == workload.user(number)
    assert (transaction.card_id is None) == (workload is SMALL)


def test_equal_workloads_are_equal_in_every_process():
    other = Workload(200)
    assert [other.record("r", n, 0) for n in range(500)] == [FULL.record("r", n, 0) for n in range(500)]


def test_ids_are_of_the_bench_alone():
    transaction = codec.decode(Transaction, FULL.record("r", 7, 0)[1])
    for value in (transaction.user_id, transaction.merchant_id, transaction.card_id, transaction.device_id):
        assert value.startswith("bench-")


def test_an_answer_of_another_run_has_no_number():
    assert number_of("run", event_id("other", 5)) is None
    assert number_of("run", "e5") is None


@pytest.mark.parametrize("kind", ["first_interactions", "interactions"])
def test_each_interaction_is_with_an_item_of_the_catalogue(kind):
    workload = Workload(200, kind)
    items = {item.item_id for item in catalogue(5)}
    for number in range(workload.distinct):
        key, value = workload.record("run", number, 1_800_000_000_000 + number)
        interaction = codec.decode(Interaction, value)
        assert key.decode() == interaction.user_id == workload.user(number)
        assert interaction.user_id.startswith("bench-")
        assert interaction.item_id in items


def test_a_shop_that_closes_is_the_same_items_sold_out():
    opened, closed = catalogue(5), catalogue(6, stock=0)
    assert [item.item_id for item in opened] == [item.item_id for item in closed]
    assert {item.stock for item in opened} == {None}
    assert {item.stock for item in closed} == {0}


def test_as_many_users_and_items_are_in_the_first_interactions_as_are_stated():
    workload = Workload(50_000, "first_interactions")
    users = {workload.user(number) for number in range(workload.distinct)}
    items = {
        codec.decode(Interaction, workload.record("run", number, 1_800_000_000_000)[1]).item_id
        for number in range(workload.distinct)
    }
    assert (len(users), len(items)) == (50_000, ITEMS)


def test_visitors_are_users_of_the_shop_who_take_turns_and_touch_several_items():
    first, workload = Workload(5_000, "first_interactions"), Workload(5_000, "interactions")
    touched: dict[str, set[str]] = {}
    order = []
    for number in range(workload.distinct):
        act = codec.decode(Interaction, workload.record("run", number, 1_800_000_000_000)[1])
        touched.setdefault(act.user_id, set()).add(act.item_id)
        order.append(act.user_id)
    assert touched.keys() < {first.user(number) for number in range(first.distinct)}
    assert len(touched) == 125
    assert order[:125] == list(touched) == order[125:250], "each once, then each again"
    assert sum(map(len, touched.values())) / len(touched) > 3, "a user of one item has no neighbours to offer"
