"""Two towers: scored without torch against plain arithmetic, refused when they do not fit, and trained with torch."""

from __future__ import annotations

import sys

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recommend_builders import NOON_MS, act, arrived, catalogue, control, history, ids, item

from jobs.evaluate_recommend.split import stratified
from jobs.train_recommend import boosting, held_out, item_model, register, tower_examples, tower_graph
from jobs.train_recommend.parameters import Embeddings, Parameters, Trees
from jobs.train_recommend.parameters import TwoTower as Given
from schemas.errors import MissingPartError, ModelError, SignatureError
from schemas.recommend_models import TWO_TOWER
from schemas.units import DAY_MS
from serving.recommend import artifact as artifacts
from serving.recommend.artifact import Artifact
from serving.recommend.embeddings.tower_inputs import (
    ACTIVITY,
    ITEM_WIDTH,
    MOST_POOLED,
    POOLS,
    RECENT_FADE,
    TERMS,
    TOWER_INPUTS,
    USER_NUMBERS,
    facts,
    newest,
    pools,
    user_numbers,
    user_width,
)
from serving.recommend.embeddings.two_tower import Towers, TwoTower
from serving.recommend.item_model import ItemModel
from serving.recommend.recommender import Recommender
from serving.recommend.user import User
from serving.recommend.world import World
from serving.registry import Registry

ITEMS, DIMENSION, HIDDEN = 60, 6, 5
EVENTS = history(3, users=40, items=ITEMS, count=900)
SMALL = Parameters(
    embeddings=Embeddings(kind=TWO_TOWER),
    two_tower=Given(dimension=DIMENSION, hidden=8, epochs=3, batch=128),
    trees=Trees(count=3),
    splits=1,
    holdout=0.3,
)


def weights(seed: int = 1, rows: int = ITEMS + 1, dimension: int = DIMENSION) -> dict[str, np.ndarray]:
    """Weights of no training, for networks that are only to be scored."""
    chance = np.random.default_rng(seed)
    wide, pooled = user_width(dimension), POOLS * dimension
    shapes = {
        "table": (rows, dimension),
        "item_hidden": (dimension + ITEM_WIDTH, HIDDEN),
        "item_out": (HIDDEN, dimension),
        "user_hidden": (wide, HIDDEN),
        "user_out": (HIDDEN, dimension),
        "user_direct": (wide, dimension),
        "item_hidden_bias": (HIDDEN,),
        "item_out_bias": (dimension,),
        "user_hidden_bias": (HIDDEN,),
        "user_out_bias": (dimension,),
        "item_mean": (ITEM_WIDTH,),
        "item_scale": (ITEM_WIDTH,),
    }
    made = {name: chance.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}
    made["user_mean"] = np.zeros(wide, np.float32)
    made["user_scale"] = np.concatenate([np.ones(pooled), chance.random(USER_NUMBERS)]).astype(np.float32)
    return made


def serving(towers: Towers, **changed) -> TwoTower:
    given = {"dimension": DIMENSION, "inputs": TOWER_INPUTS} | changed
    return TwoTower("towers@1", [f"i{n}" for n in range(ITEMS)], towers, **given)


def artifact(seed: int = 1, **changed) -> Artifact:
    """Towers in force without a ranker: lists are ordered by the blend."""
    names = [f"i{n}" for n in range(ITEMS)]
    nothing = np.zeros(ITEMS + 1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32)
    model = ItemModel(names, np.zeros((0, 0), np.float32), *nothing, tower_graph.towers(weights(seed)))
    signature = item_model.signature(item_model.Built(model, 1.0, 0, 0, 0), SMALL)
    return Artifact(msgspec.structs.replace(signature, **changed), b"", model, ranked=False)


def layers(given, tower: str, x: np.ndarray) -> np.ndarray:
    active = np.maximum(x @ given[f"{tower}_hidden"] + given[f"{tower}_hidden_bias"], 0)
    return active @ given[f"{tower}_out"] + given[f"{tower}_out_bias"]


