"""Champion and shadow on the same payments: how they differ, and which labels speak for."""

from __future__ import annotations

import msgspec
import pytest
from click.testing import CliRunner
from example_builders import START_MS, add, onnx

from infra import control_topic, shadow_log
from infra.cli import models
from infra.topic_reader import Read
from jobs.train_fraud import comparison
from jobs.train_fraud.comparison import Decided, Labelled, differences, labels
from schemas.codec import encode
from schemas.control import Policy, Thresholds
from schemas.control_records import By, control_record
from schemas.errors import InputError, NotFoundError
from schemas.events import Decision, LabelledExample
from schemas.models import Promotion
from schemas.online_scores import OnlineScore
from schemas.settings import Registry as SettingsRegistry
from schemas.settings import Settings
from schemas.units import HOUR_MS
from serving.registry import Registry

OWN, OTHER = "fraud@1", "fraud@2"


def decided(score: float, said: float, **given) -> Decided:
    return Decided(score, **{"model": OWN, "online": {OTHER: OnlineScore(said)}} | given)


def labelled(number: int, fraud: bool, score: float, said: float, **given) -> Labelled:
    fields = {"model": OWN, "shadows": {OTHER: said}, "event_time_ms": START_MS}
    return Labelled(
        **{"task": "fraud", "example_id": f"t{number}", "label": float(fraud), "score": score} | fields | given
    )


def test_scores_are_compared_where_both_said_something_of_a_payment_that_is_no_repeat():
    found = differences(
        [
            decided(0.4, 0.6, timings_us={"model": 100, "shadow": 300}),
            decided(0.1, 0.1, timings_us={"model": 200, "shadow": 100}),
            # A learner has its part in this score: the champion's own word is beside it.
            decided(0.9, 0.3, champion_score=0.2),
            decided(0.2, 0.9, repeat=True),
            decided(0.2, 0.9, model="fraud@0"),
            decided(0.2, 0.9, online={"fraud@3": OnlineScore(0.9)}),
        ],
        OWN,
        OTHER,
        Policy(),
    )
    assert found is not None
    assert (found.payments, found.champion_us, found.shadow_us) == (3, 100, pytest.approx(400 / 3))
    assert found.mean == pytest.approx(0.1)
    assert found.p99 == pytest.approx(0.198)
    assert found.otherwise == pytest.approx(1 / 3)


def test_other_decisions_are_those_of_the_thresholds_in_force_for_the_segment():
    policy = Policy(Thresholds(0.8, 0.9, 0.95), {"gold": Thresholds(0.1, 0.3, 0.5)})
    payments = [decided(0.2, 0.4, segment="gold"), decided(0.2, 0.4), decided(0.4, 0.45, segment="gold")]
    found = differences(payments, OWN, OTHER, policy)
    assert found is not None
    assert found.otherwise == pytest.approx(1 / 3)


def test_nothing_that_both_scored_is_no_difference_and_too_much_is_refused(monkeypatch):
    assert differences([], OWN, OTHER, Policy()) is None
    monkeypatch.setattr(comparison, "MOST_PAYMENTS", 2)
    with pytest.raises(InputError, match="more than 2 payments to compare; give a shorter --since"):
        differences([decided(0.1, 0.2)] * 3, OWN, OTHER, Policy())
    with pytest.raises(InputError, match="more than 2 payments to compare; give a shorter --since"):
        labels([labelled(n, False, 0.1, 0.2) for n in range(3)], OWN, OTHER)


def test_the_better_ranking_has_the_better_figures_and_the_newest_label_of_a_payment_counts():
    known = [labelled(n, n < 2, (0.9, 0.1, 0.5, 0.3)[n], (0.9, 0.8, 0.5, 0.3)[n]) for n in range(4)]
    known += [labelled(2, True, 0.5, 0.5, event_time_ms=START_MS - 1), labelled(9, True, 0.1, 0.1, model="fraud@0")]
    found = labels(known, OWN, OTHER)
    assert (found.payments, found.frauds) == (4, 2)
    assert found.champion is not None
    assert found.shadow is not None
    assert (found.shadow.average_precision, found.shadow.roc_auc) == (1.0, 1.0)
    assert (found.champion.average_precision, found.champion.roc_auc) == (0.75, 0.5)
    assert (found.champion.recall_at_1pct_fpr, found.shadow.recall_at_1pct_fpr) == (0.5, 1.0)


def test_a_payment_that_stands_for_a_sample_counts_as_many():
    known = [labelled(0, True, 0.5, 0.5), labelled(1, False, 0.9, 0.1, weight=99.0), labelled(2, False, 0.1, 0.1)]
    found = labels(known, OWN, OTHER)
    assert found.champion is not None
    assert (found.champion.average_precision, found.champion.roc_auc) == (pytest.approx(0.01), pytest.approx(0.01))


