"""A training by policy: what is known of the model and the log, the training, and the new version beside the champion.

The version is registered in Staging whatever comes of it. It is judged by the gate twice: against the champion on the
same days, which both are scored on here, and, before Production, by what both recorded of themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import msgspec

from infra import promotion, shadow_promotion
from infra.force import Force
from infra.promotion import Expected, Send
from infra.shadow_promotion import BY_POLICY
from jobs.train_fraud import quality
from jobs.train_fraud.backfill import backfill
from jobs.train_fraud.examples import Examples
from jobs.train_fraud.parameters import Parameters
from jobs.train_fraud.retraining import Facts, Request, Verdict, can_be_learned
from jobs.train_fraud.split import by_shares
from jobs.train_fraud.train import NAME, Trained, register, train
from schemas.control import Audit
from schemas.control_records import By, audit_record, of_type
from schemas.errors import GateError, InputError, PartFailedError, SluiceError
from schemas.events import ControlRecord, Event
from schemas.models import Metrics, Promotion, Stage
from schemas.settings import Retrain
from schemas.units import DAY_MS
from serving import gate, model
from serving.gate import Judgement
from serving.registry import PRODUCTION, SHADOW, Registry

ASKED, TRAINED = "respond_retrain", "retrain"


@dataclass(frozen=True)
class Retrained:
    """The new version, how it stands against the champion on the same days, and in which stage it is now."""

    version: str
    trained: Trained
    judgement: Judgement
    stage: Stage
    kept_back: str = ""

    @property
    def promoted(self) -> bool:
        """Whether it decides now."""
        return self.stage == PRODUCTION


def requests(records: Iterable[ControlRecord]) -> tuple[Request, ...]:
    """The trainings of the fraud model that alerts asked for."""
    return tuple(
        Request(record.event_time_ms, audit.detail.get("alert", "an alert"))
        for record, audit in of_type(records, Audit)
        if audit.action == ASKED and _is_ours(audit.detail)
    )


def _is_ours(detail: Mapping[str, str]) -> bool:
    about = detail.get("model", "")
    return about.partition("@")[0] in {"", NAME}


def facts(registry: Registry, records: Iterable[ControlRecord], now_ms: int) -> Facts:
    """What is known now without a look at the history."""
    registered_ms: dict[int, int] = {}
    for step in registry.stages(NAME).history:
        registered_ms.setdefault(int(step.version), step.at_ms)
    # A folder without a step is what a registration left that was killed before it was through.
    trained_ms = registered_ms[max(registered_ms)] if registered_ms else None
    return Facts(
        now_ms=now_ms,
        trained_ms=trained_ms,
        requests=requests(records),
        versions=tuple(registry.versions(NAME)),
    )


def run(
    registry: Registry,
    send: Send,
    events: Iterable[Event],
    policy: Retrain,
    known: Facts,
    verdict: Verdict,
    parameters: Parameters,
    *,
    data: str,
    author: str,
    clock: Callable[[], int],
    code_version: str,
    threads: int = 1,
    tell: Callable[[str], None] = lambda _line: None,
) -> Retrained:
    """Train on the newest days, register in Staging, compare, and promote where policy and gate allow it.

    Where the policy asks for a shadow first, it is made the shadow of the champion (`infra/shadow_promotion.py`).
    Raises InputError when the registry can not be written, the history has too little for a training, or another
    version came meanwhile, SignatureError when the ONNX copy gives other scores; then nothing has changed. Raises
    PartFailedError that names the version when it is registered and the rest failed.
    """
    registry.require_writable(NAME)
    label_ms = policy.label_days * DAY_MS
    examples = backfill(
        # Nothing says what the features of another set would be today.
        filter(can_be_learned, events),
        since_ms=verdict.from_ms,
        # Of younger payments most frauds are not known yet, and would be judged on as good ones.
        until_ms=known.now_ms - label_ms,
        fewer=f"set retrain.window_days below {policy.window_days}",
        progress=lambda count, _time_ms: tell(f"reading history: {count:,} events"),
    )
    if len(examples) == 0:
        raise InputError("the history has no payments in the window; set retrain.window_days, or see who decides")
    first_ms, last_ms = int(examples.times_ms.min()), int(examples.times_ms.max())
    split = by_shares(
        first_ms,
        last_ms,
        label_ms,
        "wait, or set retrain.window_days higher or retrain.label_days lower",
        policy.backtest_days * DAY_MS,
    )
    trained = train(examples, split, parameters, threads=threads, tell=tell)
    champion = registry.champion(NAME)
    judgement = _judge(registry, champion, trained, examples)
    newer = sorted(set(registry.versions(NAME)) - set(known.versions), key=int)
    if newer:
        raise InputError(
            f"{NAME}@{newer[-1]} was registered meanwhile; nothing is registered: sluice retrain asks anew"
        )
    version = register(
        registry,
        trained,
        split,
        parameters,
        name=NAME,
        data=f"{data}; {'; '.join(verdict.triggers)}",
        code_version=code_version,
        author=author,
        # What is asked for during a training is not answered by it.
        at_ms=known.now_ms,
    )
    kept_back = _kept_back(policy, trained.metrics, judgement)
    stage: Stage = SHADOW if champion is not None and policy.least_shadow_hours > 0 else PRODUCTION
    if stage == SHADOW and not kept_back:
        kept_back = shadow_promotion.taken(registry)
    try:
        if not kept_back:
            wanted = Promotion(version, stage, clock(), author, f"{BY_POLICY}: {judgement.reason}")
            try:
                promotion.promote(registry, send, NAME, wanted, Force(), Expected(champion))
            except GateError as error:
                kept_back = str(error)
        done = Retrained(version, trained, judgement, "Staging" if kept_back else stage, kept_back)
        send([_audit(done, verdict, author, clock())])
    except SluiceError as error:
        reached = registry.stages(NAME).stages.get(version)
        raise PartFailedError(
            f"{NAME}@{version} is registered and in {reached}, the rest failed: {error}; then, if it is to decide: "
            f"sluice models promote {NAME} {version}"
        ) from error
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
        "promoted": "yes" if done.promoted else f"no: {done.kept_back or 'it is the shadow first'}",
    }
    return audit_record(TRAINED, NAME, detail, By(author, now_ms))
