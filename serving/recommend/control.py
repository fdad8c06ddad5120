"""What the control topic says of recommendations at this moment: the policy and the artifact in force."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import NamedTuple

import msgspec

from schemas import control
from schemas.control import Experiment, ModelPointer, RecommendPolicy, Variant
from schemas.errors import InvalidError
from schemas.events import ControlRecord
from schemas.models import RECOMMEND
from serving import experiments
from serving.online.models import OnlineModels
from serving.recommend.artifact import Artifact
from serving.recommend.features.catalogue import NAMES as FEATURE_NAMES
from serving.recommend.rules.catalogue import RULES
from serving.recommend.sources.catalogue import NAMES

# The model's name in the registry; pointers of other models are other jobs' business.
MODEL = "recommend"
# The stage whose model answers.
CHAMPION = "Production"
# Each costs a hash a list, and combinations of their variants are kept.
MOST_EXPERIMENTS = 4
# What a variant may change of the policy, beside its sources.
CHANGEABLE = ("diversity", "explore", "explore_new_user", "new_item_boost")


class Chosen(NamedTuple):
    """The policy for one user, named by content; `variants` says in which variant of each experiment the user is."""

    policy: RecommendPolicy
    version: str
    variants: Mapping[str, str]


class RecommendControl:
    """Policy, experiments, artifact and online models. `policy_version` names everybody's policy by content."""

    def __init__(self, load: Callable[[ModelPointer], Artifact], policy: RecommendPolicy | None = None) -> None:
        self._load = load
        self.artifact: Artifact | None = None
        self.online = OnlineModels(RECOMMEND, FEATURE_NAMES)
        self.policy = RecommendPolicy()
        self.policy_version = ""
        # All that control holds, and the first of them by name, which hold: so which do follows from what is there, not
        # from the order in which it came.
        self._known: dict[str, Experiment] = {}
        self._experiments: dict[str, Experiment] = {}
        # By the variants that a user is in: at most one entry for each combination that was met.
        self._chosen: dict[tuple[str, ...], Chosen] = {}
        self._take_policy(policy or RecommendPolicy())

    def chosen(self, user_id: str) -> Chosen:
        """The policy for a user: everybody's, as the variants change it, experiments in the order of their names."""
        found = [(name, experiments.variant(user_id, name, one)) for name, one in self._experiments.items()]
        key = tuple(experiments.name(variant) for _, variant in found)
        chosen = self._chosen.get(key)
        if chosen is None:
            policy = self.policy
            for _, variant in found:
                policy = _changed(policy, variant)
            told = {name: experiments.name(variant) for name, variant in found}
            chosen = self._chosen[key] = Chosen(policy, _version(policy), told)
        return chosen

    def apply(self, record: ControlRecord) -> None:
        """Take one control record in; other kinds and other models are passed over.

        Raises InvalidError or SignatureError, and then nothing has changed: what was in force goes on.
        """
        self.online.apply(record)
        if record.kind not in {"recommend_policy", "experiment", "model"}:
            return
        payload = control.payload(record)
        if record.kind == "recommend_policy":
            self._take_policy(payload if isinstance(payload, RecommendPolicy) else RecommendPolicy())
        elif record.kind == "experiment":
            self._take_experiment(record.name, payload if isinstance(payload, Experiment) else None)
        elif isinstance(payload, ModelPointer):
            if payload.name != MODEL:
                return
            if payload.stage == CHAMPION:
                self.artifact = self._load(payload)
            elif self.artifact is not None and self.artifact.label == f"{payload.name}@{payload.version}":
                self.artifact = None
        elif record.name == MODEL:
            self.artifact = None

    def _take_policy(self, policy: RecommendPolicy) -> None:
        _require_known("recommend policy", "source", policy.sources, NAMES)
        _require_known("recommend policy", "rule", policy.rules, tuple(RULES))
        self.policy = policy
        self.policy_version = _version(policy)
        self._chosen = {}

    def _take_experiment(self, name: str, experiment: Experiment | None) -> None:
        known = {other: one for other, one in self._known.items() if other != name}
        if experiment is not None:
            for variant in experiment.variants:
                _require_known(f"experiment {name}, variant {variant.name}", "source", variant.sources, NAMES)
            known[name] = experiment
        self._known = known
        self._experiments = dict(sorted(known.items())[:MOST_EXPERIMENTS])
        self._chosen = {}


def _require_known(what: str, kind: str, given: Iterable[str], known: tuple[str, ...]) -> None:
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise InvalidError(f"{what}: no {kind} {unknown[0]!r}; known: {', '.join(known)}")


def _changed(policy: RecommendPolicy, variant: Variant | None) -> RecommendPolicy:
    if variant is None:
        return policy
    given = {name: value for name in CHANGEABLE if (value := getattr(variant, name)) is not None}
    return msgspec.structs.replace(policy, sources=policy.sources | variant.sources, **given)


def _version(policy: RecommendPolicy) -> str:
    return sha256(msgspec.json.encode(policy, order="deterministic")).hexdigest()[:12]
