"""What a learner's snapshot holds: each kind of model as plain data. online_learning writes it, serving scores from it.

A model names its features; a vector is matched to them by name. A feature that a vector lacks, or that is NaN in it, is
absent: each kind below says what that means, as River does. A model's `version` counts the versions of its kind.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from schemas.errors import InvalidError, UnknownVersionError
from schemas.events import Snapshot

NEWEST = 1
# What fits a record of Kafka's usual size, with the rest of the event.
MOST_PAYLOAD_BYTES = 900 * 1024


class _Model(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """What every kind carries."""

    version: Annotated[int, Meta(ge=1, le=1000)] = 1


class Scaling(msgspec.Struct, frozen=True):
    """(x - shift) / scale by feature, in the model's order; 0 where the scale is 0. An absent feature stays absent."""

    shift: list[float]
    scale: list[float]


class Linear(_Model, frozen=True, kw_only=True, tag="linear"):
    """A linear model: intercept plus the weighted sum, through the link. An absent feature adds nothing."""

    features: list[str]
    weights: list[float]
    intercept: float
    scaling: Scaling | None = None
    link: Literal["logistic", "identity"] = "logistic"


class Gaussians(msgspec.Struct, frozen=True):
    """Mean and variance of each feature, for one class of one leaf; a variance of 0 says nothing of the feature."""

    mean: list[float]
    variance: list[float]


class Leaf(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a leaf saw: the weight of each class (None: never), and how it answers.

    With `bayes` it answers by naive Bayes over those Gaussians (negative, positive), else by the shares of the weights.
    `error` is its share of wrong answers, by whose square an adaptive tree divides its vote; None: it does not.
    """

    negative: float | None = None
    positive: float | None = None
    bayes: tuple[Gaussians, Gaussians] | None = None
    error: float | None = None


class Tree(msgspec.Struct, frozen=True):
    """A binary tree as columns, the root first.

    `feature` is a place in the model's features, -1 at a leaf. A value <= `threshold` goes `left`, another `right`, an
    absent one to `likely`, the child with more weight. `alternate` is the root of a tree that votes with the leaf, or
    -1. `leaf` is a place in `leaves`, -1 at a branch.
    """

    feature: list[int]
    threshold: list[float]
    left: list[int]
    right: list[int]
    likely: list[int]
    alternate: list[int]
    leaf: list[int]
    leaves: list[Leaf]


class Forest(_Model, frozen=True, kw_only=True, tag="forest"):
    """Trees that vote, each by its weight. One adaptive tree is a forest of one. No tree: the score is 0.

    The odds of the vote are multiplied by `odds`: trees that learned a sample of the negatives overstate the positives.
    """

    features: list[str]
    trees: list[Tree]
    weights: list[float]
    odds: Annotated[float, Meta(gt=0)] = 1.0


class FactorisationMachine(_Model, frozen=True, kw_only=True, tag="factorisation_machine"):
    """Intercept, weights and the products of pairs of latent vectors, through the logistic link (Rendle, 2010)."""

    features: list[str]
    weights: list[float]
    latents: list[list[float]]
    intercept: float
    scaling: Scaling | None = None


class HalfSpaceTree(msgspec.Struct, frozen=True):
    """A complete binary tree, the children of node i at 2i+1 and 2i+2; a value < `threshold` goes to the first.

    `mass` counts the last full window, `fresh` the present one: an absent feature follows the fuller child of it.
    """

    feature: list[int]
    threshold: list[float]
    mass: list[int]
    fresh: list[int]


class HalfSpaceTrees(_Model, frozen=True, kw_only=True, tag="half_space_trees"):
    """Anomaly score, 0 to 1, from the masses of half-spaces (Tan et al., 2011); 0 before the first full window."""

    features: list[str]
    trees: list[HalfSpaceTree]
    height: int
    window: int
    ready: bool
    scaling: Scaling | None = None


class Arm(msgspec.Struct, frozen=True):
    """A Bayesian linear regression of the reward: posterior mean and covariance of the weights."""

    name: str
    mean: list[float]
    covariance: list[list[float]]


class Bandit(_Model, frozen=True, kw_only=True, tag="bandit"):
    """Contextual bandit (LinUCB): an arm's score is the expected reward plus one deviation of it.

    `noise` is the variance of a reward around its expectation. The score of a vector is that of the best arm.
    """

    features: list[str]
    arms: list[Arm]
    noise: float
    scaling: Scaling | None = None


class Selection(_Model, frozen=True, kw_only=True, tag="selection"):
    """Models of which one, `chosen`, answers."""

    members: list[Model]
    names: list[str]
    chosen: int


Model = Linear | Forest | FactorisationMachine | HalfSpaceTrees | Bandit | Selection
# Kinds of before, which readers pass over: weights of models now stand in the metrics of each.
RETIRED = frozenset({"ensemble_weights"})
# What these say is no probability: an anomaly score, or the bound of a reward.
UNPOOLED = frozenset({"half_space_trees", "bandit"})

_decoder: msgspec.json.Decoder[Model] = msgspec.json.Decoder(Model)


class _Head(msgspec.Struct):
    kind: str
    version: int = 1


def pack(model: Model) -> tuple[str, msgspec.Raw, str]:
    """Kind, payload and SHA-256 of a model, as a Snapshot carries them.

    Raises InvalidError when a number is not finite, or when the model is too large: no reader could use it.
    """
    payload = msgspec.json.encode(model)
    if len(payload) > MOST_PAYLOAD_BYTES:
        raise InvalidError(
            f"the model has {len(payload):,} bytes, more than the {MOST_PAYLOAD_BYTES:,} of a snapshot; "
            "narrow its features or its depth"
        )
    if b"null" in payload:
        try:
            _decoder.decode(payload)
        except msgspec.ValidationError as error:
            raise InvalidError(
                f"the model has a number that is not finite ({error}); scale or clip its input"
            ) from error
    return str(type(model).__struct_config__.tag), msgspec.Raw(payload), hashlib.sha256(payload).hexdigest()


def unpack(snapshot: Snapshot) -> Model:
    """The model of a snapshot.

    Raises InvalidError (another hash or kind than stated, a wrong shape) or UnknownVersionError; both name the learner.
    """
    payload = bytes(snapshot.payload)
    if hashlib.sha256(payload).hexdigest() != snapshot.sha256:
        raise InvalidError(f"snapshot of {snapshot.learner} after {snapshot.examples} examples: wrong SHA-256")
    try:
        head = msgspec.json.decode(payload, type=_Head)
        if head.version > NEWEST:
            raise UnknownVersionError(f"snapshot of {snapshot.learner}: {head.kind} version {head.version}")
        model = _decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidError(f"snapshot of {snapshot.learner}: {error}") from error
    if head.kind != snapshot.kind:
        raise InvalidError(f"snapshot of {snapshot.learner}: a {head.kind}, but it says {snapshot.kind}")
    return model
