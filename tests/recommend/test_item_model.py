"""Item model, index, ranker and artifact: against naive computations, and refused when they do not fit."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from recommend_builders import NOON_MS, catalogue, control, history, ids

from jobs.evaluate_recommend.metrics import accuracy
from jobs.evaluate_recommend.split import stratified
from jobs.train_recommend import factors, held_out, item_model, linear, register
from jobs.train_recommend.parameters import Embeddings, Parameters, Trees
from jobs.train_recommend.touches import touches
from schemas.errors import GateError, InputError, SignatureError
from serving.recommend import artifact as artifacts
from serving.recommend import vectors
from serving.recommend.artifact import Artifact
from serving.recommend.recommender import Recommender
from serving.registry import Registry

EVENTS = history(2, users=40, items=60, count=900)
SMALL = Parameters(embeddings=Embeddings(dimension=6, rounds=4), trees=Trees(count=5), splits=2, holdout=0.3)


@pytest.fixture(scope="module")
def fitted():
    return held_out.fit(catalogue(60), EVENTS, SMALL, stratified, threads=1, tell=lambda _: None)


def test_linear_weights_solve_the_ridge_regression_with_a_zero_diagonal():
    found = touches(EVENTS)
    made = linear.weights(found, regularisation=5.0, length_power=0.0, item_power=0.0)
    x = np.zeros((found.user_count, len(found.item_ids)))
    x[found.users, found.items] = 1.0
    item = 7
    others = [n for n in range(x.shape[1]) if n != item]
    ridge = np.linalg.solve(x[:, others].T @ x[:, others] + 5.0 * np.eye(len(others)), x[:, others].T @ x[:, item])
    assert np.allclose(made[others, item], ridge, atol=1e-8)
    assert np.all(np.diag(made) == 0)


def test_a_sparse_row_keeps_the_largest_weights():
    starts, columns, weights = linear.sparse(np.array([[0, 3, -5], [1, 0, 2], [0.5, 0.2, 0]], float), 1)
    assert starts.tolist() == [0, 1, 2, 3]
    assert columns.tolist() == [2, 2, 0]
    assert weights.tolist() == [-5, 2, 0.5]


def test_a_folded_in_vector_solves_the_users_regression(fitted):
    made = fitted.artifact(SMALL)
    q = made.vectors.factors.astype(float)
    known = np.array([[row, row, 1, 0] for row in range(5)], np.int64)
    row_of = np.arange(len(q), dtype=np.int32)
    got = vectors.fold_in(known, 5, row_of, made.vectors.factors, made.vectors.gram, SMALL.embeddings.confidence)
    c = SMALL.embeddings.confidence
    left = q.T @ q + SMALL.embeddings.regularisation * np.eye(q.shape[1]) + c * q[:5].T @ q[:5]
    assert np.allclose(got, np.linalg.solve(left, (1 + c) * q[:5].sum(axis=0)), rtol=1e-3, atol=1e-4)


def test_the_index_finds_what_brute_force_finds(fitted):
    assert fitted.built.recall_at_10 > 0.95
    drawn = np.random.default_rng(4).normal(size=(3000, 16)).astype(np.float32)
    made = vectors.Vectors(
        "x", [f"i{n}" for n in range(3000)], drawn, confidence=1.0, regularisation=1.0, index=vectors.build(drawn)
    )
    assert factors.recall_at_10(made, 1) > 0.95


def test_vectors_in_the_index_have_norm_one_and_keep_the_order_of_products():
    drawn = np.random.default_rng(5).normal(size=(50, 4)).astype(np.float32)
    made = vectors.unit(drawn)
    assert np.allclose(np.linalg.norm(made, axis=1), 1.0, atol=1e-5)
    asked = np.array([1.0, -2.0, 0.5, 0.1])
    assert np.array_equal(np.argsort(drawn @ asked), np.argsort(made @ np.append(asked, 0.0)))


def test_an_index_of_other_vectors_is_refused(fitted):
    model = fitted.built.model
    for wrong in (model.factors[:-1], np.column_stack([model.factors, model.factors])):
        with pytest.raises(SignatureError, match="embeddings"):
            vectors.Vectors(
                "x",
                model.ids[: len(wrong)],
                wrong.astype(np.float32),
                confidence=1.0,
                regularisation=1.0,
                index=model.index,
            )
    with pytest.raises(SignatureError, match="build them again"):
        vectors.Vectors("x", model.ids, model.factors * np.nan, confidence=1.0, regularisation=1.0, index=model.index)


def test_the_same_history_gives_the_same_artifact_and_it_loads_from_the_registry(fitted, tmp_path):
    again = held_out.fit(catalogue(60), EVENTS, SMALL, stratified, threads=1, tell=lambda _: None)
    assert again.built.model.to_bytes() == fitted.built.model.to_bytes()
    assert again.ranker == fitted.ranker
    registry = Registry(tmp_path)
    number = register.register(registry, fitted, SMALL, data="test", code_version="0", author="me", at_ms=1)
    pointer = registry.pointer("recommend", number, "Staging")
    loaded = artifacts.load(pointer, tmp_path)
    rules = control(explore=0.0)
    lists = []
    for made in (loaded, fitted.artifact(SMALL)):
        rules.artifact = made
        recommender = Recommender()
        recommender.learn([*catalogue(60), *EVENTS])
        lists.append(ids(recommender.recommend("u1", NOON_MS, rules)))
    assert lists[0] == lists[1]
    (tmp_path / pointer.path / "items.npz").write_bytes(b"other")
    with pytest.raises(SignatureError, match="differs from its signature's hash"):
        artifacts.load(pointer, tmp_path)


def test_an_index_that_finds_too_little_is_not_registered(fitted, tmp_path):
    built = item_model.Built(fitted.built.model, 0.5, 1, 0, 0)
    with pytest.raises(GateError, match=r"0\.500"):
        register.register(
            Registry(tmp_path),
            held_out.Fitted(built, fitted.ranker, 1),
            SMALL,
            data="",
            code_version="",
            author="",
            at_ms=1,
        )


def test_a_ranker_of_another_feature_set_is_refused(fitted):
    signature = msgspec.structs.replace(fitted.signature(SMALL), feature_set="recommend-0")
    with pytest.raises(SignatureError, match="train it again"):
        Artifact(signature, fitted.ranker.onnx, fitted.built.model)


def test_an_item_without_a_vector_is_still_listed(fitted):
    rules = control(explore=0.0, explore_new_user=0.0)
    rules.artifact = fitted.artifact(SMALL)
    made = Recommender()
    made.learn([*catalogue(70), *EVENTS])
    assert "i65" not in fitted.built.model.ids
    seen: list[str] = []
    made.recommend(
        "u1", NOON_MS, rules, watch=lambda one, _: seen.extend(one.ask.items.ids[n] for n in one.ranked.items)
    )
    assert {f"i{n}" for n in range(60, 70)} & set(seen)


def test_nothing_to_learn_from_is_said():
    with pytest.raises(InputError, match="no interactions"):
        item_model.build([], SMALL)


def test_figures_are_those_of_the_definition():
    found = accuracy({"u": ["a", "x", "b"], "v": ["y"]}, {"u": {"a", "b", "c"}, "v": {"z"}}, 3)
    ideal = 1 + 1 / np.log2(3) + 0.5
    assert found.ndcg == pytest.approx((1 + 0.5) / ideal / 2)
    assert found.map == pytest.approx((1 + 2 / 3) / 3 / 2)
    assert found.precision == pytest.approx(2 / 3 / 2)
    assert found.recall == pytest.approx(2 / 3 / 2)


def test_the_split_gives_each_user_the_share_and_loses_nothing():
    first, second = stratified(EVENTS, 0.75, 42)
    assert sorted(e.event_id for e in first + second) == sorted(e.event_id for e in EVENTS)
    for user in {event.user_id for event in EVENTS}:
        count = sum(event.user_id == user for event in EVENTS)
        assert sum(event.user_id == user for event in first) == int(count * 0.75)
    assert stratified(EVENTS, 0.75, 42) == (first, second)
