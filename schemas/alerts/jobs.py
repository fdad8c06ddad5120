"""Alerts on what runs: parts of the stack, jobs, their checkpoints, their lag (STR-17)."""

from __future__ import annotations

from schemas.alerts.definition import Case, Definition, Expected, Rule
from schemas.alerts.expression import JOB, MEMORY, PENDING, TASK, increase, of, of_job, rate
from schemas.metrics import CACHE_HITS, CACHE_MISSES, CONTROL_REFUSED, EVENTS, STORE_RETRIES

RUNNING, RESTARTS = f"{JOB}_runningState", f"{JOB}_numRestarts"
FAILED, COMPLETED = f"{JOB}_numberOfFailedCheckpoints", f"{JOB}_numberOfCompletedCheckpoints"
LAST_CHECKPOINT_MS = f"{JOB}_lastCheckpointDuration"
BUSY = f"{TASK}_busyTimeMsPerSecond"
# Counted by the alert router, which asks each store and the broker every few seconds.
PART_UP, PART_ANSWER_SECONDS = "sluice_alerts_part_up", "sluice_alerts_part_answer_seconds"

ON_SCORE = {"job_name": "score"}

JOBS = (
    Definition(
        name="PartDown",
        ids=("STR-17", "ALR-12"),
        severity="critical",
        owner="platform",
        limit=0,
        unit="up",
        summary="{job} at {instance} does not answer",
        action="sluice doctor",
        runbook="part-down",
        signal=Rule(
            # The API and the router are processes of their own, which need not run.
            expr='up{job!~"api|alerts"} == LIMIT',
            hold="30s",
            cases=(
                Case(
                    "a part that does not answer, after less than its time",
                    {of("up", job="flink", instance="127.0.0.1:9251"): "1x4 0x20"},
                    at="2m",
                ),
                Case(
                    "a part that does not answer, and two that need not run",
                    {
                        of("up", job="flink", instance="127.0.0.1:9251"): "1x4 0x20",
                        of("up", job="api", instance="127.0.0.1:8000"): "0x24",
                        of("up", job="alerts", instance="127.0.0.1:9095"): "0x24",
                    },
                    at="3m",
                    fires=(Expected({"job": "flink", "instance": "127.0.0.1:9251"}, 0),),
                ),
            ),
        ),
    ),
    Definition(
        name="StoreDown",
        ids=("STR-17", "ALR-12", "ALR-28"),
        severity="critical",
        owner="platform",
        limit=0,
        unit="up",
        summary="{part} does not answer the alert router",
        action="sluice doctor; sluice status",
        runbook="store-down",
        signal=Rule(
            expr=f"{PART_UP} == LIMIT",
            hold="30s",
            cases=(
                Case(
                    "one store down, one up",
                    {of(PART_UP, part="redis"): "0x20", of(PART_UP, part="cassandra"): "1x20"},
                    at="3m",
                    fires=(Expected({"part": "redis"}, 0),),
                ),
            ),
        ),
    ),
    Definition(
        name="BrokerSlow",
        ids=("STR-17", "ALR-18"),
        severity="warning",
        owner="platform",
        limit=1,
        unit="seconds",
        summary="{part} took {value:.1f} s to answer a question about its topics",
        action="sluice status: memory, lag; then the disk that holds the log",
        runbook="broker-slow",
        signal=Rule(
            expr=f'{PART_ANSWER_SECONDS}{{part="kafka"}} > LIMIT',
            hold="1m",
            cases=(
                Case("at the limit", {of(PART_ANSWER_SECONDS, part="kafka"): "1x20"}, at="4m"),
                Case(
                    "above the limit",
                    {of(PART_ANSWER_SECONDS, part="kafka"): "1.5x20"},
                    at="4m",
                    fires=(Expected({"part": "kafka"}, 1.5),),
                ),
            ),
        ),
    ),
    Definition(
        name="StoreWritesFailing",
        ids=("ALR-28", "DAT-10"),
        severity="warning",
        owner="platform",
        limit=10,
        unit="attempts in 5 min",
        summary="job {job_name} repeated {value:.0f} writes to a store in 5 minutes",
        action="sluice doctor; then the store's log",
        runbook="store-down",
        signal=Rule(
            expr=f"{increase(STORE_RETRIES, '5m')} > LIMIT",
            hold="1m",
            cases=(
                Case("none repeated", {of_job(STORE_RETRIES.exported): "7x40"}, at="10m"),
                Case(
                    "one a second",
                    {of_job(STORE_RETRIES.exported): "0+15x40"},
                    at="10m",
                    fires=(Expected(ON_SCORE, 300),),
                ),
            ),
        ),
    ),
    Definition(
        name="JobDown",
        ids=("STR-17",),
        severity="critical",
        owner="platform",
        limit=1,
        unit="running",
        summary="job {job_name} does not run",
        action="sluice doctor names the root cause",
        runbook="job-down",
        signal=Rule(
            # A job that ran within the last 10 minutes and does not run now.
            expr=f"""max by (job_name) (max_over_time({RUNNING}[10m])) == LIMIT
                unless max by (job_name) ({RUNNING}) == LIMIT""",
            hold="30s",
            cases=(
                Case(
                    "two jobs that run",
                    {of_job(RUNNING): "1x28", of(RUNNING, job_name="other"): "1x28"},
                    at="2m",
                ),
                Case(
                    "a job that vanished, one that runs",
                    {of_job(RUNNING): "1x8 _x20", of(RUNNING, job_name="other"): "1x28"},
                    at="9m",
                    fires=(Expected(ON_SCORE, 1),),
                ),
            ),
        ),
    ),
    Definition(
        name="JobRestarting",
        ids=("STR-17",),
        severity="warning",
        owner="platform",
        limit=2,
        unit="restarts in 10 min",
        summary="job {job_name} restarted {value:.0f} times in 10 minutes",
        action="sluice doctor names the root cause",
        runbook="job-down",
        signal=Rule(
            expr=f"max by (job_name) (increase({RESTARTS}[10m])) > LIMIT",
            hold="0s",
            cases=(
                Case("two restarts", {of_job(RESTARTS): "0x10 2x15 4x15"}, at="5m"),
                Case("a growing count", {of_job(RESTARTS): "0+1x40"}, at="10m", fires=(Expected(ON_SCORE, 40),)),
            ),
        ),
    ),
    Definition(
        name="CheckpointsFailing",
        ids=("STR-17",),
        severity="warning",
        owner="platform",
        limit=2,
        unit="checkpoints in 10 min",
        summary="{value:.0f} checkpoints of {job_name} failed in 10 minutes",
        action="look at the job's checkpoints on Flink's page: size, duration, back pressure",
        runbook="checkpoints",
        signal=Rule(
            expr=f"max by (job_name) (increase({FAILED}[10m])) > LIMIT",
            hold="0s",
            cases=(
                Case("one failed", {of_job(FAILED): "0x10 1x40"}, at="10m"),
                Case("four failed", {of_job(FAILED): "0+0.1x40"}, at="10m", fires=(Expected(ON_SCORE, 4),)),
            ),
        ),
    ),
    Definition(
        name="CheckpointsMissing",
        ids=("STR-17",),
        severity="critical",
        owner="platform",
        limit=0,
        unit="checkpoints in 5 min",
        summary="job {job_name} completed no checkpoint for 5 minutes",
        action="look at the job's checkpoints on Flink's page; a restart now would repeat all that came since",
        runbook="checkpoints",
        signal=Rule(
            expr=f"""max by (job_name) (increase({COMPLETED}[5m])) == LIMIT
                and max by (job_name) (min_over_time({RUNNING}[5m])) == 1""",
            hold="1m",
            cases=(
                Case(
                    "a running job without checkpoints",
                    {of_job(COMPLETED): "7x40", of_job(RUNNING): "1x40"},
                    at="10m",
                    fires=(Expected(ON_SCORE, 0),),
                ),
                Case("a job that checkpoints", {of_job(COMPLETED): "0+1x40", of_job(RUNNING): "1x40"}, at="10m"),
            ),
        ),
    ),
    Definition(
        name="CheckpointSlow",
        ids=("STR-17",),
        severity="warning",
        owner="platform",
        limit=60_000,
        unit="ms",
        summary="the last checkpoint of {job_name} took {value:.0f} ms",
        action="look at the job's checkpoints on Flink's page: which operator, how many bytes",
        runbook="checkpoints",
        signal=Rule(
            expr=f"max by (job_name) ({LAST_CHECKPOINT_MS}) > LIMIT",
            hold="2m",
            cases=(
                Case("at the limit", {of_job(LAST_CHECKPOINT_MS): "60000x40"}, at="10m"),
                Case(
                    "above the limit",
                    {of_job(LAST_CHECKPOINT_MS): "61000x40"},
                    at="10m",
                    fires=(Expected(ON_SCORE, 61_000),),
                ),
            ),
        ),
    ),
    Definition(
        name="ConsumerLag",
        ids=("STR-17",),
        severity="warning",
        owner="platform",
        limit=60,
        unit="seconds of work",
        summary="job {job_name} has {value:.0f} records in front of it",
        action="sluice status; more parallelism, or find what slows it",
        runbook="lag",
        signal=Rule(
            # More than a minute behind at the present rate.
            expr=f"sum by (job_name) ({PENDING}) > clamp_min(LIMIT * {rate(EVENTS, '1m')}, 10000)",
            hold="1m",
            cases=(
                Case(
                    "70 s of work",
                    {
                        of_job(PENDING, subtask_index="0"): "70000x20",
                        of_job(EVENTS.exported): "0+15000x20",
                    },
                    at="4m",
                    fires=(Expected(ON_SCORE, 70_000),),
                ),
                Case(
                    "50 s of work",
                    {
                        of_job(PENDING, subtask_index="0"): "50000x20",
                        of_job(EVENTS.exported): "0+15000x20",
                    },
                    at="4m",
                ),
            ),
        ),
    ),
    Definition(
        name="JobBusy",
        ids=("STR-17", "ALR-22"),
        severity="warning",
        owner="platform",
        limit=800,
        unit="ms busy in a second",
        summary="an operator of {job_name} is busy {value:.0f} ms of each second",
        action="sluice status; plan more parallelism before it lags",
        runbook="lag",
        signal=Rule(
            expr=f"max by (job_name) ({BUSY}) > LIMIT",
            hold="10m",
            cases=(
                Case("at the limit", {of_job(BUSY): "800x80"}, at="20m"),
                Case("above the limit", {of_job(BUSY): "900x80"}, at="20m", fires=(Expected(ON_SCORE, 900),)),
            ),
        ),
    ),
    Definition(
        name="MemoryHigh",
        ids=("STR-17", "ALR-22"),
        severity="warning",
        owner="platform",
        limit=0.9,
        unit="share of the heap",
        summary="the heap of {instance} has been more than 90 % full for 10 minutes",
        action="sluice status: memory; more of it, or fewer entities kept (job.cached_entities)",
        runbook="memory",
        signal=Rule(
            expr=f"max by (instance) ({MEMORY}_Used / {MEMORY}_Max) > LIMIT",
            hold="10m",
            cases=(
                Case(
                    "full",
                    {of(f"{MEMORY}_Used", instance="a"): "95x80", of(f"{MEMORY}_Max", instance="a"): "100x80"},
                    at="20m",
                    fires=(Expected({"instance": "a"}, 0.95),),
                ),
                Case(
                    "emptied by the collector now and then",
                    {
                        of(f"{MEMORY}_Used", instance="a"): "95x20 50x4 95x20 50x4 95x20",
                        of(f"{MEMORY}_Max", instance="a"): "100x80",
                    },
                    at="14m",
                ),
            ),
        ),
    ),
    Definition(
        name="CacheMissesHigh",
        ids=("ALR-23", "FST-11"),
        severity="info",
        owner="platform",
        limit=0.5,
        unit="share of reads",
        summary="job {job_name} finds fewer than half of its entities in its cache",
        action="raise job.cached_entities, if the TaskManagers have memory left",
        runbook="memory",
        signal=Rule(
            expr=f"{rate(CACHE_HITS, '10m')} / ({rate(CACHE_HITS, '10m')} + {rate(CACHE_MISSES, '10m')}) < LIMIT",
            hold="30m",
            cases=(
                Case(
                    "a fifth found",
                    {of_job(CACHE_HITS.exported): "0+20x200", of_job(CACHE_MISSES.exported): "0+80x200"},
                    at="45m",
                    fires=(Expected(ON_SCORE, 0.2),),
                ),
                Case(
                    "half found",
                    {of_job(CACHE_HITS.exported): "0+50x200", of_job(CACHE_MISSES.exported): "0+50x200"},
                    at="45m",
                ),
            ),
        ),
    ),
    Definition(
        name="ControlRefused",
        ids=("ALR-12",),
        severity="warning",
        owner="fraud",
        limit=0,
        unit="records in 10 min",
        summary="job {job_name} refused a rule, threshold or model",
        action="the job's log names it; publish it again, mended",
        runbook="control-refused",
        signal=Rule(
            expr=f"{increase(CONTROL_REFUSED, '10m')} > LIMIT",
            hold="0s",
            cases=(
                Case("none refused", {of_job(CONTROL_REFUSED.exported): "3x40"}, at="10m"),
                Case(
                    "some refused",
                    {of_job(CONTROL_REFUSED.exported): "0x20 1x60"},
                    at="10m",
                    fires=(Expected(ON_SCORE, 1),),
                ),
            ),
        ),
    ),
)