@given(st.integers(0, 1000), st.integers(1, 6))
@settings(max_examples=10, deadline=None)
def test_onnx_towers_compute_what_their_weights_say(seed, count):
    used, chance = weights(seed), np.random.default_rng(seed)
    model = serving(tower_graph.towers(used))
    rows, inputs = chance.integers(0, ITEMS + 1, count), chance.normal(size=(count, ITEM_WIDTH)).astype(np.float32)
    identity = used["table"][rows]
    x = np.column_stack([identity, (inputs - used["item_mean"]) * used["item_scale"]])
    assert np.allclose(model.items(rows, inputs), identity + layers(used, "item", x), atol=1e-4)
    users = chance.normal(size=(count, user_width(DIMENSION))).astype(np.float32)
    standard = (users - used["user_mean"]) * used["user_scale"]
    assert np.allclose(model.users(users), standard @ used["user_direct"] + layers(used, "user", standard), atol=1e-4)


def test_the_same_weights_give_the_same_bytes():
    assert tower_graph.towers(weights()) == tower_graph.towers(weights())


def test_pools_are_the_mean_the_newest_most_and_the_last_alone():
    user, vectors = User(), np.random.default_rng(1).normal(size=(300, 4)).astype(np.float32)
    for number in range(200):
        user.learn(number, NOON_MS + number, 0)
    last_first = list(range(199, 199 - MOST_POOLED, -1))
    assert newest(user.known, user.known_size).tolist() == last_first
    fade = RECENT_FADE ** np.arange(MOST_POOLED)
    naive = [vectors[last_first].mean(axis=0), fade @ vectors[last_first] / fade.sum(), vectors[199]]
    assert np.allclose(pools(newest(user.known, user.known_size), vectors), np.concatenate(naive), atol=1e-5)
    assert not pools(newest(User().known, 0), vectors).any()


def test_inputs_of_an_item_are_its_terms_price_age_and_popularity():
    world = World()
    world.put(item(0, categories=["drama", "comedy"], price=9.0, created_ms=NOON_MS))
    world.put(item(1, categories=[], title="", price=0.0, created_ms=NOON_MS - DAY_MS))
    for user in "abc":
        world.learn(act(user, 1, NOON_MS))
    made = facts(world.items, np.array([0, 1], np.int32), NOON_MS).inputs()
    assert made.shape == (2, ITEM_WIDTH)
    assert made[:, :TERMS].sum(axis=1).tolist() == [2, 0]
    assert np.allclose(made[0, TERMS:], [np.log(10), 1, 0, -np.log(2.5)])
    assert np.allclose(made[1, TERMS:], [0, 0, np.log(2), np.log(4) - np.log(2.5)])


def test_numbers_of_a_user_hold_a_place_for_the_segment():
    west, none = user_numbers(User(), "west", NOON_MS), user_numbers(User(), "", NOON_MS)
    assert west[ACTIVITY:].sum() == 1
    assert none[ACTIVITY:].sum() == 0
    assert np.array_equal(west[:ACTIVITY], none[:ACTIVITY])


def test_towers_that_do_not_fit_are_refused():
    towers = tower_graph.towers(weights())
    with pytest.raises(SignatureError, match="train again"):
        serving(towers, inputs="towers-0")
    with pytest.raises(SignatureError, match="do not run"):
        serving(towers, dimension=7)
    with pytest.raises(SignatureError, match="do not run"):
        serving(tower_graph.towers(weights(rows=ITEMS)))
    with pytest.raises(SignatureError, match="the towers give 6 and 7 numbers"):
        serving(Towers(towers.item, tower_graph.towers(weights(dimension=7)).user), dimension=7)
    with pytest.raises(SignatureError, match="user tower towers@1: ONNX Runtime can not load it"):
        serving(Towers(towers.item, b"nonsense"))
    bare = ItemModel(["a"], np.zeros((0, 0), np.float32), np.zeros(2, np.int64), *2 * [np.zeros(0, np.int32)])
    with pytest.raises(SignatureError, match="the towers are missing"):
        Artifact(item_model.signature(item_model.Built(bare, 1.0, 0, 0, 0), SMALL), b"", bare, ranked=False)


@pytest.mark.parametrize("name", ["user_out_bias", "item_out_bias"])
def test_towers_that_give_no_number_are_refused_before_they_are_in_force(name):
    made = weights()
    made[name][0] = np.nan
    with pytest.raises(SignatureError, match="embeddings towers@1: the towers give no number"):
        serving(tower_graph.towers(made))


