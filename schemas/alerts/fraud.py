"""Alerts on decisions: latency, missing features, the mix of decisions, catch rate (FRD-21)."""

from __future__ import annotations

from schemas.alerts.definition import Case, Definition, Expected, Reports, Rule
from schemas.alerts.expression import of_job, p99, rate
from schemas.alerts.jobs import ON_SCORE
from schemas.measures import CATCH_LOW, CATCH_RATE, FALSE_HIGH, FALSE_POSITIVES
from schemas.metrics import ARRIVAL_LATENCY, BOUND_LABEL, DECISIONS, FEATURES_NULL, FEATURES_READ, MODEL_VERSION


def _buckets(**counts: str) -> dict[str, str]:
    """Series of the latency's buckets: `at_100` is the bucket up to 100 ms, `at_inf` the one for all."""
    bounds = {name: "+Inf" if name == "at_inf" else name.removeprefix("at_") for name in counts}
    return {of_job(ARRIVAL_LATENCY.exported, **{BOUND_LABEL: bounds[name]}): values for name, values in counts.items()}


def _decisions(**counts: str) -> dict[str, str]:
    return {of_job(DECISIONS.exported, kind=kind): values for kind, values in counts.items()}


# 290 steps at 10 ms, then 40 at 200 ms: p99 goes from 10 to 199 ms.
FAST_THEN_SLOW = _buckets(at_10="0+1000x290 290000x40", at_100="0+1000x290 290000x40", at_250="0+1000x330") | _buckets(
    at_inf="0+1000x330"
)
NOW, USUAL = p99(ARRIVAL_LATENCY, "5m"), p99(ARRIVAL_LATENCY, "1d", "1h")
BEFORE_DEPLOY = p99(ARRIVAL_LATENCY, "1h", "30m")

