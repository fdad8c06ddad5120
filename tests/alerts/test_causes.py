"""Likely causes are ranked by their part in the drift and by the money that moved."""

import pytest
from alert_builders import report
from hypothesis import given
from hypothesis import strategies as st

from serving.causes import ranked

REPORT = st.builds(
    lambda name, segment, value, limit, level, one, other: report(
        name, value, level, segment=segment, limit=limit, reference=[one, 1 - one], current=[other, 1 - other]
    ),
    st.sampled_from("abc"),
    st.sampled_from(["", "eu"]),
    st.floats(0.01, 5),
    st.sampled_from([0.0, 0.1, 0.2]),
    st.sampled_from(["none", "moderate", "significant"]),
    st.floats(0, 1),
    st.floats(0, 1),
)


@given(st.lists(REPORT, max_size=12), st.sampled_from([{}, {"": 1000.0}, {"": 500.0, "eu": 200.0}]))
def test_causes_are_what_a_naive_count_says(reports, money):
    parts, moved = {}, {}
    for place in {(r.name, r.segment) for r in reports}:
        of_place = [r for r in reports if (r.name, r.segment) == place and r.level != "none"]
        if of_place:
            beyond = [r.value / r.limit if r.limit else 1.0 for r in of_place]
            worst = of_place[beyond.index(max(beyond))]
            parts[place] = max(beyond)
            moved[place] = abs(worst.reference[0] - worst.current[0]) * money.get(place[1], 0.0)

    def flowed(report):
        return money.get(report.segment, 0.0)

    found = ranked(reports, flowed, most=100)
    assert len(found) == len(parts)
    by_name = {f"{name} ({segment})" if segment else name: (name, segment) for name, segment in parts}
    for cause in found:
        place = by_name[cause.name]
        assert cause.share == pytest.approx(parts[place] / sum(parts.values()))
        assert cause.money == pytest.approx(moved[place], abs=0.02)
    weights = [cause.share * cause.money for cause in found]
    assert weights == sorted(weights, reverse=True)
    assert ranked(reports, flowed, most=2) == found[:2]


def test_the_feature_that_moved_most_money_comes_before_one_that_drifted_more():
    small = report("night", 0.5, reference=[0.5, 0.5], current=[0.6, 0.4])
    large = report("amount", 0.4, reference=[0.5, 0.5], current=[0.9, 0.1])
    assert [cause.name for cause in ranked([small, large], lambda _: 0.0)] == ["night", "amount"]
    first, second = ranked([small, large], lambda _: 10_000.0)
    assert (first.name, first.money) == ("amount", 4000.0)
    assert (second.name, second.money) == ("night", 1000.0)
