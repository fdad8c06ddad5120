"""A learner beside the champion of the day."""

from __future__ import annotations

import pickle

import msgspec
import numpy as np
import pytest

from jobs.train_fraud import quality
from online_learning.challenge import Challenge
from online_learning.promotion import comparison_of
from schemas.events import LabelledExample
from schemas.pool import PARTS, pooled
from schemas.settings import Promotion
from serving.online.weights import RECENT_PART

RECENT, RECENT_CHAMPION = "recent_average_precision", "recent_champion_average_precision"

SOON = Promotion(least_examples=1, least_positives=1)


def _example(
    number: int,
    label: float,
    score: float,
    model: str = "fraud@1",
    decided_ms: int | None = None,
    champion: tuple[str, float | None] = ("", None),
    weight: float = 1.0,
):
    return LabelledExample(
        event_id=f"e{number}",
        event_time_ms=10_000_000 + number,
        task="fraud",
        example_id=f"e{number}",
        user_id="u",
        decided_ms=number if decided_ms is None else decided_ms,
        delay_ms=0,
        label=label,
        source="chargeback",
        features=[],
        feature_set="fraud-2",
        score=score,
        model=model,
        champion=champion[0],
        champion_score=champion[1],
        weight=weight,
    )


def _fill(challenge: Challenge, count: int, first: int = 0, model: str = "fraud@1") -> None:
    """The learner knows the label, the champion guesses."""
    random = np.random.default_rng(first)
    for number in range(first, first + count):
        label = float(number % 20 == 0)
        challenge.take(_example(number, label, random.random(), model), 0.9 * label + 0.05)


def test_the_figures_are_those_that_a_members_weight_is_made_of():
    challenge = Challenge("own", SOON, "average_precision")
    _fill(challenge, 1000)
    metrics = challenge.metrics()
    assert metrics[RECENT] == 1.0
    assert metrics[RECENT_CHAMPION] < 0.2


def test_a_rankers_scores_have_no_scale_and_are_compared_by_their_order_alone():
    challenge = Challenge("clicks", SOON, "log_loss")
    random = np.random.default_rng(3)
    labels = np.arange(10_000) % 20 == 0
    # The ranker is mostly right; nearly all it says lies below 0 or above 1.
    scores = np.where(labels, 8.0, 2.0) - 7.0 * (np.arange(10_000) % 3 == 0)
    for number, (label, score) in enumerate(zip(labels.tolist(), scores.tolist(), strict=True)):
        example = _example(number, float(label), score, "recommend@1")
        challenge.take(msgspec.structs.replace(example, position=3), random.random())
    found = challenge.metrics()
    assert found[RECENT_CHAMPION] == pytest.approx(quality.average_precision(labels, scores))
    assert comparison_of(found).verdict == "refuse"


def test_a_learner_that_knows_wins_and_says_so_in_its_metrics():
    challenge = Challenge("own", SOON, "roc_auc")
    _fill(challenge, 12_000)
    assert comparison_of(challenge.metrics()).verdict == "promote"


def test_other_conditions_of_promotion_start_a_duel_anew_and_another_mode_does_not():
    challenge = Challenge("own", SOON, "average_precision")
    _fill(challenge, 1000)
    challenge.judge_by(msgspec.structs.replace(SOON, mode="automatic", least_shadow_hours=1))
    assert comparison_of(challenge.metrics()).examples == 1000
    challenge.judge_by(msgspec.structs.replace(SOON, least_examples=600))
    _fill(challenge, 12_000, first=1000)
    assert comparison_of(challenge.metrics()).examples == 12_000


def test_a_new_champion_is_a_new_duel_and_late_labels_of_the_old_one_are_passed_over():
    challenge = Challenge("own", SOON, "average_precision")
    _fill(challenge, 1000)
    _fill(challenge, 100, first=1000, model="fraud@2")
    assert challenge.opponent.name == "fraud@2"
    assert comparison_of(challenge.metrics()).examples == 100
    challenge.take(_example(5000, 1.0, 0.5, decided_ms=999), 0.9)
    assert challenge.opponent.name == "fraud@2"
    assert comparison_of(challenge.metrics()).examples == 100


@pytest.mark.parametrize(("model", "said"), [("", 0.5), ("fraud@1", None)])
def test_without_two_answers_there_is_nothing_to_compare(model, said):
    challenge = Challenge("own", SOON, "average_precision")
    challenge.take(_example(1, 1.0, 0.5, model), said)
    assert challenge.metrics() == {}


def test_a_checkpoint_keeps_the_duel():
    challenge, other = Challenge("own", SOON, "average_precision"), Challenge("own", SOON, "average_precision")
    _fill(challenge, 1500)
    _fill(other, 1500)
    kept = pickle.loads(pickle.dumps(challenge))
    _fill(kept, 1500, first=1500)
    _fill(other, 1500, first=1500)
    assert kept.metrics() == other.metrics()


def test_while_another_learner_decides_the_duel_is_with_what_that_one_said():
    challenge = Challenge("own", SOON, "average_precision")
    _fill(challenge, 1000)
    for number in range(1000, 2000):
        label = float(number % 20 == 0)
        # The registry's model guesses, the learner that decides knows, this one knows nothing.
        challenge.take(_example(number, label, 0.5, champion=("other", label)), 0.5)
    assert challenge.opponent == ("other", False)
    assert challenge.metrics()[RECENT_CHAMPION] == 1.0
    assert comparison_of(challenge.metrics()).examples == 1000


