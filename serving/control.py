"""The control state: what the control topic says at this moment, made ready to be asked for each payment."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

import msgspec

from schemas import control
from schemas.control import Blocklist, Flag, ModelPointer, Policy, Rule, Thresholds
from schemas.errors import InvalidError
from schemas.events import ControlRecord, RuleHit, Transaction
from schemas.models import FRAUD
from serving.features.catalogue import NAMES
from serving.model import Model
from serving.online.models import OnlineModels
from serving.rules.catalogue import KINDS
from serving.rules.kind import Check, Values
from serving.shadow import Shadow

# The stage whose model answers, and the one whose model scores beside it.
CHAMPION = "Production"
SHADOW = "Shadow"


class Control:
    """Rules, lists, thresholds, the model in force, its shadow and online models beside it.

    `rules_version` names all but the models by content.
    """

    def __init__(self, load_model: Callable[[ModelPointer], Model]) -> None:
        self._load_model = load_model
        self._rules: dict[str, tuple[Rule, Check]] = {}
        self._blocklists: dict[str, Blocklist] = {}
        self._blocked: dict[str, frozenset[str]] = {}
        self.flags: dict[str, bool] = {}
        self.online = OnlineModels(FRAUD, NAMES)
        self.policy = Policy()
        self.model: Model | None = None
        self._champion = ""
        self.shadow: Shadow | None = None
        self._shadow = ""
        self.rules_version = ""
        self._name_rules()

    def apply(self, record: ControlRecord) -> None:
        """Take one control record in; a later record of the same key replaces the earlier.

        Raises InvalidError or SignatureError, and then nothing has changed: the state before goes on.
        """
        payload = control.payload(record)
        if record.kind == "rule":
            self._apply_rule(record.name, payload)
        elif record.kind == "blocklist":
            self._apply_blocklist(record.name, payload)
        elif record.kind == "policy":
            self.policy = payload if isinstance(payload, Policy) else Policy()
            self._name_rules()
        elif record.kind == "flag":
            self.flags[record.name] = isinstance(payload, Flag) and payload.enabled
        elif record.kind == "model":
            self._apply_model(record.name, payload)
        elif record.kind == "online_model":
            self.online.apply(record)

    def thresholds(self, segment: str) -> Thresholds:
        """The thresholds of that segment, everybody's when it has none of its own."""
        return self.policy.of(segment)

    def blocked_by(self, tx: Transaction) -> str | None:
        """Which of the payment's ids is on a blocklist, None when none is."""
        if not self._blocked:
            return None
        ids = {
            "user": tx.user_id,
            "merchant": tx.merchant_id,
            "device": tx.device_id,
            "card": tx.card_id,
            "ip": tx.ip,
            "country": tx.merchant_country,
        }
        return next((kind for kind, blocked in self._blocked.items() if ids[kind] in blocked), None)

    def hits(self, tx: Transaction, features: Values) -> list[tuple[Rule, RuleHit]]:
        """Every enabled rule that fires for this payment, in the order of their names."""
        found = []
        for name, (rule, check) in self._rules.items():
            if rule.segment and rule.segment != tx.segment:
                continue
            finding = check(tx, features)
            if finding is not None:
                found.append((rule, RuleHit(name, rule.action, float(finding[0]), finding[1])))
        return found

    def _apply_rule(self, name: str, payload: control.Payload | None) -> None:
        rules = dict(self._rules)
        rules.pop(name, None)
        if isinstance(payload, Rule) and payload.enabled:
            if payload.kind not in KINDS:
                raise InvalidError(f"control rule/{name}: no rule kind {payload.kind!r}; known: {', '.join(KINDS)}")
            rules[name] = (payload, KINDS[payload.kind](payload))
        self._rules = dict(sorted(rules.items()))
        self._name_rules()

    def _apply_blocklist(self, name: str, payload: control.Payload | None) -> None:
        self._blocklists.pop(name, None)
        if isinstance(payload, Blocklist):
            self._blocklists[name] = payload
        ids: dict[str, set[str]] = {}
        for blocklist in self._blocklists.values():
            ids.setdefault(blocklist.entity, set()).update(blocklist.ids)
        self._blocked = {entity: frozenset(names) for entity, names in sorted(ids.items())}
        self._name_rules()

    def _apply_model(self, name: str, payload: control.Payload | None) -> None:
        """The newest fraud model in Production answers until its own record is deleted, or leaves the stage or task.

        The newest in Shadow scores beside it until the same.
        """
        fraud = payload if isinstance(payload, ModelPointer) and payload.task == FRAUD else None
        stage = fraud.stage if fraud else ""
        # Loaded before anything changes: what can not be loaded is refused, and what was in force goes on.
        loaded = self._load_model(fraud) if fraud and stage in {CHAMPION, SHADOW} else None
        if loaded and stage == CHAMPION:
            self.model, self._champion = loaded, name
        elif name == self._champion:
            self.model, self._champion = None, ""
        if loaded and stage == SHADOW:
            self.shadow, self._shadow = Shadow(loaded), name
        elif name == self._shadow:
            self.shadow, self._shadow = None, ""

    def _name_rules(self) -> None:
        rules = {name: rule for name, (rule, _) in self._rules.items()}
        content = (rules, dict(sorted(self._blocklists.items())), self.policy)
        self.rules_version = sha256(msgspec.json.encode(content, order="deterministic")).hexdigest()[:12]
