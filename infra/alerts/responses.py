"""What is done by itself when an alert fires (ALR-30), each behind a flag on `control`. Pure: records in, records out.

`respond-retrain` and `respond-rollback` ask: an audit record is the request, and a person or a trainer takes it up.
`respond-raise-thresholds` and `respond-shadow` change what is in force. Every response is an audit record too, and no
response to the same thing is repeated within PAUSE_MS. Learners that were made shadows come back by
`sluice learners rollback`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from infra.learner_changes import set_aside
from schemas.alerts.catalogue import DEFINITIONS
from schemas.alerts.definition import ResponseName
from schemas.control import Audit, OnlineModel, Policy, Thresholds
from schemas.control_records import By, control_record
from schemas.events import ControlRecord
from schemas.units import DAY_MS

PAUSE_MS = DAY_MS
# Raised by this much a time, and never beyond: somebody must still be stopped.
STEP, HIGHEST = 0.05, 0.97
AUTHOR = "alert-router"
# What tries the way to people carries this label, and changes nothing.
TRIAL = "trial"


def flag(response: ResponseName) -> str:
    """The flag that switches a response on."""
    return f"respond-{response}"


def respond(
    name: str,
    labels: dict[str, str],
    summary: str,
    *,
    flags: dict[str, bool],
    policy: Policy,
    online: Mapping[str, OnlineModel],
    responded_ms: dict[str, int],
    now_ms: int,
) -> list[ControlRecord]:
    """The control records that answer an alert that fires; none where it is a trial, its definition has no response,
    its flag is off, it was made within PAUSE_MS, or there is nothing to change. `online` are the online models in
    force. `responded_ms` is when each response was last made, and is brought up to date.
    """
    definition = DEFINITIONS.get(name)
    response = definition.response if definition else None
    if TRIAL in labels or response is None or not flags.get(flag(response), False):
        return []
    about = labels.get("model") or labels.get("learner") or labels.get("job_name", "")
    last = responded_ms.get(f"{response}/{about}")
    if last is not None and now_ms - last < PAUSE_MS:
        return []
    for old in [key for key, made_ms in responded_ms.items() if now_ms - made_ms >= PAUSE_MS]:
        del responded_ms[old]
    by = By(AUTHOR, now_ms, f"in response to the alert {name}")
    aside: list[ControlRecord] = []
    if response == "shadow":
        aside = set_aside(online, _learner(labels), by)
        if not aside:
            return []
    changes, detail = _changes(response, policy, by)
    responded_ms[f"{response}/{about}"] = now_ms
    known = {"alert": name, "about": about, "summary": summary, **labels, **detail}
    suffix = hashlib.sha256(f"{response}/{about}".encode()).hexdigest()[:8]
    audit = Audit(f"respond_{response.replace('-', '_')}", known)
    request = control_record("audit", f"respond-{response}-{now_ms}-{suffix}", audit, by)
    return [request, *changes, *aside]


def _changes(response: ResponseName, policy: Policy, by: By) -> tuple[list[ControlRecord], dict[str, str]]:
    """What a response puts in force, and its words for the audit record; a request puts nothing in force."""
    if response == "raise-thresholds":
        raised = Policy(_raised(policy.thresholds), {name: _raised(t) for name, t in policy.segments.items()})
        detail = {"block": f"{raised.thresholds.block:g}", "before": _said(policy)}
        return [control_record("policy", "default", raised, by)], detail
    return [], {}


def _learner(labels: dict[str, str]) -> str | None:
    """The learner that an alert is about: a label of its own, or the model of a drift report; None for all of them."""
    return labels.get("learner") or labels.get("model")


def _raised(thresholds: Thresholds) -> Thresholds:
    """Each threshold a step higher; one that is beyond the highest stays."""
    up = (max(t, min(HIGHEST, round(t + STEP, 6))) for t in (thresholds.review, thresholds.challenge, thresholds.block))
    return Thresholds(*up)


def _said(policy: Policy) -> str:
    return msgspec.json.encode(policy).decode()
