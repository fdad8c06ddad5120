"""A model of the registry as a shadow: it is logged beside the champion, and decisions stay as they are."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from builders import POINTER, Amounts, Desk, change, decisions, record, scoring, tx
from runs import clock_us
from test_online_models import beside_amounts

from schemas import metrics
from schemas.control import ModelPointer
from schemas.errors import ModelError, SignatureError
from schemas.online_scores import OnlineScore
from serving.control import Control
from serving.entity_cache import AllInMemory
from serving.outcomes import Outcomes
from serving.pipeline import Pipeline

SHADOW = ModelPointer("fraud", "2", "Shadow", "fraud/2", "0" * 64)


class Doubled(Amounts):
    """Twice the score of Amounts."""

    def score(self, vectors: np.ndarray) -> np.ndarray:
        return 2 * super().score(vectors)


class Failing(Amounts):
    """Fails at payments of more than 500."""

    def score(self, vectors: np.ndarray) -> np.ndarray:
        if vectors[:, 0].max() > 500:
            raise RuntimeError("index out of range")
        return super().score(vectors)


def with_shadow(kind: type[Amounts] = Doubled) -> Control:
    """Amounts as the champion, and another model as the shadow."""
    control = Control(lambda pointer: (kind if pointer.stage == "Shadow" else Amounts)(f"fraud@{pointer.version}"))  # type: ignore[arg-type,return-value]  # same shape
    control.apply(change("model", "fraud", POINTER))
    control.apply(change("model", "fraud.shadow", SHADOW))
    return control


def test_its_score_is_logged_without_a_weight_and_the_decision_stays_as_it_is_bit_for_bit():
    paid = [
        record(tx(event_id=f"t{n}", at_ms=1_700_000_000_000 + n, amount=amount))
        for n, amount in enumerate((3.0, 300.0, 777.7, 950.0))
    ]
    plain = decisions(Desk(scoring()).outputs(*paid))
    beside = decisions(Desk(with_shadow()).outputs(*paid))
    assert [one.online for one in beside] == [{"fraud@2": OnlineScore(2 * one.score)} for one in plain]
    assert all("shadow" in one.timings_us for one in beside)
    without = [msgspec.structs.replace(one, online={}, timings_us={}) for one in beside]
    assert msgspec.json.encode(without) == msgspec.json.encode(
        [msgspec.structs.replace(one, timings_us={}) for one in plain]
    )


def test_it_is_logged_beside_online_models_and_leaves_their_part_in_the_score():
    plain = Desk(beside_amounts("member", 0.75)).decide(tx(amount=300.0))
    control = beside_amounts("member", 0.75)
    control.apply(change("model", "fraud.shadow", SHADOW))
    beside = Desk(control).decide(tx(amount=300.0))
    assert beside.online == plain.online | {"fraud@2": OnlineScore(0.3)}
    assert (beside.score, beside.champion_score) == (plain.score, plain.champion_score)


def test_a_repeat_states_nothing_of_the_shadow_of_now():
    desk, paid = Desk(with_shadow()), tx(amount=300.0)
    assert desk.decide(paid).online
    again = desk.decide(paid)
    assert (again.repeat, again.online) == (True, {})


def test_without_a_champion_a_shadow_answers_nothing():
    control = with_shadow()
    control.apply(change("model", "fraud", None))
    decision = Desk(control).decide(tx(amount=300.0))
    assert (decision.score, decision.model, decision.online) == (0.0, "", {"fraud@2": OnlineScore(0.6)})
    assert "no_model" in decision.reasons


def test_a_shadow_that_fails_is_silent_and_counted_and_payments_are_decided():
    counts: dict[str, int] = {}

    def count(metric: metrics.Metric, _value: str = "", by: int = 1, /) -> None:
        counts[metric.name] = counts.get(metric.name, 0) + by

    pipeline = Pipeline(AllInMemory(), Outcomes({}.get, 1000), count, clock_us)
    control = with_shadow(Failing)
    for amount, said in ((400.0, {"fraud@2": OnlineScore(0.4)}), (600.0, {})):
        (decision,) = decisions(pipeline.run([record(tx(amount=amount))], control))
        assert (decision.score, decision.online) == (amount / 1000, said)
    assert counts["shadow_silent"] == 1


class TestControl:
    def test_a_shadow_is_replaced_and_ended_by_its_own_record_and_the_champion_stays(self):
        control = with_shadow()
        champion = control.model
        control.apply(change("model", "fraud.shadow", msgspec.structs.replace(SHADOW, version="3")))
        assert control.shadow is not None
        assert control.shadow.label == "fraud@3"
        control.apply(change("model", "other", None))
        assert control.shadow is not None
        control.apply(change("model", "fraud.shadow", None))
        assert (control.shadow, control.model) == (None, champion)

    def test_a_champion_that_goes_leaves_the_shadow_and_one_that_comes_too(self):
        control = with_shadow()
        control.apply(change("model", "fraud", msgspec.structs.replace(POINTER, version="3")))
        control.apply(change("model", "fraud", None))
        assert control.model is None
        assert control.shadow is not None

    @pytest.mark.parametrize("error", [SignatureError, ModelError])
    def test_one_that_can_not_be_loaded_is_refused_and_all_in_force_stays(self, error):
        def load(pointer: ModelPointer) -> Amounts:
            if pointer.version == "3":
                raise error("model fraud@3: model.onnx differs from its signature's hash")
            return Amounts(f"fraud@{pointer.version}")

        control = Control(load)  # type: ignore[arg-type]  # same shape
        control.apply(change("model", "fraud", POINTER))
        control.apply(change("model", "fraud.shadow", SHADOW))
        before = (control.model, control.shadow)
        with pytest.raises(error, match="differs"):
            control.apply(change("model", "fraud.shadow", msgspec.structs.replace(SHADOW, version="3")))
        assert (control.model, control.shadow) == before

    def test_a_shadow_for_another_task_is_passed_by(self):
        control = scoring()
        control.apply(change("model", "ranker.shadow", msgspec.structs.replace(SHADOW, name="ranker", task="ranking")))
        assert control.shadow is None