def test_a_learner_that_decides_defends_its_place_against_the_registrys_model():
    challenge = Challenge("own", SOON, "average_precision")
    _fill(challenge, 1000)
    random = np.random.default_rng(5)
    for number in range(1000, 13_000):
        label = float(number % 20 == 0)
        challenge.take(_example(number, label, label, champion=("own", 0.5)), random.random())
    assert challenge.opponent == ("fraud@1", True)
    found = comparison_of(challenge.metrics())
    assert (found.verdict, found.defends, found.examples) == ("refuse", True, 12_000)


def test_a_sampled_negative_counts_as_often_as_it_stands_for():
    challenge = Challenge("own", SOON, "average_precision")
    for number, (label, score, said) in enumerate([(1.0, 0.5, 0.9), (0.0, 0.9, 0.5), (0.0, 0.1, 0.1)]):
        challenge.take(_example(number, label, score, weight=1.0 if label else 100.0), said)
    assert challenge.metrics()[RECENT] == 1.0
    assert challenge.metrics()[RECENT_CHAMPION] == pytest.approx(1 / 101)


def test_without_a_model_of_the_registry_a_learner_that_decides_is_compared_with_nobody():
    challenge = Challenge("own", SOON, "average_precision")
    challenge.take(_example(1, 1.0, 0.7, "", champion=("own", 0.7)), 0.7)
    assert challenge.metrics() == {}


def test_the_part_of_a_member_is_the_one_that_would_have_ranked_the_newest_examples_best():
    challenge = Challenge("own", SOON, "average_precision")
    rows = []
    random = np.random.default_rng(3)
    for number in range(2000):
        label = float(number % 20 == 0)
        champion, own = (1 / (1 + np.exp(3 - 2 * label - random.normal())) for _ in range(2))
        rows.append((label, champion, own))
        challenge.take(_example(number, label, champion), own)
    labels, champion, own = np.array(rows).T
    found = {
        part: quality.average_precision(labels > 0.5, pooled([own, champion], [[part], [1 - part]])) for part in PARTS
    }
    part = challenge.metrics()[RECENT_PART]
    # Two that see as much by different noise are better together, and the bins are worth next to nothing.
    assert 0 < part < 1
    assert found[part] == pytest.approx(max(found.values()), abs=0.003)


def test_where_frauds_come_quickly_a_new_one_gives_the_learner_its_part_before_the_old_examples_are_gone():
    challenge = Challenge("own", SOON, "average_precision")
    # Known to the champion alone; then, a new kind, to the learner alone.
    for number in range(8_000):
        label = float(number % 20 == 0)
        challenge.take(_example(number, label, 0.9 * label + 0.05), 0.5)
    assert challenge.metrics()[RECENT_PART] == 0.0
    for number in range(8_000, 9_000):
        label = float(number % 20 == 0)
        challenge.take(_example(number, label, 0.5), 0.9 * label + 0.05)
    assert challenge.metrics()[RECENT_PART] > 0.0
    assert challenge.metrics()[RECENT] < challenge.metrics()[RECENT_CHAMPION], "figures are of all that is held"


def test_who_ranks_best_but_calls_good_payments_frauds_has_no_part():
    random = np.random.default_rng(5)
    parts = []
    for shift in (0.0, 6.0):
        challenge = Challenge("own", SOON, "average_precision")
        for number in range(2000):
            label = float(number % 20 == 0)
            # The learner is much surer than the champion; the same, moved up, ranks as well and stops everybody.
            own = 1 / (1 + np.exp(4 - 6 * label - random.normal() - shift))
            challenge.take(_example(number, label, 1 / (1 + np.exp(3 - label - random.normal()))), own)
        assert challenge.metrics()[RECENT] > challenge.metrics()[RECENT_CHAMPION]
        parts.append(challenge.metrics()[RECENT_PART])
    assert parts[0] > 0.5 > parts[1]


def test_few_positives_and_the_scores_of_lists_say_nothing_of_a_part():
    challenge = Challenge("own", SOON, "average_precision")
    _fill(challenge, 180)
    assert RECENT_PART not in challenge.metrics()
    _fill(challenge, 20, first=180)
    assert RECENT_PART in challenge.metrics()
    shown = Challenge("own", SOON, "average_precision")
    for number in range(300):
        shown.take(msgspec.structs.replace(_example(number, float(number % 20 == 0), 1.5), position=1), 0.5)
    assert RECENT_PART not in shown.metrics()


def test_a_later_label_replaces_the_earlier_one_in_the_newest_and_in_the_open_block():
    once, twice = Challenge("own", SOON, "average_precision"), Challenge("own", SOON, "average_precision")
    _fill(once, 100)
    _fill(twice, 100)
    once.take(_example(101, 1.0, 0.3), 0.8)
    twice.take(_example(101, 0.0, 0.3, weight=100.0), 0.8)
    twice.take(_example(101, 1.0, 0.3), 0.8)
    assert twice.metrics() == once.metrics()
    # Also what follows: the block is closed by the same example.
    _fill(once, 1500, first=102)
    _fill(twice, 1500, first=102)
    assert twice.metrics() == once.metrics()


def test_a_round_that_was_played_stays_when_a_later_label_comes():
    challenge = Challenge("own", SOON, "average_precision")
    _fill(challenge, 1500)
    before = comparison_of(challenge.metrics())
    challenge.take(_example(1, 1.0, 0.3), 0.8)
    found = comparison_of(challenge.metrics())
    assert (found.blocks, found.log_evidence, found.examples) == (
        before.blocks,
        before.log_evidence,
        before.examples + 1,
    )