@pytest.mark.parametrize("frauds", [0, 2])
def test_of_one_kind_alone_there_are_no_figures(frauds):
    found = labels([labelled(n, n < frauds, 0.1, 0.2) for n in range(2)], OWN, OTHER)
    assert (found.payments, found.frauds, found.champion, found.shadow) == (2, frauds, None, None)


def _decision(number: int, score: float, said: float) -> Decision:
    return Decision(
        event_id=f"t{number}",
        event_time_ms=START_MS,
        user_id="u",
        merchant_id="m",
        amount=1.0,
        decision="APPROVE",
        score=score,
        model=OWN,
        online={OTHER: OnlineScore(said), "fraud-logistic@9": OnlineScore(0.5)},
    )


def _example(number: int, fraud: bool, score: float, said: float, task: str = "fraud") -> LabelledExample:
    return LabelledExample(
        event_id=f"l{number}",
        event_time_ms=START_MS,
        task=task,
        example_id=f"t{number}",
        user_id="u",
        decided_ms=START_MS,
        delay_ms=0,
        label=float(fraud),
        source="chargeback",
        features=[],
        feature_set="",
        score=score,
        model=OWN,
        shadows={OTHER: said},
    )


class TestTheCommand:
    @pytest.fixture
    def registry(self, tmp_path) -> Registry:
        registry, content = Registry(tmp_path), onnx()
        for stage in ("Production", "Shadow"):
            version = add(registry, model=content)
            registry.promote("fraud", Promotion(version, stage, START_MS, "tester"))
        return registry

    @pytest.fixture
    def run(self, registry, monkeypatch):
        topics: dict[str, list[Read]] = {}
        monkeypatch.setattr(shadow_log, "read", lambda _kafka, topic: iter(topics.get(topic, [])))
        monkeypatch.setattr("infra.wall_clock.now_ms", lambda: START_MS + 25 * HOUR_MS)
        policy = Policy(Thresholds(0.1, 0.2, 0.3))
        monkeypatch.setattr(
            control_topic, "current", lambda _: {"p": control_record("policy", "default", policy, By("t", START_MS))}
        )
        settings = Settings(registry=SettingsRegistry(str(registry.root)))

        def invoke(*words: str, **given: list[Read]):
            topics.update({name.replace("_", "-"): records for name, records in given.items()})
            return CliRunner().invoke(models.command, ["compare", *words], obj=settings)

        return invoke

    def test_it_tells_differences_and_figures_and_gives_one_object(self, run):
        decisions = [Read(None, encode(_decision(n, 0.15, 0.15 + n / 10)), START_MS) for n in range(2)]
        examples = [
            _example(0, True, 0.9, 0.9),
            _example(1, False, 0.95, 0.1),
            _example(2, True, 0.9, 0.9, "recommend"),
        ]
        records = [Read(None, encode(example), START_MS) for example in examples]
        done = run("fraud", "--json", decisions=[*decisions, Read(None, b"{", START_MS)], labelled_examples=records)
        assert done.exception is None, done.exception
        told = msgspec.json.decode(done.stdout.splitlines()[-1])
        assert (told["champion"], told["shadow"], told["shadow_hours"]) == (OWN, OTHER, 25.0)
        assert (told["differences"]["payments"], told["differences"]["otherwise"]) == (2, 0.5)
        assert (told["labels"]["champion"]["roc_auc"], told["labels"]["shadow"]["roc_auc"]) == (0.0, 1.0)
        assert "2 payments: scores differ by 0.0500 on average" in done.stdout
        assert "50.00% would be decided otherwise" in done.stdout
        assert "AUC ROC                 0.0000    1.0000" in done.stdout

    def test_it_looks_back_as_long_as_the_shadow_is_one_or_as_it_is_told(self, run):
        decisions = [Read(None, encode(_decision(0, 0.1, 0.2)), START_MS + hours * HOUR_MS) for hours in (-1, 0, 1, 24)]
        for words, payments in (((), 3), (("--since", "2h"), 1)):
            told = run("fraud", "--json", *words, decisions=decisions).stdout.splitlines()[-1]
            assert msgspec.json.decode(told)["differences"]["payments"] == payments

    def test_before_the_first_payment_and_without_a_shadow_it_says_so(self, run, registry):
        done = run("fraud")
        assert "no payment yet that both scored" in done.stdout
        assert "0 labelled payments, 0 frauds: both kinds are needed" in done.stdout
        registry.promote("fraud", Promotion("2", "Staging", START_MS, "tester"))
        missing = run("fraud").exception
        assert isinstance(missing, NotFoundError)
        assert str(missing) == "fraud has no shadow; make one with `sluice models shadow fraud VERSION`"
