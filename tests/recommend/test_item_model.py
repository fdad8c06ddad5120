"""Item model, index, ranker and artifact: against naive computations, and refused when they do not fit."""

from __future__ import annotations

import io
from hashlib import sha256

import msgspec
import numpy as np
import pytest
from recommend_builders import NOON_MS, catalogue, control, history, ids

from jobs.evaluate_recommend.metrics import accuracy
from jobs.evaluate_recommend.split import stratified
from jobs.train_recommend import held_out, item_model, linear, register
from jobs.train_recommend.parameters import Embeddings, Parameters, Trees
from jobs.train_recommend.touches import touches
from schemas.control import ModelPointer
from schemas.errors import GateError, InputError, SignatureError
from serving.recommend import artifact as artifacts
from serving.recommend.artifact import Artifact
from serving.recommend.embeddings import als
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
    x[found.users, found.items] = found.weights
    assert len(set(found.weights.tolist())) > 1
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
    q, c = fitted.built.model.factors, SMALL.embeddings.confidence
    model = als.Als("x", fitted.built.model.ids, q, confidence=c, regularisation=SMALL.embeddings.regularisation)
    known = np.array([[row, row, 1, 0] for row in range(5)], np.int64)
    got = als.fold_in(known, 5, q, model.gram, c)
    left = q.T @ q + SMALL.embeddings.regularisation * np.eye(q.shape[1]) + c * q[:5].T @ q[:5]
    assert np.allclose(got, np.linalg.solve(left, (1 + c) * q[:5].sum(axis=0)), rtol=1e-3, atol=1e-4)


def test_factors_of_no_number_or_of_other_items_are_refused(fitted):
    model = fitted.built.model
    for wrong in (model.factors * np.nan, model.factors[:-1]):
        with pytest.raises(SignatureError, match="train them again"):
            als.Als("x", model.ids, wrong, confidence=1.0, regularisation=1.0)
    with pytest.raises(SignatureError, match="vectors of 6 numbers, the signature says 7"):
        Artifact(msgspec.structs.replace(fitted.signature(SMALL), dimension=7), b"", model, ranked=False)


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


def test_an_artifact_of_the_release_before_is_still_read(fitted, tmp_path):
    """It had no kind of embedding, and the bytes of an index among its items."""
    with np.load(io.BytesIO(fitted.built.model.to_bytes())) as held:
        older = io.BytesIO()
        np.savez(older, **held, index=np.zeros(8, np.uint8))
    new = msgspec.to_builtins(fitted.signature(SMALL))
    signature = {name: new[name] for name in new if name not in {"embedding", "towers_sha256", "tower_inputs"}}
    signature["items_sha256"] = sha256(older.getvalue()).hexdigest()
    described = msgspec.json.encode(signature)
    for name, raw in (
        ("signature.json", described),
        ("ranker.onnx", fitted.ranker.onnx),
        ("items.npz", older.getvalue()),
    ):
        (tmp_path / name).write_bytes(raw)
    pointer = ModelPointer("recommend", "1", "Production", ".", sha256(described).hexdigest())
    rules = control(explore=0.0)
    lists = []
    for made in (artifacts.load(pointer, tmp_path), fitted.artifact(SMALL)):
        rules.artifact = made
        recommender = Recommender()
        recommender.learn([*catalogue(60), *EVENTS])
        lists.append(ids(recommender.recommend("u1", NOON_MS, rules)))
    assert lists[0] == lists[1]


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
        item_model.build([], [], SMALL)


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
