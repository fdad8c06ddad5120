"""The recommender over records as the broker holds them: what is refused, what is answered, what survives a restart."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest
from recommend_builders import NOON_MS, act, catalogue, control, history, item

from schemas import codec, metrics
from schemas.control import SourceShare
from schemas.events import DeadLetter, Interaction, RecommendationList
from schemas.topics import DEAD_LETTERS, INTERACTIONS, ITEMS, RECOMMENDATIONS
from schemas.units import HOUR_MS, MINUTE_MS
from serving.inflight import Record
from serving.recommend.recommender import Recommender
from serving.recommend.sources.catalogue import NAMES as SOURCES
from serving.recommend.stage import RecommendStage
from serving.recommend.trends import GENERAL, MOST_SEGMENTS
from serving.recommend.world import KEEP_MS


def record(event, offset=0, key=None, arrival_ms=None):
    topic, own = (INTERACTIONS, "user_id") if isinstance(event, Interaction) else (ITEMS, "item_id")
    return Record(
        topic.name,
        1,
        offset,
        event.event_time_ms if arrival_ms is None else arrival_ms,
        (getattr(event, own) if key is None else key).encode(),
        codec.encode(event),
    )


class Tally:
    def __init__(self):
        self.counts = Counter()

    def __call__(self, metric, value="", by=1):
        self.counts[metric.name, value] += by


def stage(read=lambda _: None):
    recommender, tally = Recommender(read), Tally()
    return RecommendStage(recommender, tally), recommender, tally


def lists(outputs):
    return [codec.decode(RecommendationList, o.value) for o in outputs if o.topic == RECOMMENDATIONS.name]


def letters(outputs):
    return [codec.decode(DeadLetter, o.value) for o in outputs if o.topic == DEAD_LETTERS.name]


def test_each_interaction_is_answered_with_a_list_that_says_where_it_came_from():
    made, _, tally = stage()
    items = [record(entry, n) for n, entry in enumerate(catalogue(30))]
    outputs = made.step([*items, record(act("ann", 3, NOON_MS), 77)], control())
    (answer,) = lists(outputs)
    assert (answer.user_id, outputs[-1].key) == ("ann", b"ann")
    assert (answer.source.topic, answer.source.partition, answer.source.offset) == (INTERACTIONS.name, 1, 77)
    assert [i.position for i in answer.items] == list(range(20))
    assert tally.counts["lists", "new_user"] == 1
    assert tally.counts[metrics.EVENTS.name, ""] == 31


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (Record(INTERACTIONS.name, 0, 5, NOON_MS, b"ann", b'{"event_id":'), "unreadable"),
        (Record(INTERACTIONS.name, 0, 5, NOON_MS, b"ann", None), "unreadable"),
        (record(act("ann", 1, NOON_MS), key="bob"), "wrong_key"),
        (record(item(1), key="i2"), "wrong_key"),
        (record(act("ann", 1, NOON_MS), arrival_ms=NOON_MS - HOUR_MS), "future"),
        (record(act("ann", 1, NOON_MS, value="much")), "invalid"),
        (record(act("ann", 1, NOON_MS, position=10**30)), "invalid"),
        (record(act("ann", 1, NOON_MS, position=10**6 + 1)), "invalid"),
        (record(item(1, stock=10**30)), "invalid"),
        (record(item(1, price=1e39)), "invalid"),
    ],
)
def test_a_bad_record_becomes_a_dead_letter_with_its_reason_and_stops_nothing(bad, reason):
    made, _, tally = stage()
    made.step([record(entry) for entry in catalogue(5)], control())
    outputs = made.step([bad, record(act("ann", 2, NOON_MS))], control())
    assert [letter.reason for letter in letters(outputs)] == [reason]
    assert len(lists(outputs)) == 1
    assert tally.counts[metrics.REJECTS.name, reason] == 1


def test_a_repeat_gets_no_second_list_and_is_counted():
    made, _, tally = stage()
    made.step([record(entry) for entry in catalogue(5)], control())
    once = record(act("ann", 2, NOON_MS))
    assert len(lists(made.step([once, once], control()))) == 1
    assert tally.counts[metrics.REPEATS.name, ""] == 1


def test_an_item_that_nobody_knows_teaches_nothing_and_is_counted():
    made, _, tally = stage()
    made.step([record(entry) for entry in catalogue(5)], control())
    (answer,) = lists(made.step([record(act("ann", 99, NOON_MS))], control()))
    assert "i99" not in {i.item_id for i in answer.items}
    assert tally.counts[metrics.UNKNOWN_ITEMS.name, ""] == 1


def test_a_segment_with_a_name_too_long_is_left_out_and_counted():
    made, recommender, tally = stage()
    made.step([record(entry) for entry in catalogue(5)], control())
    acts = [act("ann", n, NOON_MS, context={"segment": name}) for n, name in enumerate(["west", "s" * 65, "t" * 64])]
    answers = lists(made.step([record(one) for one in acts], control()))
    assert [answer.segment for answer in answers] == ["west", "west", "t" * 64]
    assert set(recommender.world.trends.rows) == {*GENERAL, "west", "t" * 64}
    assert tally.counts[metrics.LONG_SEGMENTS.name, ""] == 1


def crowd():
    """More segments than have room: five of them large, the others of one user each, some come back."""
    chance = random.Random(5)
    for number in range(400):
        large = number % 2
        segment = f"large-{chance.randrange(5)}" if large else f"small-{chance.randrange(2 * MOST_SEGMENTS)}"
        time_ms = NOON_MS + number * MINUTE_MS
        yield act(f"u{segment}{number % 3}", chance.randrange(60), time_ms, context={"segment": segment})


def test_one_segment_too_many_takes_the_place_of_the_least_and_a_restart_changes_nothing():
    events = [record(event, n) for n, event in enumerate([*catalogue(60), *crowd()])]
    whole, state = stage(), {}
    expected = [o.value for o in whole[0].step(events, control()) if o.topic == RECOMMENDATIONS.name]
    found = []
    for start in range(0, len(events), 61):
        made, recommender, _ = stage(state.get)
        part = made.step(events[start : start + 61], control())
        found += [o.value for o in part if o.topic == RECOMMENDATIONS.name]
        state = {key: raw for key, raw in (state | recommender.take_writes()).items() if raw is not None}
    assert found == expected
    rows = whole[1].world.trends.rows
    assert len(rows) == len(GENERAL) + MOST_SEGMENTS
    assert {f"large-{n}" for n in range(5)} <= set(rows)
    assert whole[2].counts[metrics.REPLACED_SEGMENTS.name, ""] > 0
    # What a segment had is gone with it, and the last one is there.
    assert {key for key in state if key.startswith("t:")} == {f"t:{name}" for name in rows}
    *_, last = crowd()
    assert last.context["segment"] in rows


def test_a_stage_that_starts_again_from_its_state_answers_as_if_it_had_never_stopped():
    events = [record(e, n) for n, e in enumerate([*catalogue(60), *history(3, 20, 60, 400)])]
    whole, state = stage(), {}
    expected = [o.value for o in whole[0].step(events, control()) if o.topic == RECOMMENDATIONS.name]
    found = []
    for start in range(0, len(events), 97):
        made, recommender, _ = stage(state.get)
        part = made.step(events[start : start + 97], control())
        found += [o.value for o in part if o.topic == RECOMMENDATIONS.name]
        state.update(recommender.take_writes())
    assert found == expected


def test_what_lists_are_like_is_measured_on_every_list_and_does_not_depend_on_batches():
    items = [record(entry) for entry in catalogue(60)]
    events = [record(event, number) for number, event in enumerate(history(3, 20, 60, 400))]
    one, many = stage(), stage()
    for made, width in ((one, 400), (many, 97)):
        made[0].step(items, control())
        for start in range(0, len(events), width):
            made[0].step(events[start : start + width], control())
    found, other = one[0].beyond, many[0].beyond
    assert 0 < found.intra_list_similarity < 0.7
    assert found.catalogue_coverage == other.catalogue_coverage == 1.0
    assert found.mean_item_age_days == pytest.approx(other.mean_item_age_days)
    assert found.intra_list_similarity == pytest.approx(other.intra_list_similarity)
    assert found.serendipity > 0
    assert other.popularity_lift > 0
    assert one[2].counts[metrics.INTERACTIONS.name, ""] == 400


def test_an_impression_is_no_item_taken_and_a_list_without_items_is_counted():
    made, _, tally = stage()
    made.step([record(act("ann", 1, NOON_MS))], control())
    assert tally.counts[metrics.EMPTY_LISTS.name, ""] == 1
    made.step([record(entry) for entry in catalogue(30)], control())
    made.step([record(act("ann", 29, NOON_MS, "view", position=1, list_id="l"))], control())
    assert made.beyond.serendipity == 0
    made.step([record(act("ann", 28, NOON_MS, "click", position=1, list_id="l"))], control())
    assert made.beyond.serendipity == 1
    assert tally.counts[metrics.EMPTY_LISTS.name, ""] == 1


def test_lists_that_the_sources_can_not_fill_are_counted():
    made, recommender, tally = stage()
    made.step([record(entry) for entry in catalogue(30)], control())
    none = {name: SourceShare(0) for name in SOURCES}
    (answer,) = lists(made.step([record(act("ann", 1, NOON_MS))], control(sources=none)))
    assert {place.source for place in answer.items} == {"fallback"}
    made.step([record(act("ann", 2, NOON_MS + 1))], control(sources=none))
    assert tally.counts[metrics.FALLBACK_LISTS.name, ""] == recommender.counts.fallbacks == 2


def test_the_largest_numbers_that_are_taken_are_answered_with_a_list():
    made, _, _ = stage()
    made.step([record(item(n, price=1e12, stock=10**15)) for n in range(30)], control())
    (answer,) = lists(made.step([record(act("ann", 2, NOON_MS, "click", position=10**6, list_id="l"))], control()))
    assert len(answer.items) == 20
    assert all(math.isfinite(value) for place in answer.items for value in place.features)


def test_what_names_items_and_entries_of_touched_ones_are_written_again_before_state_is_forgotten():
    made, recommender, _ = stage()
    made.step([record(entry) for entry in catalogue(600)], control())
    recommender.take_writes()
    made.step([record(act("ann", 2, NOON_MS))], control())
    assert {"n:0", "n:1", "n:2", "c:i2"} <= recommender.take_writes().keys()
    made.step([record(act("bob", 2, NOON_MS + KEEP_MS - 1))], control())
    assert not {key for key in recommender.take_writes() if key[0] in "nc"}
    made.step([record(act("bob", 3, NOON_MS + KEEP_MS))], control())
    assert {key for key in recommender.take_writes() if key[0] in "nc"} == {"n:0", "n:1", "n:2", "c:i3"}
