"""What a user was shown is in the log: items in the order shown, their propensities, and from what."""

from __future__ import annotations

import time

from api_builders import NOW_MS, Log
from test_recommendations import Shop, listing

from schemas import codec
from schemas.events import RecommendationList
from serving import event_writer
from serving.event_writer import EventWriter
from tests.ports import free_port


def shop() -> tuple[Shop, Log]:
    log = Log()
    made = Shop(log=log)
    made.lists.write_lists([listing("ann", [f"i{n}" for n in range(5)])])
    return made, log


def test_an_answer_is_told_with_its_items_as_shown_and_the_list_that_they_are_of():
    made, log = shop()
    answer = made.client.get("/recommendations/ann?n=7&exclude=i1").json()
    (told,) = log.shown
    assert [place.item_id for place in told.items] == [item["item_id"] for item in answer["items"]]
    assert [place.position for place in told.items] == list(range(7))
    assert [place.propensity for place in told.items] == [0.9] * 4 + [1.0] * 3
    assert (told.origin, told.of_list, told.segment, told.user_id) == ("list", "l1", "west", "ann")
    assert told.event_time_ms == NOW_MS
    assert told.list_id == told.event_id != "l1"
    assert codec.decode(RecommendationList, codec.encode(told)) == told


def test_an_answer_in_another_order_for_the_segment_of_the_request_is_told_in_that_order():
    made, log = shop()
    answer = made.client.get("/recommendations/ann?segment=east&n=5").json()
    (told,) = log.shown
    assert [place.item_id for place in told.items] == [item["item_id"] for item in answer["items"]]
    assert [place.item_id for place in told.items] != [f"i{n}" for n in range(5)]
    assert told.segment == "east"


def test_an_answer_without_a_list_is_told_of_no_list_and_each_answer_has_an_id_of_its_own():
    made, log = shop()
    for _ in range(2):
        made.client.get("/recommendations/nobody?segment=west&n=3")
    assert [(told.origin, told.of_list) for told in log.shown] == [("segment", "")] * 2
    assert {place.propensity for told in log.shown for place in told.items} == {1.0}
    assert len({told.event_id for told in log.shown}) == 2


def test_nothing_is_told_where_nothing_is_shown():
    made, log = shop()
    made.client.get("/recommendations/ann?categories=none")
    assert log.shown == []


def test_an_answer_that_can_not_be_written_is_answered_all_the_same_and_counted():
    made, log = shop()
    made.client.get("/recommendations/ann")
    log.down = True
    assert made.client.get("/recommendations/ann").status_code == 200
    said = made.client.get("/metrics").text
    assert 'sluice_api_answers_logged_total{outcome="written"} 1.0' in said
    assert 'sluice_api_answers_logged_total{outcome="lost"} 1.0' in said


def test_a_broker_that_is_down_keeps_nobody_waiting_and_what_is_lost_is_heard_of(monkeypatch):
    monkeypatch.setattr(event_writer, "MOST_WAITING", 50)
    writer = EventWriter(f"127.0.0.1:{free_port()}")
    heard: list[bool] = []
    shown = RecommendationList(event_id="a", event_time_ms=1, user_id="u", list_id="a", items=[], origin="list")
    for _ in range(60):
        writer.tell(shown, heard.append)
    # Waiting for the broker would have taken its time-out, each time; what found no room was lost at once.
    # The producer counts what it has to tell of itself among what waits: that its broker is down, once or twice.
    assert 10 <= len(heard) <= 12
    assert not any(heard)
    deadline = time.monotonic() + 60
    while len(heard) < 60 and time.monotonic() < deadline:
        time.sleep(0.1)
    writer.close()
    assert heard == [False] * 60
