"""The best candidates are those of a full sort, ties and all."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from serving.recommend.funnel import _with_newcomers
from serving.recommend.workspace import largest

# Few different values: ties are the hard part.
FEW = st.integers(-3, 3).map(float) | st.floats(-1e6, 1e6, width=32)


@given(values=arrays.arrays(np.float32, st.integers(0, 200), elements=FEW), most=st.integers(0, 40), data=st.data())
def test_the_largest_allowed_come_first_and_of_equals_the_first(values, most, data):
    allowed = data.draw(arrays.arrays(np.bool_, len(values)))
    ranked = [place for place in np.argsort(-values, kind="stable") if allowed[place]]
    assert largest(values, allowed, most).tolist() == ranked[:most]


@given(
    blended=arrays.arrays(np.float32, st.integers(1, 60), elements=FEW),
    most=st.integers(0, 8),
    ranked=st.integers(1, 30),
    data=st.data(),
)
def test_newcomers_take_the_last_places_of_a_shortlist_the_newest_first(blended, most, ranked, data):
    ages_ms = data.draw(arrays.arrays(np.int64, len(blended), elements=st.integers(0, 5)))
    order = np.argsort(-blended, kind="stable")
    best, rest = order[:ranked].tolist(), order[ranked:].tolist()
    missing = max(0, most - sum(ages_ms[row] <= 2 for row in best))
    young = sorted((row for row in rest if ages_ms[row] <= 2), key=lambda row: ages_ms[row])[:missing]
    found = _with_newcomers(order[:ranked].astype(np.int32), blended, ages_ms, most, 2)
    assert found.tolist() == best[: len(best) - len(young)] + young