def test_a_user_tower_that_gives_no_number_for_a_user_is_named():
    vectors = np.full((1, DIMENSION), np.nan, np.float32)
    user = User()
    user.learn(0, NOON_MS, 0)
    with pytest.raises(ModelError, match=r"user tower towers@1 gave no number"):
        serving(tower_graph.towers(weights())).user(user, "", NOON_MS, vectors)


def test_lists_follow_the_towers_and_an_item_that_they_never_met_has_a_vector():
    made, rules = Recommender(), control(explore=0.0, explore_new_user=0.0)
    rules.artifact = artifact()
    made.learn(catalogue(ITEMS + 5))
    lists = made.step(arrived(EVENTS[:50]), rules)
    assert all(len(one.items) == 20 for one in lists)
    assert all(one.embeddings == "recommend@0" for one in lists)
    vectors = rules.artifact.vectors
    assert np.any(vectors.matrix[ITEMS + 3])
    user = made.world.users.get(EVENTS[49].user_id)
    vector = vectors.user(user, user.segment, NOON_MS)
    products = vectors.matrix[: ITEMS + 5] @ vector
    assert vectors.nearest(vector, 10).tolist() == np.argsort(-products, kind="stable")[:10].tolist()
    voices = vectors.voices(vectors.nearest(vector, 10), vector)
    assert voices[0] == 1
    assert np.all(voices > 0)
    assert np.all(np.diff(voices) <= 0)


def test_another_kind_of_embedding_takes_over_while_the_job_runs():
    made, rules = Recommender(), control(explore=0.0)
    made.learn(catalogue(ITEMS))
    als = Parameters(embeddings=Embeddings(dimension=4, rounds=2))
    before = item_model.unranked(item_model.build(catalogue(ITEMS), EVENTS, als), als)
    for number, model in enumerate((before, artifact(), before)):
        rules.artifact = model
        assert all(len(one.items) == 20 for one in made.step(arrived(EVENTS[number * 9 : number * 9 + 9]), rules))
    assert before.vectors.matrix.shape[1] == 4


def test_examples_hold_what_the_stream_knew_right_before():
    names = [f"i{n}" for n in range(ITEMS)]
    events = [act("u", 4, NOON_MS), act("u", 5, NOON_MS + 1), act("u", 999, NOON_MS + 2), act("u", 6, NOON_MS + 3)]
    found = tower_examples.examples(catalogue(ITEMS), events, names, before=True)
    assert found.wanted.tolist() == [4, 5, 6]
    assert [row[row >= 0].tolist() for row in found.touched] == [[], [4], [5, 4]]
    assert found.rows.tolist() == list(range(1, ITEMS + 1))
    beside = tower_examples.examples(catalogue(ITEMS), events, names[:5], before=False)
    assert [row[row >= 0].tolist() for row in beside.touched] == [[6, 5], [6, 4], [5, 4]]
    assert beside.rows.tolist() == [1, 2, 3, 4, 5] + [0] * (ITEMS - 5)


def test_training_without_torch_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "jobs.train_recommend.two_tower", raising=False)
    with pytest.raises(MissingPartError, match=r"sluice\[train-torch\]"):
        item_model.build(catalogue(ITEMS), EVENTS, SMALL)


def test_an_artifact_with_towers_comes_back_from_the_registry_and_a_changed_tower_is_refused(tmp_path):
    held = artifact()
    names = [f"i{n}" for n in range(ITEMS)]
    nothing = np.zeros(ITEMS + 1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32)
    model = ItemModel(names, np.zeros((0, 0), np.float32), *nothing, tower_graph.towers(weights()))
    built = item_model.Built(model, 1.0, 1, 0, 0)
    fitted = held_out.Fitted(built, boosting.Trained(held.signature.base, b"", {}), 1)
    registry = Registry(tmp_path)
    number = register.register(registry, fitted, SMALL, data="test", code_version="0", author="me", at_ms=1)
    pointer = registry.pointer("recommend", number, "Staging")
    loaded = artifacts.load(pointer, tmp_path)
    made = Recommender()
    made.learn([*catalogue(ITEMS), *EVENTS])
    for one in (loaded, held):
        one.vectors.follow(made.world.items, NOON_MS)
    assert np.array_equal(loaded.vectors.matrix, held.vectors.matrix)
    (tmp_path / pointer.path / "user_tower.onnx").write_bytes(b"other")
    with pytest.raises(SignatureError, match=r"user_tower\.onnx differs"):
        artifacts.load(pointer, tmp_path)
    (tmp_path / pointer.path / "item_tower.onnx").unlink()
    with pytest.raises(SignatureError, match="No such file"):
        artifacts.load(pointer, tmp_path)


