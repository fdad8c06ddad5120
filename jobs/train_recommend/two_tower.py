"""Two towers by sampled softmax over the other items of a batch (Yi et al., 2019), in torch, on one thread of the CPU.

An item stands in a batch as often as it is popular; its logarithm is taken off its logit, so that popular items are
not punished for standing there. An id is left out now and then, so that an item's content learns to speak for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from jobs.train_recommend.parameters import TwoTower
from jobs.train_recommend.tower_examples import NOTHING, TowerExamples
from jobs.train_recommend.tower_graph import Weights
from schemas.errors import InputError
from serving.recommend.embeddings.tower_inputs import ITEM_WIDTH, POOLS, pool_weights, user_width
from serving.recommend.embeddings.two_tower import UNKNOWN
from serving.recommend.workspace import Scores

Tensors = dict[str, torch.Tensor]
FIXED = ("item_mean", "item_scale", "user_mean", "user_scale")


def train(examples: TowerExamples, given: TwoTower, seed: int) -> Weights:
    """The weights of both towers. The same examples, parameters and seed give the same on the same machine.

    Raises InputError when there is nothing to tell apart.
    """
    if len(np.unique(examples.wanted)) < 2:
        raise InputError("two towers need interactions with two items at least; give a longer history")
    with _one_thread(seed) as chance:
        weights = initial(examples, given, chance)
        learned = [tensor.requires_grad_() for name, tensor in weights.items() if name not in FIXED]
        steps = torch.optim.AdamW(learned, lr=given.learning_rate, weight_decay=given.weight_decay)
        frequency = np.bincount(examples.wanted, minlength=len(examples.rows)) / len(examples)
        for _ in range(given.epochs):
            order = torch.randperm(len(examples), generator=chance).numpy()
            for start in range(0, len(order), given.batch):
                chosen = order[start : start + given.batch]
                steps.zero_grad()
                _loss(weights, examples, chosen, frequency, given, chance).backward()
                steps.step()
        return {name: tensor.detach().numpy() for name, tensor in weights.items()}


def initial(examples: TowerExamples, given: TwoTower, chance: torch.Generator) -> Tensors:
    """The weights to begin with: a user is the mean of what was touched."""
    dimension, hidden = given.dimension, given.hidden

    def drawn(rows: int, columns: int, deviation: float) -> torch.Tensor:
        return torch.randn(rows, columns, generator=chance) * deviation

    wide, item_wide = user_width(dimension), dimension + ITEM_WIDTH
    pooled = POOLS * dimension
    item_mean, item_scale = _standard(examples.inputs)
    user_mean, user_scale = _standard(examples.users)
    return {
        "table": drawn(int(examples.rows.max(initial=0)) + 1, dimension, 0.1),
        "item_mean": item_mean,
        "item_scale": item_scale,
        "item_hidden": drawn(item_wide, hidden, (2.0 / item_wide) ** 0.5),
        "item_hidden_bias": torch.zeros(hidden),
        "item_out": drawn(hidden, dimension, 0.1 * hidden**-0.5),
        "item_out_bias": torch.zeros(dimension),
        "user_mean": torch.cat([torch.zeros(pooled), user_mean]),
        "user_scale": torch.cat([torch.ones(pooled), user_scale]),
        "user_hidden": drawn(wide, hidden, (2.0 / wide) ** 0.5),
        "user_hidden_bias": torch.zeros(hidden),
        "user_out": drawn(hidden, dimension, 0.1 * hidden**-0.5),
        "user_out_bias": torch.zeros(dimension),
        "user_direct": torch.cat([torch.eye(dimension), torch.zeros(wide - dimension, dimension)]),
    }


def item_vectors(weights: Tensors, rows: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
    """The item tower: rows (n,) and inputs (n, ITEM_WIDTH) to vectors (n, dimension)."""
    identity = weights["table"][rows]
    standard = (inputs - weights["item_mean"]) * weights["item_scale"]
    return identity + _layers(weights, "item", torch.cat([identity, standard], 1))


def user_vectors(weights: Tensors, inputs: torch.Tensor) -> torch.Tensor:
    """The user tower: inputs (n, user_width) to vectors (n, dimension)."""
    standard = (inputs - weights["user_mean"]) * weights["user_scale"]
    return standard @ weights["user_direct"] + _layers(weights, "user", standard)


def _layers(weights: Tensors, tower: str, x: torch.Tensor) -> torch.Tensor:
    active = functional.relu(x @ weights[f"{tower}_hidden"] + weights[f"{tower}_hidden_bias"])
    return active @ weights[f"{tower}_out"] + weights[f"{tower}_out_bias"]


def _loss(
    weights: Tensors,
    examples: TowerExamples,
    chosen: NDArray[np.int64],
    frequency: NDArray[np.float64],
    given: TwoTower,
    chance: torch.Generator,
) -> torch.Tensor:
    """Cross entropy of each example's item among the different items of the batch."""
    touched, wanted = examples.touched[chosen], examples.wanted[chosen]
    sizes = np.sum(touched != NOTHING, axis=1)
    # Vectors are made once for each item that the batch names.
    flat = touched[touched != NOTHING]
    named, places = np.unique(np.concatenate([wanted, flat]), return_inverse=True)
    rows = torch.from_numpy(examples.rows[named])
    left_out = torch.rand(len(named), generator=chance) < given.id_dropout
    vectors = item_vectors(weights, rows.masked_fill(left_out, UNKNOWN), torch.from_numpy(examples.inputs[named]))
    sums = pooled(vectors, torch.from_numpy(places[len(wanted) :]), sizes)
    users = user_vectors(weights, torch.cat([sums, torch.from_numpy(examples.users[chosen])], 1))
    others, column = np.unique(places[: len(wanted)], return_inverse=True)
    logits = users @ vectors[torch.from_numpy(others)].T
    logits = logits - torch.from_numpy(np.log(frequency[named[others]]).astype(np.float32))
    return functional.cross_entropy(logits, torch.from_numpy(column))


def pooled(vectors: torch.Tensor, places: torch.Tensor, sizes: NDArray[np.int64]) -> torch.Tensor:
    """The sums of `tower_inputs.pools`, shape (examples, POOLS * dimension)."""
    offsets = torch.from_numpy(np.concatenate([[0], np.cumsum(sizes)[:-1]]))
    flat: Scores = np.concatenate([pool_weights(int(size)) for size in sizes], axis=1)
    sums = [
        functional.embedding_bag(
            places, vectors, offsets, mode="sum", per_sample_weights=torch.from_numpy(np.ascontiguousarray(flat[pool]))
        )
        for pool in range(POOLS)
    ]
    return torch.cat(sums, 1)


def _standard(values: Scores) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and one over the deviation; what never moves is left out."""
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    scale = np.where(deviation > 1e-4, 1.0 / np.maximum(deviation, 1e-4), 0.0)
    return torch.from_numpy(mean), torch.from_numpy(scale.astype(np.float32))


@contextmanager
def _one_thread(seed: int) -> Iterator[torch.Generator]:
    """Sums in one order: the same numbers each time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield torch.Generator().manual_seed(seed)
    finally:
        torch.set_num_threads(before)
