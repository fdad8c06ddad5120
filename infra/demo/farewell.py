"""The last lines of a demo: what happened, and how to look further."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from infra.demo import decision_view
from infra.demo.scoreboard import Picture
from infra.demo.screen import summary
from schemas.models import Signature
from schemas.settings import Settings

COMMANDS = {
    "sluice status": "each part and each job: memory, lag, last checkpoint",
    "sluice doctor": "what is broken, and the command that mends it",
    "sluice control list": "the rules and the model in force; `sluice control --help` changes them while the job runs",
    "sluice models show fraud": "what the model learned from, and how it was judged",
    "sluice generate payments --start now --rate 100": "more payments, until Ctrl-C",
    "sluice dead-letters list": "records that could not be processed, with the reason",
    "sluice api": "features, decisions and scores over HTTP",
    "sluice down": "stop everything",
}
_QUERY = "sum by (kind) (rate(flink_taskmanager_job_task_operator_sluice_kind_decisions[1m]))"


def farewell(settings: Settings, model: Signature, picture: Picture) -> str:
    """Several lines of text."""
    user = picture.stopped[-1].decision.user_id if picture.stopped else "USER"
    pages = {f"/users/{user}/decisions": "one customer's decisions, while `sluice api` runs"}
    figures = [*decision_view.totals(picture), ("model", f"{model.name}@{model.version}: {model.training_data}")]
    return text(settings, figures, COMMANDS, pages, _QUERY)


def text(
    settings: Settings,
    figures: Sequence[tuple[str, str]],
    commands: Mapping[str, str],
    pages: Mapping[str, str],
    query: str,
) -> str:
    """Figures, commands and pages of the API with what they show, and a query."""
    ports = settings.stack.ports
    api = f"http://127.0.0.1:{ports.api}"
    lines = [
        "",
        *summary(figures),
        "",
        "The stack and the jobs go on. To look further:",
        *(f"  {command:<48}{what}" for command, what in commands.items()),
        *(f"  {api + page:<54}  {what}" for page, what in pages.items()),
        f"  {api + '/docs':<54}  everything the API answers",
        f"  http://127.0.0.1:{ports.flink_rest}   the jobs in Flink",
        f"  http://127.0.0.1:{ports.prometheus}   metrics in Prometheus, e.g. {query}",
    ]
    return "\n".join(lines)
