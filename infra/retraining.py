"""A training by policy: what is known of the model and the log, the training, and the new version beside the champion.

The version is registered in Staging whatever comes of it. It is judged by the gate twice: against the champion on the
same days, which both are scored on here, and, before Production, by what both recorded of themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from infra import promotion
from infra.promotion import Force, Send
from jobs.train_fraud import quality
from jobs.train_fraud.backfill import backfill
from jobs.train_fraud.examples import Examples
from jobs.train_fraud.parameters import Parameters
from jobs.train_fraud.retraining import Facts, Request, Verdict
from jobs.train_fraud.split import by_shares
from jobs.train_fraud.train import NAME, Trained, register, train
from schemas import control
from schemas.control import Audit
from schemas.errors import GateError, InputError, SluiceError
from schemas.events import ControlRecord, Decision, Event, Transaction
from schemas.models import Metrics, Promotion
from schemas.settings import Retrain
from serving import gate, model
from serving.gate import Judgement
from serving.registry import PRODUCTION, Registry
from serving.windows import DAY_MS

ASKED, TRAINED = "respond_retrain", "retrain"


@dataclass(frozen=True)
class Retrained:
    """The new version, how it stands against the champion on the same days, and whether it decides now."""

    version: str
    trained: Trained
    judgement: Judgement
    promoted: bool
    kept_back: str = ""


def requests(records: Iterable[ControlRecord]) -> tuple[Request, ...]:
    """The trainings of the fraud model that alerts asked for."""
    found = []
    for record in records:
        payload = control.payload(record) if record.kind == "audit" else None
        if not isinstance(payload, Audit) or payload.action != ASKED:
            continue
        if _is_ours(payload.detail):
            found.append(Request(record.event_time_ms, payload.detail.get("alert", "an alert")))
    return tuple(found)


def _is_ours(detail: Mapping[str, str]) -> bool:
    about = detail.get("model", "")
    return about.partition("@")[0] in {"", NAME}


def facts(
    registry: Registry,
    records: Iterable[ControlRecord],
    events: Callable[[], Iterable[Event]],
    policy: Retrain,
    now_ms: int,
) -> Facts:
    """What is known now; `events` gives the history from its beginning."""
    versions = registry.versions(NAME)
    trained_ms, label_ms = None, policy.label_days * DAY_MS
    if versions:
        trained_ms = min(step.at_ms for step in registry.stages(NAME).history if step.version == versions[-1])
    since_ms = 0 if trained_ms is None else trained_ms - label_ms
    count = sum(since_ms <= time_ms < now_ms - label_ms for time_ms in _payments(events()))
    return Facts(now_ms=now_ms, trained_ms=trained_ms, new_samples=count, requests=requests(records))


def _payments(events: Iterable[Event]) -> Iterator[int]:
    for event in events:
        if isinstance(event, Transaction) or (isinstance(event, Decision) and not event.repeat):
            yield event.event_time_ms


def run(
    registry: Registry,
    send: Send,
    events: Iterable[Event],
    policy: Retrain,
    verdict: Verdict,
    parameters: Parameters,
    *,
    data: str,
    author: str,
    now_ms: int,
    code_version: str,
    threads: int = 1,
    tell: Callable[[str], None] = lambda _line: None,
) -> Retrained:
    """Train on the newest days, register in Staging, compare, and promote where policy and gate allow it.

    Raises InputError when the history has too little for a training; then nothing has changed.
    """
    label_ms = policy.label_days * DAY_MS
    examples = backfill(
        events,
        since_ms=verdict.from_ms,
        # Of younger payments most frauds are not known yet, and would be judged on as good ones.
        until_ms=now_ms - label_ms,
        progress=lambda count, _time_ms: tell(f"reading history: {count:,} events"),
    )
    if len(examples) == 0:
        raise InputError("the history has no payments in the window; set retrain.window_days, or see who decides")
    first_ms, last_ms = int(examples.times_ms.min()), int(examples.times_ms.max())
    split = by_shares(first_ms, last_ms, label_ms)
    trained = train(examples, split, parameters, threads=threads, tell=tell)
    champion = registry.champion(NAME)
    judgement = _judge(registry, champion, trained, examples)
    version = register(
        registry,
        trained,
        split,
        parameters,
        name=NAME,
        data=f"{data}; {'; '.join(verdict.triggers)}",
        code_version=code_version,
        author=author,
        at_ms=now_ms,
    )
    kept_back = _kept_back(policy, trained.metrics, judgement)
    if not kept_back:
        wanted = Promotion(version, PRODUCTION, now_ms, author, f"by policy: {judgement.reason}")
        try:
            promotion.promote(registry, send, NAME, wanted, Force())
        except GateError as error:
            kept_back = str(error)
    done = Retrained(version, trained, judgement, not kept_back, kept_back)
    send([_audit(done, verdict, author, now_ms)])
    return done


def _kept_back(policy: Retrain, metrics: Metrics, judgement: Judgement) -> str:
    """Why the version is not promoted by itself; empty when it may be (ROL-5, ROL-6)."""
    if policy.promotion != "automatic":
        return f"promotion is {policy.promotion} in the settings"
    if metrics.roc_auc < policy.least_roc_auc:
        return f"AUC ROC {metrics.roc_auc:.4f} is below {policy.least_roc_auc:g}"
    return "" if judgement.answer == "pass" else f"the gate says {judgement.answer}: {judgement.reason}"


def _judge(registry: Registry, champion: str | None, trained: Trained, examples: Examples) -> Judgement:
    """The gate's answer over the same validation days; a champion that can not score them leaves it to a person."""
    if champion is None:
        return gate.judge(trained.metrics, None)
    part = trained.parts.validate
    try:
        present = model.load(registry.pointer(NAME, champion, PRODUCTION), registry.root)
        scores = present.score(examples.vectors[part.rows].astype(float))
    except SluiceError as error:
        return Judgement("ask", {}, f"{NAME}@{champion} can not score these days: {error}")
    measured = msgspec.structs.replace(
        trained.metrics,
        roc_auc=quality.roc_auc(part.frauds, scores),
        average_precision=quality.average_precision(part.frauds, scores),
        recall_at_1pct_fpr=quality.recall_at_fpr(part.frauds, scores),
    )
    return gate.judge(trained.metrics, measured)


def _audit(done: Retrained, verdict: Verdict, author: str, now_ms: int) -> ControlRecord:
    detail = {
        "model": NAME,
        "version": done.version,
        "triggers": "; ".join(verdict.triggers),
        "answer": done.judgement.answer,
        "reason": done.judgement.reason,
        "promoted": "yes" if done.promoted else f"no: {done.kept_back}",
    }
    return ControlRecord(
        event_id=f"retrain-{NAME}-{now_ms}",
        event_time_ms=now_ms,
        kind="audit",
        name=f"{TRAINED}-{NAME}-{now_ms}",
        payload=msgspec.Raw(msgspec.json.encode(Audit(TRAINED, detail))),
        author=author,
    )
