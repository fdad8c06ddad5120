"""Alerts on the processes beside the jobs, seen from outside: the API, learners, the alert router (STR-17)."""

from __future__ import annotations

from schemas.alerts.definition import Case, Definition, Expected, Rule
from schemas.alerts.expression import of
from schemas.alerts.jobs import JOB_STOPPED

# What Prometheus calls them; each need not run, but one that ran should go on.
PROCESSES = 'job=~"api|learn|alerts"'
# Set by the processes at each turn of what they are for, in seconds since the epoch.
LEARNER_EVENTS = "sluice_learner_events_total"
ROUTER_BEAT, LEARNER_BEAT = "sluice_alerts_beat_seconds", "sluice_learner_beat_seconds"


def _up(job: str, port: int = 1) -> str:
    return of("up", job=job, instance=f"127.0.0.1:{port}")


def _beat(beat: str, job: str, port: int = 1) -> str:
    return of(beat, job=job, instance=f"127.0.0.1:{port}")


def _limited() -> str:
    return of(LEARNER_EVENTS, learner="fraud-tree", what="limited")


PROCESS_ALERTS = (
    Definition(
        name="ProcessDown",
        ids=("STR-17", "ALR-27"),
        severity="critical",
        owner="platform",
        limit=1,
        unit="up",
        summary="the process {job} at {instance} does not answer, and is the router or was not stopped by hand",
        action="start it again: sluice api, sluice learn or sluice alerts route; its last words say why it ended",
        runbook="process-down",
        signal=Rule(
            # As of jobs: one that was stopped by hand was not seen after that. The time of a selector alone is that of
            # its sample, of anything else that of the question. One that no minute saw up was seen at 0.
            # Each for itself: of two learning processes one that lives would hide the other. What is stopped by hand is
            # told by job alone, so that it ends the alert on those that went before it.
            expr=f"""max by (job, instance) (max_over_time(up{{{PROCESSES}}}[7d])) == LIMIT
                and max by (job, instance) (up{{{PROCESSES}}}) < LIMIT
                unless (max by (job, instance) (max_over_time((timestamp(up{{{PROCESSES}}})
                    * up{{{PROCESSES}}})[7d:1m])) < on (job) group_left ()
                    max by (job) (label_replace(last_over_time({JOB_STOPPED}[7d]),
                    "job", "$1", "job_name", "(.+)")))""",
            hold="30s",
            cases=(
                Case(
                    "a process that died, one that runs, one that never ran",
                    {_up("api"): "1x8 0x40", _up("learn"): "1x48", _up("alerts"): "0x48"},
                    at="9m",
                    fires=(Expected({"job": "api", "instance": "127.0.0.1:1"}, 1),),
                ),
                Case(
                    "one of two of a kind",
                    {_up("learn"): "1x8 0x40", _up("learn", 2): "1x48"},
                    at="9m",
                    fires=(Expected({"job": "learn", "instance": "127.0.0.1:1"}, 1),),
                ),
                Case("a port that nobody asks any more", {_up("api"): "1x8 stale", _up("api", 2): "1x48"}, at="9m"),
                Case("less than its time", {_up("api"): "1x8 0x1"}, at="2m15s"),
                Case(
                    "a process that was stopped",
                    {_up("api"): "1x8 0x40", of(JOB_STOPPED, job="alerts", job_name="api"): "_x9 130x40"},
                    at="9m",
                ),
                Case(
                    "a process that was stopped, and the router after it",
                    {_up("api"): "1x8 0x80", of(JOB_STOPPED, job="alerts", job_name="api"): "_x9 130x10 _x60"},
                    at="18m",
                ),
                Case(
                    "a process that was stopped after minutes of its first run",
                    {_up("api"): "0x4 1x8 0x40", of(JOB_STOPPED, job="alerts", job_name="api"): "_x14 200x40"},
                    at="9m",
                ),
                Case(
                    "a process that was stopped right before Prometheus missed it",
                    {_up("api"): "1x18 _x2 0x40", of(JOB_STOPPED, job="alerts", job_name="api"): "_x19 280x40"},
                    at="9m",
                ),
                Case(
                    "a process that died after it was started again",
                    {
                        _up("api"): "1x4 0x4 1x40 0x80",
                        of(JOB_STOPPED, job="alerts", job_name="api"): "_x5 70x130",
                    },
                    at="24m",
                    fires=(Expected({"job": "api", "instance": "127.0.0.1:1"}, 1),),
                ),
                Case(
                    "another one was stopped",
                    {_up("learn"): "1x8 0x40", of(JOB_STOPPED, job="alerts", job_name="api"): "_x9 130x40"},
                    at="9m",
                    fires=(Expected({"job": "learn", "instance": "127.0.0.1:1"}, 1),),
                ),
            ),
        ),
    ),
    Definition(
        name="ProcessStuck",
        ids=("STR-17", "ALR-27"),
        severity="critical",
        owner="platform",
        limit=120,
        unit="seconds",
        summary="the process {job} at {instance} answers, and has done nothing for {value:.0f} s",
        action="end it and start it again: sluice learn, sluice alerts route; both go on where they stood",
        runbook="process-down",
        signal=Rule(
            expr=f"time() - max by (job, instance) ({LEARNER_BEAT} or {ROUTER_BEAT}) > LIMIT",
            hold="30s",
            cases=(
                Case(
                    "a learner that stands, a router that goes on",
                    {_beat(LEARNER_BEAT, "learn"): "0+15x8 120x40", _beat(ROUTER_BEAT, "alerts"): "0+15x48"},
                    at="9m",
                    fires=(Expected({"job": "learn", "instance": "127.0.0.1:1"}, 420),),
                ),
                Case(
                    "one of two learners that stands",
                    {_beat(LEARNER_BEAT, "learn"): "0+15x8 120x40", _beat(LEARNER_BEAT, "learn", 2): "0+15x48"},
                    at="9m",
                    fires=(Expected({"job": "learn", "instance": "127.0.0.1:1"}, 420),),
                ),
                Case("a slow turn", {_beat(LEARNER_BEAT, "learn"): "0+15x8 120x40"}, at="3m30s"),
                Case("a process that ended", {_beat(LEARNER_BEAT, "learn"): "0+15x8 stale"}, at="9m"),
            ),
        ),
    ),
    Definition(
        name="LabelsLimited",
        ids=("ONL-8",),
        severity="warning",
        owner="data",
        limit=100,
        unit="examples in an hour",
        summary="{value:.0f} examples were not learned by {learner} in an hour: more than a source or a user may bring",
        action="which source or user brings so many labels? stop it, or raise learn.source_per_hour or user_per_hour",
        runbook="labels-poisoned",
        signal=Rule(
            expr=f'sum by (learner) (increase({LEARNER_EVENTS}{{what="limited"}}[1h])) > LIMIT',
            hold="1m",
            cases=(
                Case(
                    "eight a minute",
                    {_limited(): "0+2x480"},
                    at="100m",
                    fires=(Expected({"learner": "fraud-tree"}, 480),),
                ),
                Case("one a minute", {_limited(): "0+0.25x480"}, at="100m"),
                Case(
                    "other examples", {of(LEARNER_EVENTS, learner="fraud-tree", what="repeats"): "0+2x480"}, at="100m"
                ),
            ),
        ),
    ),
)
