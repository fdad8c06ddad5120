"""Alerts on recommendations: lists that are empty or stop, items nobody knows, the search of vectors (ALR-22)."""

from __future__ import annotations

from schemas.alerts.definition import Case, Definition, Expected, Rule
from schemas.alerts.expression import PENDING, increase, of, rate
from schemas.metrics import (
    EMPTY_LISTS,
    EVENTS,
    INDEX_ITEMS,
    INDEX_RECALL,
    INTERACTIONS,
    LISTS,
    REPEATS,
    UNKNOWN_ITEMS,
    VECTORS_REFUSED,
    Metric,
)

ON_RECOMMEND = {"job_name": "recommend"}
OF_RECOMMEND = 'job_name="recommend"'


def _of(metric: Metric | str, **labels: str) -> str:
    return of(metric if isinstance(metric, str) else metric.exported, **ON_RECOMMEND, **labels)


READ, KNOWN = _of(INTERACTIONS), _of(LISTS, of="known_user")
WAITING = _of(PENDING, subtask_index="0")

RECOMMEND = (
    Definition(
        name="EmptyLists",
        ids=("ALR-12",),
        severity="critical",
        owner="recommend",
        limit=0,
        unit="lists in 5 min",
        summary="job {job_name} made lists without any item",
        action="is all banned or out of stock, or the catalogue empty? sluice control list; send the items again",
        runbook="lists",
        signal=Rule(
            expr=f"{increase(EMPTY_LISTS, '5m')} > LIMIT",
            hold="0s",
            cases=(
                Case("some", {_of(EMPTY_LISTS): "0+1x40"}, at="8m", fires=(Expected(ON_RECOMMEND, 20),)),
                Case("none", {_of(EMPTY_LISTS): "0x40"}, at="8m"),
            ),
        ),
    ),
    Definition(
        name="UnknownItemsHigh",
        ids=("ALR-12", "ALR-19"),
        severity="warning",
        owner="recommend",
        limit=0.05,
        unit="share of interactions",
        summary="more than 5 % of the interactions of {job_name} name items outside the catalogue",
        action="send the catalogue again, or find the producer that invents ids",
        runbook="lists",
        signal=Rule(
            expr=f"{rate(UNKNOWN_ITEMS, '5m')} / {rate(INTERACTIONS, '5m')} > LIMIT",
            hold="2m",
            cases=(
                Case(
                    "above the limit",
                    {_of(UNKNOWN_ITEMS): "0+60x60", READ: "0+1000x60"},
                    at="10m",
                    fires=(Expected(ON_RECOMMEND, 0.06),),
                ),
                Case("below the limit", {_of(UNKNOWN_ITEMS): "0+49x60", READ: "0+1000x60"}, at="10m"),
            ),
        ),
    ),
    Definition(
        name="ListsStopped",
        ids=("ALR-13", "STR-17"),
        severity="critical",
        owner="recommend",
        limit=0,
        unit="lists in 2 min",
        summary="interactions reach {job_name}, and no list leaves it",
        action="sluice doctor; then the job's log, and its checkpoints on Flink's page",
        runbook="lists",
        signal=Rule(
            # Records wait, or interactions were read that are no repeats, and no list left.
            expr=f"""(sum by (job_name) (min_over_time({PENDING}{{{OF_RECOMMEND}}}[2m])) > 0
                or {increase(INTERACTIONS, "2m")} > ({increase(REPEATS, "2m", OF_RECOMMEND)}
                or 0 * {increase(INTERACTIONS, "2m")})) unless {increase(LISTS, "2m")} > LIMIT""",
            hold="2m",
            cases=(
                Case(
                    "interactions without lists",
                    {READ: "0+100x60", KNOWN: "0+100x8 800x52"},
                    at="10m",
                    fires=(Expected(ON_RECOMMEND, 800),),
                ),
                Case(
                    "interactions of a job that never made a list",
                    {READ: "0+100x60"},
                    at="10m",
                    fires=(Expected(ON_RECOMMEND, 800),),
                ),
                Case(
                    "records that wait and are not read",
                    {WAITING: "5x60", READ: "100x60", KNOWN: "100x60"},
                    at="10m",
                    fires=(Expected(ON_RECOMMEND, 5),),
                ),
                Case("lists follow interactions", {WAITING: "5x60", READ: "0+100x60", KNOWN: "0+1x60"}, at="10m"),
                Case(
                    "repeats get no lists",
                    {READ: "0+100x60", KNOWN: "800x60", _of(REPEATS): "0+100x60"},
                    at="10m",
                ),
                Case(
                    "a job that scores has no lists to miss",
                    {
                        of(PENDING, job_name="score", subtask_index="0"): "5x60",
                        of(EVENTS.exported, job_name="score"): "0+100x60",
                        of(REPEATS.exported, job_name="score"): "0+1x60",
                    },
                    at="10m",
                ),
            ),
        ),
    ),
    Definition(
        name="SearchRecallLow",
        ids=("ALR-22",),
        severity="warning",
        owner="recommend",
        limit=950,
        unit="1/1000",
        summary="the index of {job_name} finds {value:.0f} of 1,000 nearest items: lists are searched exactly, slower",
        action="look at index_items and vectors_refused; train again: sluice train recommend",
        runbook="search",
        signal=Rule(
            expr=f"""min by (job_name) ({INDEX_RECALL.exported}) < LIMIT
                and max by (job_name) ({INDEX_ITEMS.exported}) > 0""",
            hold="5m",
            cases=(
                Case(
                    "below the limit",
                    {_of(INDEX_RECALL): "940x60", _of(INDEX_ITEMS): "5000x60"},
                    at="12m",
                    fires=(Expected(ON_RECOMMEND, 940),),
                ),
                Case("no index yet", {_of(INDEX_RECALL): "0x60", _of(INDEX_ITEMS): "0x60"}, at="12m"),
                Case("at the limit", {_of(INDEX_RECALL): "950x60", _of(INDEX_ITEMS): "5000x60"}, at="12m"),
            ),
        ),
    ),
    Definition(
        name="VectorsRefused",
        ids=("ALR-22", "ALR-23"),
        severity="warning",
        owner="recommend",
        limit=0.01,
        unit="share of items",
        summary="more than 1 % of the vectors of {job_name} are no usable numbers",
        action="sluice models rollback recommend, then look at the training",
        runbook="search",
        signal=Rule(
            expr=f"""max by (job_name) ({VECTORS_REFUSED.exported})
                / max by (job_name) ({INDEX_ITEMS.exported} > 0) > LIMIT""",
            hold="5m",
            cases=(
                Case(
                    "two in a hundred",
                    {_of(VECTORS_REFUSED): "100x60", _of(INDEX_ITEMS): "5000x60"},
                    at="12m",
                    fires=(Expected(ON_RECOMMEND, 0.02),),
                ),
                Case("none", {_of(VECTORS_REFUSED): "0x60", _of(INDEX_ITEMS): "5000x60"}, at="12m"),
            ),
        ),
    ),
)
