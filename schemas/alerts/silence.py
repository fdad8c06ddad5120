"""Alerts on what has stopped: traffic, labels, learners, what is stored, reports, and alerts themselves."""

from __future__ import annotations

from schemas.alerts.definition import Case, Definition, Expected, Rule, Told
from schemas.alerts.expression import increase, of, of_job
from schemas.alerts.jobs import ON_SCORE, RUNNING
from schemas.alerts.processes import LEARNER_EVENTS
from schemas.metrics import EVENTS, LABELS
from schemas.units import MINUTE_MS

ONLINE_AGE_MS = "sluice_api_online_event_age_ms"
# Counted by the alert router: seconds since the newest record that it read from a topic.
TOPIC_AGE_SECONDS = "sluice_alerts_topic_age_seconds"
EVENTS_OF = of_job(EVENTS.exported)
# Always fires, and is told to nobody.
WATCHDOG = "Watchdog"


def _of_learner(learner: str, what: str) -> str:
    return of(LEARNER_EVENTS, learner=learner, what=what)


SILENCE = (
    Definition(
        name=WATCHDOG,
        ids=("ALR-29",),
        severity="info",
        owner="platform",
        limit=0,
        unit="",
        summary="the way from Prometheus to the alert router works: this alert always fires and is told to nobody",
        action="none; its absence is AlertingSilent",
        runbook="alerting-silent",
        signal=Rule(
            expr="vector(1) > LIMIT", hold="0s", cases=(Case("always", {}, at="1m", fires=(Expected({}, 1),)),)
        ),
    ),
    Definition(
        name="AlertingSilent",
        ids=("ALR-29",),
        severity="critical",
        owner="platform",
        limit=120,
        unit="seconds",
        summary="nothing was heard of Prometheus for {value:.0f} s: alerts by rule may be missing",
        action="sluice doctor: do Prometheus and Alertmanager run?",
        runbook="alerting-silent",
        signal=Told("the alert router"),
    ),
    Definition(
        name="EventsStopped",
        ids=("ALR-13", "ALR-17", "ALR-20"),
        severity="critical",
        owner="data",
        limit=0,
        unit="events in 10 min",
        summary="job {job_name} runs and reads nothing, though it did within the last days",
        action="do producers still write? sluice status; then ask their owners",
        runbook="traffic",
        signal=Rule(
            expr=f"""{increase(EVENTS, "10m")} == LIMIT and {increase(EVENTS, "7d", offset="10m")} > 0
                and max by (job_name) (min_over_time({RUNNING}[5m])) == 1""",
            hold="1m",
            cases=(
                Case(
                    "events, then none",
                    {EVENTS_OF: "0+15x80 1200x60", of_job(RUNNING): "1x140"},
                    at="34m",
                    fires=(Expected(ON_SCORE, 0),),
                ),
                Case(
                    "none for hours",
                    {EVENTS_OF: "0+15x80 1200x960", of_job(RUNNING): "1x1040"},
                    at="240m",
                    fires=(Expected(ON_SCORE, 0),),
                ),
                Case("few events", {EVENTS_OF: "0+15x80 1200+1x60", of_job(RUNNING): "1x140"}, at="34m"),
                Case("never any", {EVENTS_OF: "0x140", of_job(RUNNING): "1x140"}, at="34m"),
            ),
        ),
    ),
    Definition(
        name="LabelsStopped",
        ids=("ALR-10", "ALR-20", "MON-4"),
        severity="high",
        owner="data",
        limit=0,
        unit="labels in a day",
        summary="job {job_name} saw no label for a day",
        action="does the source of chargebacks still write to labels? learners and performance stand still without",
        runbook="labels-stopped",
        signal=Rule(
            expr=f"{increase(LABELS, '1d')} == LIMIT and {increase(LABELS, '6d', offset='1d')} > 0",
            hold="1h",
            cases=(
                Case(
                    "labels, then none for more than a day",
                    {of_job(LABELS.exported): "0+1x144 144x200"},
                    at="3000m",
                    fires=(Expected(ON_SCORE, 0),),
                    step="10m",
                ),
                Case("labels each hour", {of_job(LABELS.exported): "0+0.2x350"}, at="3000m", step="10m"),
                Case("never any", {of_job(LABELS.exported): "0x350"}, at="3000m", step="10m"),
            ),
        ),
    ),
    Definition(
        name="LearnerStopped",
        ids=("ALR-10", "ALR-20", "MON-4"),
        severity="high",
        owner="fraud",
        limit=3600,
        unit="seconds",
        summary="labelled examples come, and no learner wrote a snapshot for {value:.0f} s",
        action="sluice status: does the job that learns run? then its log",
        runbook="learner",
        signal=Rule(
            expr=f"""max({TOPIC_AGE_SECONDS}{{topic="snapshots"}}) > LIMIT
                and on () max({TOPIC_AGE_SECONDS}{{topic="labelled-examples"}}) < 600""",
            hold="5m",
            cases=(
                Case(
                    "examples without snapshots",
                    {
                        of(TOPIC_AGE_SECONDS, topic="snapshots"): "4000x60",
                        of(TOPIC_AGE_SECONDS, topic="labelled-examples"): "20x60",
                    },
                    at="12m",
                    fires=(Expected({}, 4000),),
                ),
                Case(
                    "nothing to learn from",
                    {
                        of(TOPIC_AGE_SECONDS, topic="snapshots"): "4000x60",
                        of(TOPIC_AGE_SECONDS, topic="labelled-examples"): "900x60",
                    },
                    at="12m",
                ),
                Case(
                    "a snapshot half an hour ago",
                    {
                        of(TOPIC_AGE_SECONDS, topic="snapshots"): "1800x60",
                        of(TOPIC_AGE_SECONDS, topic="labelled-examples"): "20x60",
                    },
                    at="12m",
                ),
            ),
        ),
    ),
    Definition(
        name="LearnerStandsStill",
        ids=("MON-4",),
        severity="high",
        owner="fraud",
        limit=4000,
        unit="examples in two hours",
        summary="{value:.0f} examples came to {learner} in two hours, and no snapshot of it left",
        action="sluice learners show NAME; then the log of the process that learns: what does it refuse?",
        runbook="learner",
        signal=Rule(
            # So many are four times what a snapshot leaves after; two refusals by the holdout slice are among them.
            expr=f"""sum by (learner) (increase({LEARNER_EVENTS}{{what="examples"}}[2h])) > LIMIT
                unless sum by (learner) (increase({LEARNER_EVENTS}{{what="snapshots"}}[2h])) > 0""",
            hold="5m",
            cases=(
                Case(
                    "one of two that learn from the same",
                    {
                        _of_learner("fraud-tree", "examples"): "0+10x560",
                        _of_learner("fraud-tree", "snapshots"): "0x560",
                        _of_learner("fraud-forest", "examples"): "0+10x560",
                        _of_learner("fraud-forest", "snapshots"): "0x280 1x280",
                    },
                    at="135m",
                    fires=(Expected({"learner": "fraud-tree"}, 4800),),
                ),
                Case(
                    "few examples",
                    {
                        _of_learner("fraud-tree", "examples"): "0+5x560",
                        _of_learner("fraud-tree", "snapshots"): "0x560",
                    },
                    at="135m",
                ),
            ),
        ),
    ),
    Definition(
        name="FeaturesStale",
        ids=("ALR-20", "ALR-27", "FST-8"),
        severity="high",
        owner="platform",
        limit=5 * MINUTE_MS,
        unit="ms",
        summary="the newest features in the online store are {value:.0f} ms old, and payments flow",
        action="sluice status: does materialize run, and does it lag?",
        runbook="stale",
        signal=Rule(
            expr=f"min({ONLINE_AGE_MS}) > LIMIT and on () sum(rate({EVENTS.exported}[5m])) > 0",
            hold="1m",
            cases=(
                Case(
                    "old features while payments flow",
                    {of(ONLINE_AGE_MS, instance="a"): "400000x40", EVENTS_OF: "0+100x40"},
                    at="8m",
                    fires=(Expected({}, 400_000),),
                ),
                Case(
                    "old features while nothing flows",
                    {of(ONLINE_AGE_MS, instance="a"): "400000x40", EVENTS_OF: "100x40"},
                    at="8m",
                ),
                Case(
                    "fresh features",
                    {of(ONLINE_AGE_MS, instance="a"): "250000x40", EVENTS_OF: "0+100x40"},
                    at="8m",
                ),
            ),
        ),
    ),
    Definition(
        name="DriftReportsStopped",
        ids=("ALR-20", "MON-3"),
        severity="warning",
        owner="data",
        limit=7200,
        unit="seconds",
        summary="no drift report came for {value:.0f} s, and payments flow: drift would not be seen",
        action="sluice status: does the job that watches drift run?",
        runbook="stale",
        signal=Rule(
            expr=f"""max({TOPIC_AGE_SECONDS}{{topic="drift-reports"}}) > LIMIT
                and on () sum(rate({EVENTS.exported}[5m])) > 0""",
            hold="5m",
            cases=(
                Case(
                    "reports are missing",
                    {of(TOPIC_AGE_SECONDS, topic="drift-reports"): "8000x60", EVENTS_OF: "0+100x60"},
                    at="12m",
                    fires=(Expected({}, 8000),),
                ),
                Case(
                    "an hour since the last",
                    {of(TOPIC_AGE_SECONDS, topic="drift-reports"): "3600x60", EVENTS_OF: "0+100x60"},
                    at="12m",
                ),
            ),
        ),
    ),
)
