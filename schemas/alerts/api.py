"""Alerts on what `sluice api` answers: errors and latency, of all routes and of the reading of features."""

from __future__ import annotations

from schemas.alerts.definition import Case, Definition, Expected, Rule
from schemas.alerts.expression import of

REQUESTS, SECONDS = "sluice_api_requests_total", "sluice_api_request_seconds_bucket"
FEATURES = 'route=~"/features/.*"'
FAILED = 'status=~"5.."'


def _requests(good: str, failed: str, route: str = "/health") -> dict[str, str]:
    return {of(REQUESTS, route=route, status="200"): good, of(REQUESTS, route=route, status="503"): failed}


def _seconds(route: str, **counts: str) -> dict[str, str]:
    bounds = {"fast": "0.005", "slow": "0.25", "all": "+Inf"}
    return {of(SECONDS, route=route, le=bounds[name]): values for name, values in counts.items()}


API = (
    Definition(
        name="ApiErrors",
        ids=("ALR-12",),
        severity="critical",
        owner="platform",
        limit=0.01,
        unit="share of requests",
        summary="the API fails on more than 1 % of its requests",
        action="sluice doctor; sluice status: Redis and Cassandra",
        runbook="api",
        signal=Rule(
            expr=f"sum(rate({REQUESTS}{{{FAILED}}}[5m])) / sum(rate({REQUESTS}[5m])) > LIMIT",
            hold="1m",
            cases=(
                Case("one in twenty", _requests("0+95x40", "0+5x40"), at="8m", fires=(Expected({}, 0.05),)),
                Case("one in a hundred", _requests("0+99x40", "0+1x40"), at="8m"),
            ),
        ),
    ),
    Definition(
        name="ApiSlow",
        ids=("ALR-11",),
        severity="warning",
        owner="platform",
        limit=0.1,
        unit="seconds",
        summary="p99 of {route} is {value:.3f} s",
        action="sluice status: Redis and Cassandra; then the rate of requests",
        runbook="api",
        signal=Rule(
            expr=f"histogram_quantile(0.99, sum by (route, le) (rate({SECONDS}[5m]))) > LIMIT",
            hold="2m",
            cases=(
                Case(
                    "one in ten is slow",
                    _seconds("/score", fast="0+90x40", slow="0+100x40", all="0+100x40"),
                    at="8m",
                    fires=(Expected({"route": "/score"}, 0.2255),),
                ),
                Case("all are fast", _seconds("/score", fast="0+100x40", slow="0+100x40", all="0+100x40"), at="8m"),
            ),
        ),
    ),
    Definition(
        name="FeatureReadSlow",
        ids=("ALR-28", "FST-9"),
        severity="warning",
        owner="platform",
        limit=0.005,
        unit="seconds",
        summary="p99 of reading features is {value:.4f} s, above 5 ms",
        action="sluice status: memory of Redis; then the rate of requests",
        runbook="api",
        signal=Rule(
            expr=f"histogram_quantile(0.99, sum by (le) (rate({SECONDS}{{{FEATURES}}}[5m]))) > LIMIT",
            hold="5m",
            cases=(
                Case(
                    "one in ten is slow",
                    _seconds("/features/{entity}/{id:id}", fast="0+90x80", slow="0+100x80", all="0+100x80"),
                    at="15m",
                    fires=(Expected({}, 0.2255),),
                ),
                Case(
                    "another route is slow",
                    _seconds("/score", fast="0+90x80", slow="0+100x80", all="0+100x80"),
                    at="15m",
                ),
            ),
        ),
    ),
    Definition(
        name="FeatureReadErrors",
        ids=("ALR-28", "FST-9"),
        severity="high",
        owner="platform",
        limit=0.001,
        unit="share of reads",
        summary="more than one in a thousand reads of features fails",
        action="sluice doctor: does Redis answer?",
        runbook="api",
        signal=Rule(
            expr=f"""sum(rate({REQUESTS}{{{FEATURES}, {FAILED}}}[5m]))
                / sum(rate({REQUESTS}{{{FEATURES}}}[5m])) > LIMIT""",
            hold="2m",
            cases=(
                Case(
                    "two in a thousand",
                    _requests("0+998x40", "0+2x40", "/features/{entity}/{id:id}"),
                    at="8m",
                    fires=(Expected({}, 0.002),),
                ),
                Case("errors of another route", _requests("0+998x40", "0+2x40", "/score"), at="8m"),
            ),
        ),
    ),
)