FRAUD = (
    Definition(
        name="DecisionLatencyHigh",
        ids=("ALR-3", "ALR-11", "ALR-22"),
        severity="critical",
        owner="fraud",
        limit=150,
        unit="ms",
        summary="p99 from arrival to answer of {job_name} is {value:.0f} ms",
        action="sluice status: lag and checkpoints; then batch_size and cache_misses on Prometheus",
        runbook="latency",
        signal=Rule(
            expr=f"{p99(ARRIVAL_LATENCY, '1m')} > LIMIT",
            hold="2m",
            cases=(
                Case(
                    "p99 above 150 ms",
                    _buckets(at_100="0+980x20", at_150="0+980x20", at_250="0+1000x20", at_inf="0+1000x20"),
                    at="4m",
                    fires=(Expected(ON_SCORE, 200),),
                ),
                Case(
                    "p99 below 150 ms",
                    _buckets(at_100="0+980x20", at_150="0+1000x20", at_inf="0+1000x20"),
                    at="4m",
                ),
            ),
        ),
    ),
    Definition(
        name="PipelineSlow",
        ids=("ALR-18",),
        severity="warning",
        owner="platform",
        limit=2,
        unit="times the day before",
        summary="p99 of {job_name} is {value:.0f} ms, more than twice that of the last day",
        action="sluice status: lag, checkpoints, memory; what changed since yesterday?",
        runbook="latency",
        signal=Rule(
            # The last hour is left out of the baseline; below 50 ms nobody minds.
            expr=f"{NOW} > LIMIT * {USUAL} and {NOW} > 50",
            hold="5m",
            cases=(
                Case("ten times as slow", FAST_THEN_SLOW, at="82m", fires=(Expected(ON_SCORE, 248.5),)),
                Case("as slow as ever", _buckets(at_100="0x330", at_250="0+1000x330", at_inf="0+1000x330"), at="82m"),
            ),
        ),
    ),
    Definition(
        name="DeploySlow",
        ids=("ALR-21",),
        severity="critical",
        owner="fraud",
        limit=2,
        unit="times before the change",
        summary="p99 of {job_name} is {value:.0f} ms since its model changed, more than twice as long as before",
        action="sluice models rollback",
        runbook="rollback",
        response="rollback",
        signal=Rule(
            expr=f"""{NOW} > LIMIT * {BEFORE_DEPLOY} and {NOW} > 50
                and max by (job_name) (changes({MODEL_VERSION.exported}[30m])) > 0""",
            hold="2m",
            cases=(
                Case(
                    "slow since a new model",
                    FAST_THEN_SLOW | {of_job(MODEL_VERSION.exported): "1x290 2x40"},
                    at="80m",
                    fires=(Expected(ON_SCORE, 248.5),),
                ),
                Case(
                    "slow, with the model of before",
                    FAST_THEN_SLOW | {of_job(MODEL_VERSION.exported): "1x330"},
                    at="80m",
                ),
            ),
        ),
    ),
    Definition(
        name="FeatureNullsHigh",
        ids=("ALR-4", "FRD-21"),
        severity="warning",
        owner="data",
        limit=0.05,
        unit="share of values above that of the last day",
        summary="the share of missing feature values of {job_name} is 5 points above that of the last day",
        action="compare a few late transactions with those of yesterday: which field is empty?",
        runbook="nulls",
        explained=True,
        signal=Rule(
            # Against the day before, for some never name a device.
            expr=f"""{rate(FEATURES_NULL, "5m")} / {rate(FEATURES_READ, "5m")}
                - {rate(FEATURES_NULL, "1d")} / {rate(FEATURES_READ, "1d")} > LIMIT""",
            hold="5m",
            cases=(
                Case(
                    "a field went missing",
                    {
                        of_job(FEATURES_NULL.exported): "0+100x240 24000+400x60",
                        of_job(FEATURES_READ.exported): "0+1000x300",
                    },
                    at="70m",
                    fires=(Expected(ON_SCORE, 0.258571),),
                ),
                Case(
                    "as many missing as ever",
                    {of_job(FEATURES_NULL.exported): "0+400x300", of_job(FEATURES_READ.exported): "0+1000x300"},
                    at="70m",
                ),
            ),
        ),
    ),
    Definition(
        name="BlockRateHigh",
        ids=("FRD-21", "ALR-2"),
        severity="critical",
        owner="fraud",
        limit=0.05,
        unit="share of payments",
        summary="more than 5 % of the payments of {job_name} are blocked or challenged",
        action="which rule or model version came last? roll it back: sluice models rollback",
        runbook="block-rate",
        explained=True,
        response="raise-thresholds",
        signal=Rule(
            # False positives hide here until labels arrive.
            expr=f"""{rate(DECISIONS, "10m", 'kind=~"BLOCK|CHALLENGE"')} / {rate(DECISIONS, "10m")} > LIMIT""",
            hold="4m",
            cases=(
                Case(
                    "one in ten",
                    _decisions(APPROVE="0+900x80", BLOCK="0+50x80", CHALLENGE="0+50x80"),
                    at="18m",
                    fires=(Expected(ON_SCORE, 0.1),),
                ),
                Case("four in a hundred", _decisions(APPROVE="0+960x80", BLOCK="0+40x80"), at="18m"),
            ),
        ),
    ),
    Definition(
        name="ReviewRateHigh",
        ids=("FRD-21",),
        severity="warning",
        owner="fraud",
        limit=0.02,
        unit="share of payments",
        summary="more than 2 % of the payments of {job_name} wait for review",
        action="raise the review threshold, or find the segment that changed",
        runbook="block-rate",
        explained=True,
        signal=Rule(
            # Reviewers can take 1 %.
            expr=f"""{rate(DECISIONS, "1h", 'kind="REVIEW"')} / {rate(DECISIONS, "1h")} > LIMIT""",
            hold="15m",
            cases=(
                Case(
                    "three in a hundred",
                    _decisions(APPROVE="0+970x400", REVIEW="0+30x400"),
                    at="90m",
                    fires=(Expected(ON_SCORE, 0.03),),
                ),
                Case("one in a hundred", _decisions(APPROVE="0+990x400", REVIEW="0+10x400"), at="90m"),
            ),
        ),
    ),
    Definition(
        name="CatchRateLow",
        ids=("ALR-1", "FRD-21"),
        severity="critical",
        owner="fraud",
        limit=CATCH_LOW,
        unit="share of frauds",
        summary="{model}, with rules and thresholds, catches {value:.2f} of the frauds, below 0.75",
        action="sluice models rollback, or train on the newest labels: sluice train fraud",
        runbook="performance",
        explained=True,
        response="retrain",
        signal=Reports("performance", measures=(CATCH_RATE,), below=CATCH_LOW),
    ),
    Definition(
        name="FalsePositivesHigh",
        ids=("ALR-2", "FRD-21"),
        severity="critical",
        owner="fraud",
        limit=FALSE_HIGH,
        unit="share of good payments",
        summary="{model}, with rules and thresholds, stops {value:.4f} of the good payments, more than 0.015",
        action="raise the block threshold: sluice control thresholds --block; then find the segment that changed",
        runbook="performance",
        explained=True,
        response="raise-thresholds",
        signal=Reports("performance", measures=(FALSE_POSITIVES,), above=FALSE_HIGH),
    ),
)