@given(st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_onnx_towers_equal_those_of_torch(seed):
    torch = pytest.importorskip("torch")
    from jobs.train_recommend import two_tower  # noqa: PLC0415  # torch is an extra

    used, chance = weights(seed), np.random.default_rng(seed)
    tensors = {name: torch.from_numpy(value) for name, value in used.items()}
    model = serving(tower_graph.towers(used))
    rows, inputs = chance.integers(0, ITEMS + 1, 20), chance.normal(size=(20, ITEM_WIDTH)).astype(np.float32)
    users = chance.normal(size=(20, user_width(DIMENSION))).astype(np.float32)
    for ours, theirs in (
        (model.items(rows, inputs), two_tower.item_vectors(tensors, torch.from_numpy(rows), torch.from_numpy(inputs))),
        (model.users(users), two_tower.user_vectors(tensors, torch.from_numpy(users))),
    ):
        assert np.max(np.abs(ours - theirs.numpy()) / (1 + np.abs(ours))) < 1e-5


def test_pools_in_training_are_those_of_the_stream():
    torch = pytest.importorskip("torch")
    from jobs.train_recommend import two_tower  # noqa: PLC0415  # torch is an extra

    vectors = np.random.default_rng(2).normal(size=(30, 4)).astype(np.float32)
    touched = [np.array([3, 7, 1], np.int32), np.zeros(0, np.int32), np.array([9], np.int32)]
    made = two_tower.pooled(
        torch.from_numpy(vectors), torch.from_numpy(np.concatenate(touched).astype(np.int64)), np.array([3, 0, 1])
    )
    assert np.allclose(made.numpy(), [pools(one, vectors) for one in touched], atol=1e-5)


def test_the_same_history_gives_the_same_towers_and_they_learn_tastes():
    pytest.importorskip("torch")
    longer = msgspec.structs.replace(SMALL, two_tower=msgspec.structs.replace(SMALL.two_tower, epochs=20))
    first, second = (item_model.build(catalogue(ITEMS), EVENTS, longer) for _ in range(2))
    assert first.model.towers == second.model.towers
    rules = control(explore=0.0, explore_new_user=0.0, diversity=0.0, new_item_boost=0.0, rules=("stock", "banned"))
    rules.artifact = item_model.unranked(first, longer)
    made = Recommender()
    made.learn([*catalogue(ITEMS), *EVENTS])
    mine = 0
    for user in range(40):
        known = made.world.users.get(f"u{user}")
        rules.artifact.vectors.follow(made.world.items, NOON_MS)
        vector = rules.artifact.vectors.user(known, known.segment, NOON_MS)
        near = rules.artifact.vectors.nearest(vector, 10)
        mine += sum(made.world.items.ids[n] in taste(user) for n in near)
    assert mine > 300  # of 400; by chance 100


def taste(user: int) -> set[str]:
    return {f"i{(user % 4 * ITEMS // 4 + n) % ITEMS}" for n in range(ITEMS // 4 + 1)}


def test_a_recommender_with_towers_is_fitted_whole():
    pytest.importorskip("torch")
    fitted = held_out.fit(catalogue(ITEMS), EVENTS, SMALL, stratified, threads=1, tell=lambda _: None)
    rules = control(explore=0.0)
    rules.artifact = fitted.artifact(SMALL)
    made = Recommender()
    made.learn([*catalogue(ITEMS), *EVENTS])
    assert len(ids(made.recommend("u1", NOON_MS, rules))) == 20
    assert fitted.signature(SMALL).towers_sha256 == fitted.built.model.towers.sha256
