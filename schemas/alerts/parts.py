"""Alerts on the parts of the stack: whether they answer, how fast, and their memory (STR-17)."""

from __future__ import annotations

from schemas.alerts.definition import Case, Definition, Expected, Rule
from schemas.alerts.expression import MEMORY, increase, of, of_job, rate
from schemas.alerts.jobs import ON_SCORE
from schemas.metrics import CACHE_HITS, CACHE_MISSES, STORE_RETRIES

# Counted by the alert router, which asks each store and the broker every few seconds.
PART_UP, PART_ANSWER_SECONDS = "sluice_alerts_part_up", "sluice_alerts_part_answer_seconds"

PARTS = (
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
            # The API, learners and the router are processes of their own, which need not run: ProcessDown.
            expr='up{job!~"api|alerts|learn"} == LIMIT',
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
)
