"""Alerts on what flows: how much comes, and how much of it can not be used."""

from __future__ import annotations

from schemas.alerts.definition import Case, Definition, Expected, Rule
from schemas.alerts.expression import increase, of, of_job, rate
from schemas.alerts.jobs import ON_SCORE
from schemas.metrics import EVENTS, REJECTS, REPEATS, Metric

EVENTS_OF, REPEATS_OF = of_job(EVENTS.exported), of_job(REPEATS.exported)
OF_PAYMENTS = 'job_name!="recommend"'
UNKNOWN_VERSION = 'reason="unknown_version"'


def rejects(reason: str) -> str:
    """The series of rejects for this reason."""
    return of_job(REJECTS.exported, reason=reason)


def _grown(metric: Metric, window: str, match: str = "") -> str:
    """By how much a counter has grown; a series that began within the window counts whole, unlike in increase()."""
    chosen = f"{metric.exported}{{{match}}}" if match else metric.exported
    now = f"sum by (job_name) ({chosen})"
    return f"{now} - (sum by (job_name) ({chosen} offset {window}) or 0 * {now})"


TRAFFIC = (
    Definition(
        name="ThroughputHalved",
        ids=("ALR-13",),
        severity="critical",
        owner="data",
        limit=0.5,
        unit="of the hour before",
        summary="job {job_name} reads {value:.1f} events/s, less than half of the hour before",
        action="sluice status: lag? Without lag the producers send less: ask their owners",
        runbook="traffic",
        signal=Rule(
            # Below one event a second, half of it means nothing.
            expr=f"""{rate(EVENTS, "5m")} < LIMIT * {rate(EVENTS, "1h", offset="5m")}
                and {rate(EVENTS, "1h", offset="5m")} > 1""",
            hold="2m",
            cases=(
                Case(
                    "a fifth of what was",
                    {EVENTS_OF: "0+1500x120 180000+300x40"},
                    at="40m",
                    fires=(Expected(ON_SCORE, 20),),
                ),
                Case("seven tenths of what was", {EVENTS_OF: "0+1500x120 180000+1050x40"}, at="40m"),
                Case("hardly anything before", {EVENTS_OF: "0+10x120 1200+1x40"}, at="40m"),
            ),
        ),
    ),
    Definition(
        name="ThroughputDropped",
        ids=("ALR-13",),
        severity="warning",
        owner="data",
        limit=0.8,
        unit="of the day before",
        summary="job {job_name} reads {value:.1f} events/s, less than 80 % of the same time yesterday",
        action="sluice status: lag? Without lag the producers send less: a holiday, or their owners know why",
        runbook="traffic",
        signal=Rule(
            expr=f"""{rate(EVENTS, "30m")} < LIMIT * {rate(EVENTS, "30m", offset="1d")}
                and {rate(EVENTS, "30m", offset="1d")} > 1""",
            hold="10m",
            cases=(
                Case(
                    "seven tenths of yesterday",
                    {EVENTS_OF: "0+6000x144 864000+4200x40"},
                    at="1620m",
                    fires=(Expected(ON_SCORE, 7),),
                    step="10m",
                ),
                Case("nine tenths of yesterday", {EVENTS_OF: "0+6000x144 864000+5400x40"}, at="1620m", step="10m"),
            ),
        ),
    ),
    Definition(
        name="VolumeLow",
        ids=("ALR-17", "DAT-10"),
        severity="warning",
        owner="data",
        limit=0.8,
        unit="of what is expected",
        summary="job {job_name} read {value:.0f} events in 6 hours, less than 80 % of the day before",
        action="which producer is missing? compare segments of transactions with yesterday's",
        runbook="traffic",
        signal=Rule(
            expr=f"""{increase(EVENTS, "6h")} < LIMIT * {increase(EVENTS, "6h", offset="1d")}
                and {increase(EVENTS, "6h", offset="1d")} > 1000""",
            hold="1h",
            cases=(
                Case(
                    "half of yesterday",
                    {EVENTS_OF: "0+6000x144 864000+3000x60"},
                    at="2000m",
                    fires=(Expected(ON_SCORE, 108_000),),
                    step="10m",
                ),
                Case("nine tenths of yesterday", {EVENTS_OF: "0+6000x144 864000+5400x60"}, at="2000m", step="10m"),
            ),
        ),
    ),
    Definition(
        name="RejectsHigh",
        ids=("ALR-12", "DAT-10"),
        severity="warning",
        owner="data",
        limit=0.01,
        unit="share of events",
        summary="more than 1 % of the events of {job_name} are unreadable or invalid",
        action="sluice dead-letters list: the reason and the producer",
        runbook="dead-letters",
        signal=Rule(
            expr=f"{rate(REJECTS, '5m')} / {rate(EVENTS, '5m')} > LIMIT",
            hold="2m",
            cases=(
                Case(
                    "two in a hundred",
                    {rejects("invalid"): "0+20x60", EVENTS_OF: "0+1000x60"},
                    at="10m",
                    fires=(Expected(ON_SCORE, 0.02),),
                ),
                Case("one in a hundred", {rejects("invalid"): "0+10x60", EVENTS_OF: "0+1000x60"}, at="10m"),
            ),
        ),
    ),
    Definition(
        name="RepeatsHigh",
        ids=("DAT-2",),
        severity="warning",
        owner="data",
        limit=0.01,
        unit="share of events",
        summary="more than 1 % of the events of {job_name} were decided before",
        action="does somebody replay? else find the producer that sends twice: its event_id and retries",
        runbook="repeats",
        signal=Rule(
            # A replay of minutes repeats on purpose and is over before the time to hold; below one event a second a
            # few repeats are more than 1 %. Of a shop's clients, repeats are no payments.
            expr=f"""{rate(REPEATS, "5m", OF_PAYMENTS)} / {rate(EVENTS, "5m")} > LIMIT and {rate(EVENTS, "5m")} > 1""",
            hold="15m",
            cases=(
                Case(
                    "two in a hundred",
                    {REPEATS_OF: "0+20x120", EVENTS_OF: "0+1000x120"},
                    at="25m",
                    fires=(Expected(ON_SCORE, 0.02),),
                ),
                Case("one in a hundred", {REPEATS_OF: "0+10x120", EVENTS_OF: "0+1000x120"}, at="25m"),
                Case("two of hardly any", {REPEATS_OF: "0+2x120", EVENTS_OF: "0+10x120"}, at="25m"),
                Case(
                    "interactions that come twice",
                    {
                        of(REPEATS.exported, job_name="recommend"): "0+20x120",
                        of(EVENTS.exported, job_name="recommend"): "0+1000x120",
                    },
                    at="25m",
                ),
                Case(
                    "a replay of eight minutes",
                    {REPEATS_OF: "0+10x40 400+500x32 16400+10x60", EVENTS_OF: "0+1000x140"},
                    at="22m",
                ),
            ),
        ),
    ),
    Definition(
        name="QualityLow",
        ids=("ALR-19",),
        severity="high",
        owner="data",
        limit=0.95,
        unit="share of events",
        summary="fewer than 95 % of the events of {job_name} could be used",
        action="sluice dead-letters list: the reason and the producer",
        runbook="dead-letters",
        signal=Rule(
            expr=f"1 - {rate(REJECTS, '10m')} / {rate(EVENTS, '10m')} < LIMIT",
            hold="5m",
            cases=(
                Case(
                    "nine tenths are good",
                    {rejects("invalid"): "0+100x80", EVENTS_OF: "0+1000x80"},
                    at="18m",
                    fires=(Expected(ON_SCORE, 0.9),),
                ),
                Case("96 in a hundred are good", {rejects("invalid"): "0+40x80", EVENTS_OF: "0+1000x80"}, at="18m"),
            ),
        ),
    ),
    Definition(
        name="DeadLetterBurst",
        ids=("ALR-12", "DAT-10"),
        severity="high",
        owner="data",
        limit=100,
        unit="letters in 5 min",
        summary="{value:.0f} events of {job_name} became dead letters in 5 minutes, ten times as many as before",
        action="sluice dead-letters list --since 10m; after the fix: sluice dead-letters replay",
        runbook="dead-letters",
        signal=Rule(
            # 3,000 s of the rate before are ten times what 5 minutes of it would bring.
            expr=f"""({_grown(REJECTS, "5m")}) > LIMIT and ({_grown(REJECTS, "5m")})
                > 3000 * ({rate(REJECTS, "1h", offset="5m")} or 0 * sum by (job_name) ({REJECTS.exported}))""",
            hold="0s",
            cases=(
                Case(
                    "a burst for a reason that was not there before",
                    {rejects("unreadable"): "_x80 500x40"},
                    at="22m",
                    fires=(Expected(ON_SCORE, 500),),
                ),
                Case("a steady trickle", {rejects("invalid"): "0+20x120"}, at="28m"),
                Case("fewer than a hundred", {rejects("unreadable"): "_x80 90x40"}, at="22m"),
            ),
        ),
    ),
    Definition(
        name="SchemaRefused",
        ids=("ALR-7",),
        severity="critical",
        owner="data",
        limit=0,
        unit="events in 10 min",
        summary="{value:.0f} events of {job_name} have a schema version that this release does not know",
        action="sluice dead-letters list --reason unknown_version; install the release that knows it, then replay them",
        runbook="schema",
        signal=Rule(
            expr=f"({_grown(REJECTS, '10m', UNKNOWN_VERSION)}) > LIMIT",
            hold="0s",
            cases=(
                Case(
                    "a newer producer",
                    {rejects("unknown_version"): "_x40 7x40"},
                    at="12m",
                    fires=(Expected(ON_SCORE, 7),),
                ),
                Case("other rejects", {rejects("invalid"): "0+7x40"}, at="10m"),
            ),
        ),
    ),
)
