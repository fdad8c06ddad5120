"""What the control topic says of recommendations at this moment: the policy and the artifact in force."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

import msgspec

from schemas import control
from schemas.control import ModelPointer, RecommendPolicy
from schemas.errors import InvalidError
from schemas.events import ControlRecord
from schemas.models import RECOMMEND
from serving.online.models import OnlineModels
from serving.recommend.artifact import Artifact
from serving.recommend.features.catalogue import NAMES as FEATURE_NAMES
from serving.recommend.rules.catalogue import RULES
from serving.recommend.sources.catalogue import NAMES

# The model's name in the registry; pointers of other models are other jobs' business.
MODEL = "recommend"
# The stage whose model answers.
CHAMPION = "Production"


class RecommendControl:
    """Policy, artifact and online models. `policy_version` names the policy by content."""

    def __init__(self, load: Callable[[ModelPointer], Artifact], policy: RecommendPolicy | None = None) -> None:
        self._load = load
        self.artifact: Artifact | None = None
        self.online = OnlineModels(RECOMMEND, FEATURE_NAMES)
        self.policy = RecommendPolicy()
        self.policy_version = ""
        self._take_policy(policy or RecommendPolicy())

    def apply(self, record: ControlRecord) -> None:
        """Take one control record in; other kinds and other models are passed over.

        Raises InvalidError or SignatureError, and then nothing has changed: what was in force goes on.
        """
        self.online.apply(record)
        if record.kind not in {"recommend_policy", "model"}:
            return
        payload = control.payload(record)
        if record.kind == "recommend_policy":
            self._take_policy(payload if isinstance(payload, RecommendPolicy) else RecommendPolicy())
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
        for kind, given, known in (("source", policy.sources, NAMES), ("rule", policy.rules, tuple(RULES))):
            unknown = sorted(set(given) - set(known))
            if unknown:
                raise InvalidError(f"recommend policy: no {kind} {unknown[0]!r}; known: {', '.join(known)}")
        self.policy = policy
        self.policy_version = sha256(msgspec.json.encode(policy, order="deterministic")).hexdigest()[:12]
