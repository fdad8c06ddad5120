"""The gate before Production for recommenders: same interactions or no comparison, and a worse one stays out."""

from __future__ import annotations

import msgspec
import pytest
from recommend_builders import NOON_MS, catalogue, history

from infra.force import Force
from infra.promotion import promote
from jobs.evaluate_recommend import last_part
from jobs.evaluate_recommend.split import stratified
from jobs.train_recommend import held_out, register
from jobs.train_recommend.parameters import Embeddings, Parameters, Trees
from schemas.errors import GateError
from schemas.models import Promotion
from schemas.recommend_models import HeldOut, NextItems, RecommendMetrics
from serving.gate import judge_recommender
from serving.registry import Registry

SMALL = Parameters(embeddings=Embeddings(dimension=4, rounds=3), trees=Trees(count=2), splits=1)
EVENTS = sorted(history(5, 40, 60, 1500), key=lambda event: event.event_time_ms)


def quiet(_: str) -> None:
    """Progress that nobody reads."""


def held(own: float, part: str = "a", popular: float = 0.05, **rival) -> HeldOut:
    return HeldOut(0, 1, 100, part, NextItems(2 * own, own), NextItems(2 * popular, popular), **rival)


def measured(version: int, part: HeldOut | None) -> RecommendMetrics:
    return RecommendMetrics(0.99, 10, 100, f"recommend@{version}", part)


@pytest.mark.parametrize(
    ("new", "answer"), [(0.1021, "pass"), (0.1019, "ask"), (0.1, "ask"), (0.0999, "refuse"), (0.05, "refuse")]
)
def test_the_gate_compares_on_the_same_interactions_only(new, answer):
    champion = measured(1, held(0.1))
    assert judge_recommender(measured(2, held(new)), champion).answer == answer
    beside = held(new, "b", rival_model="recommend@1", rival=NextItems(0.2, 0.1))
    assert judge_recommender(measured(2, beside), champion).answer == answer
    # What both recorded of the same part goes first: a champion may have learned from a part that is new to it alone.
    assert judge_recommender(measured(2, msgspec.structs.replace(beside, sha256="a")), champion).answer == answer


def test_what_was_not_compared_is_refused_with_the_reason():
    champion = measured(1, held(0.1))
    of_another = held(0.9, "b", rival_model="recommend@7", rival=NextItems(0.2, 0.1))
    for part in (held(0.9, "b"), of_another):
        judged = judge_recommender(measured(2, part), champion)
        assert (judged.answer, judged.reason) == (
            "refuse",
            "they were not measured on the same interactions; a training measures the champion",
        )
    assert judge_recommender(measured(2, None), champion).reason == "it was not measured on a held-out part"


def test_the_first_recommender_needs_to_be_better_than_the_most_popular():
    assert judge_recommender(measured(1, held(0.051)), None).answer == "pass"
    assert judge_recommender(measured(1, held(0.05)), None).answer == "refuse"


@pytest.fixture(scope="module")
def fitted() -> held_out.Fitted:
    past = EVENTS[: last_part.learned(EVENTS)]
    return held_out.fit(catalogue(60), past, SMALL, stratified, threads=1, tell=quiet)


def test_both_models_are_measured_on_the_same_last_part_which_neither_learned(fitted):
    first = last_part.learned(EVENTS)
    assert (len(EVENTS), first, last_part.learned(EVENTS[:5])) == (1500, 1350, 5)
    made = fitted.artifact(SMALL)
    found = last_part.measure(catalogue(60), EVENTS, made, made, SMALL, tell=quiet)
    # What was only shown asks for nothing.
    assert found.interactions == sum(not event.impression for event in EVENTS[first:])
    assert 0 < found.interactions < 150
    assert (found.from_ms, found.to_ms) == (EVENTS[first].event_time_ms, EVENTS[-1].event_time_ms)
    assert found.rival == found.own
    assert found.rival_model == made.label
    assert fitted.built.to_ms <= found.from_ms
    alone = last_part.measure(catalogue(60), EVENTS, made, None, SMALL, tell=quiet)
    assert (alone.rival, alone.own, alone.sha256) == (None, found.own, found.sha256)
    other = last_part.measure(catalogue(60), EVENTS[:-1], made, None, SMALL, tell=quiet)
    assert other.sha256 != found.sha256


def test_a_worse_recommender_stays_out_of_production_unless_forced_with_a_note(fitted, tmp_path):
    registry, sent = Registry(tmp_path), []
    for own in (0.1, 0.09):
        register.register(
            registry, fitted, SMALL, data="test", code_version="0", author="me", at_ms=1, measured=held(own)
        )

    def enter(version: str, note: str = "", **by_hand: bool) -> None:
        wanted = Promotion(version, "Production", NOON_MS + int(version), "tester", note)
        promote(registry, sent.extend, "recommend", wanted, Force(**by_hand))

    enter("1")
    with pytest.raises(GateError, match=r"recommend@2 against champion recommend@1: nDCG@20 -10\.0%, hit rate@20 -10"):
        enter("2")
    assert registry.champion("recommend") == "1"
    enter("2", "the old one lists what is gone", force=True)
    assert registry.champion("recommend") == "2"
