"""Logged lists join with the clicks that name them, and the file reader names what it can not read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.evaluate_recommend import logged_lists, off_policy
from jobs.evaluate_recommend.estimators import estimates
from jobs.evaluate_recommend.logged_lists import Listed, Shown, join, read, written_by
from schemas.codec import encode
from schemas.errors import InputError
from schemas.events import Interaction


def a_list(name: str, user: str, *items: str, propensity: float = 0.5) -> Listed:
    return Listed(user, [Shown(item, place, propensity) for place, item in enumerate(items)], name)


def event(kind: str, list_id: str, item: str) -> Interaction:
    return Interaction(
        event_id=f"{kind}-{list_id}-{item}",
        event_time_ms=1,
        user_id="u",
        item_id=item,
        kind=kind,  # type: ignore[arg-type]  # a word of the literal
        list_id=list_id,
    )


@settings(max_examples=80, deadline=None)
@given(
    lists=st.lists(st.tuples(st.integers(0, 6), st.lists(st.integers(0, 9), unique=True, max_size=5)), max_size=8),
    clicks=st.lists(st.tuples(st.integers(0, 8), st.integers(0, 9)), max_size=20),
    views=st.lists(st.tuples(st.integers(0, 8), st.integers(0, 9)), max_size=20),
)
def test_the_join_is_that_of_a_naive_loop(
    lists: list[tuple[int, list[int]]], clicks: list[tuple[int, int]], views: list[tuple[int, int]]
) -> None:
    made = [a_list(f"l{name}", f"u{name % 3}", *(f"x{item}" for item in items)) for name, items in lists]
    events = [event("click", f"l{name}", f"x{item}") for name, item in clicks]
    events += [event("view", f"l{name}", f"x{item}") for name, item in views]
    events += [event("purchase", "l0", "x0"), event("click", "", "x0"), event("view", "", "x0")]
    expected, repeated, names = [], 0, set()
    for name, items in lists:
        if name in names:
            repeated += 1
            continue
        names.add(name)
        for place, item in enumerate(items):
            if not views or (name, item) in views:
                expected.append(((name, item) in clicks, place))
    if not expected:
        with pytest.raises(InputError, match="no item of a logged list was seen"):
            join(made, events)
        return
    found = join(made, events)
    assert list(zip(found.log.reward.astype(bool).tolist(), found.position.tolist(), strict=True)) == expected
    assert (found.lists, found.repeated_lists) == (len(names), repeated)
    listed = {(name, item) for name, items in dict(reversed(lists)).items() for item in items}
    assert found.stray_clicks == len(set(clicks) - listed)


def shown_of(list_id: str, *items: str, origin: str = "list") -> Listed:
    """An answer of the API."""
    places = [Shown(item, place, 0.5) for place, item in enumerate(items)]
    return Listed("u", places, f"answer-{list_id}-{items}", origin=origin, of_list=list_id)


def test_only_what_the_api_showed_of_a_list_counts_where_no_views_tell_it_and_answers_are_no_lists() -> None:
    made = [a_list("l1", "u", "a", "b", "c", "d"), a_list("l2", "v", "a")]
    answers = [shown_of("l1", "c", "a"), shown_of("l1", "c"), shown_of("", "z", origin="trending")]
    found = join([answers[0], *made, *answers[1:]], [event("click", "l1", "c"), event("click", "l1", "d")])
    assert found.position.tolist() == [0, 2]
    assert found.log.reward.tolist() == [0, 1]
    assert found.log.propensity.tolist() == [0.5, 0.125]
    assert found.log.unit.tolist() == [0, 0]
    assert (found.lists, found.unseen_rows, found.repeated_lists) == (2, 3, 0)


def test_clicks_select_no_items_of_a_list_that_no_answer_showed() -> None:
    made = [a_list("l1", "u", "a"), a_list("l2", "v", "a", "b"), shown_of("l1", "a")]
    found = join(made, [event("click", "l2", "a")])
    assert (found.log.reward.tolist(), found.unseen_rows, found.stray_clicks) == ([0], 2, 0)


def test_an_answer_that_is_of_no_list_changes_nothing() -> None:
    made = [a_list("l1", "u", "a", "b"), a_list("l2", "v", "a")]
    clicks = [event("click", "l1", "b")]
    alone, beside = join(made, clicks), join([*made, shown_of("", "a", origin="trending")], clicks)
    assert beside.log.reward.tolist() == alone.log.reward.tolist() == [0, 1, 0]
    assert beside.unseen_rows == alone.unseen_rows == 0


def test_views_say_more_than_answers() -> None:
    made = [a_list("l1", "u", "a", "b", "c"), shown_of("l1", "a", "b")]
    assert join(made, [event("view", "l1", "c")]).position.tolist() == [2]


def test_items_that_nobody_saw_are_left_out_where_views_tell_it() -> None:
    lists = [a_list("l1", "u1", "a", "b"), a_list("l2", "u2", "a", "b")]
    found = join(lists, [event("view", "l1", "a"), event("view", "l2", "b"), event("click", "l2", "b")])
    assert (found.log.reward.tolist(), found.unseen_rows) == ([0.0, 1.0], 2)
    assert len(join(lists, [event("click", "l1", "b")]).log.reward) == 4


def test_clicks_select_no_items_where_views_tell_what_was_seen() -> None:
    """Half of the lists come from where views are not sent: their clicks alone would make the rate 1."""
    lists = [a_list(f"l{number}", f"u{number}", "a") for number in range(20)]
    views = [event("view", f"l{number}", "a") for number in range(10)]
    clicks = [event("click", f"l{number}", "a") for number in range(0, 20, 5)]
    found = join(lists, [*views, *clicks])
    assert (len(found.log.reward), found.log.reward.sum(), found.unseen_rows, found.stray_clicks) == (10, 2, 10, 0)


def test_a_target_of_other_propensities_moves_the_estimate() -> None:
    """Places of 200 users are won by coin; the target always shows the item that is clicked."""
    rng = np.random.default_rng(4)
    lists, wanted, clicks = [], [], []
    for number in range(200):
        good = bool(rng.random() < 0.5)
        lists.append(a_list(f"l{number}", f"u{number}", "good" if good else "bad"))
        wanted.append(a_list(f"l{number}", f"u{number}", "good", propensity=1.0))
        if good:
            clicks.append(event("click", f"l{number}", "good"))
    result = off_policy.evaluate_lists(lists, clicks, written_by(wanted))
    assert result.estimates["snips"].value == 1
    assert result.estimates["ips"].value == pytest.approx(2 * result.logged_rate)
    assert 1 in result.estimates["dr"].normal
    assert result.logged_rate == pytest.approx(0.5, abs=0.1)
    own = off_policy.evaluate_lists(lists, clicks)
    assert own.estimates["ips"].value == own.logged_rate


def test_lists_of_places_that_depend_on_each_other_give_the_targets_true_rate_on_average() -> None:
    """Two places of three items; a second place is clicked less below item 0, so its weight must know the first."""
    rng = np.random.default_rng(12)
    logging, target = np.array([0.2, 0.3, 0.5]), np.array([0.7, 0.2, 0.1])
    first_rate, second_rate = np.array([0.6, 0.3, 0.1]), np.array([0.1, 0.5, 0.4])

    def second(policy: np.ndarray, first: int) -> np.ndarray:
        left = np.where(np.arange(3) == first, 0, policy)
        return left / left.sum()

    def rate(first: int, item: int) -> float:
        return float(second_rate[item] * (0.3 if first == 0 else 1))

    truth = np.mean(
        [
            (target * first_rate).sum(),
            sum(target[f] * second(target, f)[i] * rate(f, i) for f in range(3) for i in range(3)),
        ]
    )
    values: dict[str, list[float]] = {"ips": [], "snips": [], "dr": []}
    for _ in range(60):
        lists, wanted, clicks = [], [], []
        for number in range(250):
            f = int(rng.choice(3, p=logging))
            i = int(rng.choice(3, p=second(logging, f)))
            for made, policy in ((lists, logging), (wanted, target)):
                places = [Shown(f"x{f}", 0, policy[f]), Shown(f"x{i}", 1, second(policy, f)[i])]
                made.append(Listed(f"u{number}", places, f"l{number}"))
            clicks += [event("click", f"l{number}", f"x{f}")] * bool(rng.random() < first_rate[f])
            clicks += [event("click", f"l{number}", f"x{i}")] * bool(rng.random() < rate(f, i))
        joined = join(lists, clicks, written_by(wanted))
        for name, estimate in estimates(joined.log, logged_lists.model(joined), clip=math.inf).items():
            values[name].append(estimate.value)
    for name, found in values.items():
        assert abs(np.mean(found) - truth) < 4 * np.std(found) / math.sqrt(60), name


@pytest.mark.parametrize(("propensity", "wanted"), [(0.0, 0.5), (1.5, 0.5), (float("nan"), 0.5), (0.5, 1.5)])
def test_a_place_without_a_probability_is_refused_by_its_list(propensity: float, wanted: float) -> None:
    with pytest.raises(InputError, match=r"list l1, place 0: propensity .* and target .*; give probabilities"):
        join([a_list("l1", "u1", "a", propensity=propensity)], [], lambda _: [wanted])


def lines(path: Path, *events: tuple[str, bytes]) -> Path:
    path.write_bytes(b"".join(b'{"topic":"' + name.encode() + b'","event":' + raw + b"}\n" for name, raw in events))
    return path


def test_a_folder_of_json_lines_is_evaluated_whatever_else_its_lists_hold(tmp_path: Path) -> None:
    more = {"event_time_ms": 1, "event_id": "l2", "user_id": "u2", "model": "m"}
    newer = msgspec.json.encode(
        more | {"items": [{"item_id": "a", "position": 0, "propensity": 0.25, "score": 2.0, "source": "trending"}]}
    )
    lines(
        tmp_path / "log.jsonl",
        ("recommendations", encode(a_list("l1", "u1", "a", "b"))),
        ("recommendations", newer),
        ("decisions", b"{}"),
        ("interactions", encode(event("click", "l2", "a"))),
    )
    result = off_policy.evaluate(tmp_path)
    assert (result.rows, result.units, result.clicks) == (3, 2, 1)
    assert result.estimates["ips"].value == pytest.approx(1 / 3)
    target = lines(tmp_path / "target.jsonl", ("recommendations", encode(a_list("l2", "u2", "a", propensity=0.5))))
    other = off_policy.evaluate(tmp_path, target)
    assert (other.target, other.rows) == ("target.jsonl", 3)
    assert other.estimates["snips"].value == 1
    assert other.largest_weight == 2


@pytest.mark.parametrize(
    ("name", "raw", "message"),
    [
        ("recommendations", b"{}", r"log\.jsonl: line 1: Object missing required field"),
        ("recommendations", b'{"user_id":"u","items":[]}', r"log\.jsonl: line 1: neither list_id nor event_id"),
        ("interactions", b"{}", r"log\.jsonl: line 1: Interaction: Object missing"),
        ("interactions", b"{", r"log\.jsonl: line 1: .*truncated"),
    ],
)
def test_a_line_that_can_not_be_read_is_named(tmp_path: Path, name: str, raw: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read([lines(tmp_path / "log.jsonl", (name, raw))])


def test_more_rows_than_the_bound_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logged_lists, "MAX_ROWS", 3)
    with pytest.raises(InputError, match="more than 3 shown items; give a shorter part"):
        join([a_list("l1", "u1", "a", "b", "c", "d")], [])


def test_items_that_views_leave_out_do_not_count_towards_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logged_lists, "MAX_ROWS", 3)
    lists = [a_list(f"l{number}", "u1", "a", "b", "c") for number in range(4)]
    found = join(lists, [event("view", f"l{number}", "a") for number in range(3)])
    assert (len(found.log.reward), found.unseen_rows) == (3, 9)
    with pytest.raises(InputError, match="more than 3 shown items"):
        join(lists, [event("view", f"l{number}", "a") for number in range(4)])


def test_items_that_no_answer_showed_do_not_count_towards_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logged_lists, "MAX_ROWS", 3)
    lists = [a_list(f"l{number}", "u1", "a", "b", "c") for number in range(4)]
    found = join([*lists, *(shown_of(f"l{number}", "a") for number in range(3))], [])
    assert (len(found.log.reward), found.unseen_rows) == (3, 9)
    with pytest.raises(InputError, match="more than 3 shown items"):
        join([*lists, *(shown_of(f"l{number}", "a") for number in range(4))], [])


def test_lists_that_can_be_gone_through_only_once_are_refused() -> None:
    with pytest.raises(TypeError, match="give a collection, no iterator"):
        join(iter([a_list("l1", "u1", "a")]), [])


def test_a_list_of_any_type_with_these_names_is_read() -> None:
    class Place(msgspec.Struct):
        item_id: str
        position: int
        propensity: float

    class Theirs(msgspec.Struct):
        list_id: str
        user_id: str
        items: Sequence[Place]
        origin: str = ""
        of_list: str = ""

    found = join([Theirs("l", "u", [Place("a", 0, 0.5)]), Theirs("m", "v", [Place("a", 1, 0.5)])], [])
    assert found.log.unit.tolist() == [0, 1]


def test_a_folder_with_nothing_to_evaluate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"neither random\.csv\.gz and bts\.csv\.gz nor a \.jsonl file"):
        off_policy.evaluate(tmp_path)
