"""Alerts on the telling of alerts (ALR-24): they reach people over the channels that still work."""

from __future__ import annotations

from schemas.alerts.definition import Case, Definition, Expected, Rule
from schemas.alerts.expression import of

# Counted by the alert router.
DELIVERIES, SECONDS = "sluice_alerts_deliveries_total", "sluice_alerts_delivery_seconds_bucket"
URGENT = 'priority="critical"'


def _tried(delivered: str, other: str, outcome: str) -> dict[str, str]:
    labels = {"channel": "slack"}
    return {
        of(DELIVERIES, **labels, outcome="delivered"): delivered,
        of(DELIVERIES, **labels, outcome=outcome): other,
    }


ROUTING = (
    Definition(
        name="DeliveriesFailing",
        ids=("ALR-24",),
        severity="high",
        owner="platform",
        limit=0.9,
        unit="share of deliveries",
        summary="fewer than 90 % of the messages reach their channel {channel}",
        action="sluice alerts deliveries; then the channel's address in [alerts]",
        runbook="deliveries",
        signal=Rule(
            expr=f"""sum by (channel) (rate({DELIVERIES}{{outcome="delivered"}}[1h]))
                / sum by (channel) (rate({DELIVERIES}[1h])) < LIMIT""",
            hold="5m",
            cases=(
                Case(
                    "half fail",
                    _tried("0+1x300", "0+1x300", "failed"),
                    at="72m",
                    fires=(Expected({"channel": "slack"}, 0.5),),
                ),
                Case("all arrive", _tried("0+1x300", "0x300", "failed"), at="72m"),
            ),
        ),
    ),
    Definition(
        name="DeliveriesRefused",
        ids=("ALR-24",),
        severity="warning",
        owner="platform",
        limit=0.1,
        unit="share of deliveries",
        summary="channel {channel} refuses more than 10 % of the messages",
        action="sluice alerts deliveries; the address or the key in [alerts] is out of date",
        runbook="deliveries",
        signal=Rule(
            expr=f"""sum by (channel) (rate({DELIVERIES}{{outcome="refused"}}[1h]))
                / sum by (channel) (rate({DELIVERIES}[1h])) > LIMIT""",
            hold="5m",
            cases=(
                Case(
                    "one in five",
                    _tried("0+4x300", "0+1x300", "refused"),
                    at="72m",
                    fires=(Expected({"channel": "slack"}, 0.2),),
                ),
                Case("one in twenty", _tried("0+19x300", "0+1x300", "refused"), at="72m"),
            ),
        ),
    ),
    Definition(
        name="DeliverySlow",
        ids=("ALR-24", "NOT-4"),
        severity="warning",
        owner="platform",
        limit=5,
        unit="seconds",
        summary="p99 from Alertmanager to the receiver is {value:.1f} s for critical alerts",
        action="sluice alerts deliveries; which channel is slow?",
        runbook="deliveries",
        signal=Rule(
            expr=f"histogram_quantile(0.99, sum by (le) (rate({SECONDS}{{{URGENT}}}[1h]))) > LIMIT",
            hold="5m",
            cases=(
                Case(
                    "half need 10 s",
                    {
                        of(SECONDS, priority="critical", le="5.0"): "0+1x300",
                        of(SECONDS, priority="critical", le="10.0"): "0+2x300",
                        of(SECONDS, priority="critical", le="+Inf"): "0+2x300",
                    },
                    at="72m",
                    fires=(Expected({}, 9.9),),
                ),
                Case(
                    "only what may wait is slow",
                    {
                        of(SECONDS, priority="info", le="5.0"): "0x300",
                        of(SECONDS, priority="info", le="10.0"): "0+2x300",
                        of(SECONDS, priority="info", le="+Inf"): "0+2x300",
                    },
                    at="72m",
                ),
            ),
        ),
    ),
)
