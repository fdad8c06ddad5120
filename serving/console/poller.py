"""What the console asks for in turns: Prometheus, Alertmanager and the registry."""

from __future__ import annotations

import json
import math
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from schemas.alerts.catalogue import DEFINITIONS
from schemas.errors import SluiceError
from schemas.optional_number import optional_number
from schemas.watching import Cause
from serving.console.alerts import AlertShown, page_of
from serving.console.console import Console
from serving.console.jobs import PARTS, QUERIES, PartShown
from serving.console.models import ModelShown

PERIOD_S = 5.0
TIMEOUT_S = 2.0


class Poller:
    """Asks in a thread of its own, every PERIOD_S. What does not answer is said by the console, and asked again."""

    def __init__(
        self, console: Console, prometheus: str, alertmanager: str, models: Callable[[], list[ModelShown]]
    ) -> None:
        self._console = console
        self._prometheus = prometheus
        self._alertmanager = alertmanager
        self._models = models
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="console-poller", daemon=True)

    def start(self) -> None:
        """Begin; nothing is waited for."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join(timeout=5)

    def look(self) -> None:
        """Ask everybody once."""
        for name, address, ask in (
            ("Prometheus", self._prometheus, self._ask_jobs),
            ("Alertmanager", self._alertmanager, self._ask_alerts),
            ("registry", "", self._ask_models),
        ):
            try:
                ask()
                problem = ""
            except SluiceError as error:
                problem = str(error)
            # An answer that breaks off or has another shape is no answer, and the thread goes on whatever comes.
            except Exception as error:
                problem = f"{name} at {address}: {str(error).strip()}; start it with `sluice up`"
            self._console.take_source(name, problem)

    def _run(self) -> None:
        while not self._stop.is_set():
            self.look()
            self._stop.wait(PERIOD_S)

    def _ask_jobs(self) -> None:
        found = {
            name: {row["metric"]["job_name"]: float(row["value"][1]) for row in self._query(query)}
            for name, query in QUERIES.items()
        }
        parts = [
            PartShown(row["metric"]["job"], row["metric"]["instance"], row["value"][1] == "1")
            for row in self._query(PARTS)
        ]
        self._console.take_jobs(found, parts)

    def _ask_alerts(self) -> None:
        answer = _get(f"{self._alertmanager}/api/v2/alerts?active=true&inhibited=true&silenced=false")
        self._console.take_active_alerts([_alert(one) for one in answer])

    def _ask_models(self) -> None:
        self._console.take_models(self._models())

    def _query(self, query: str) -> list[Any]:
        answer = _get(f"{self._prometheus}/api/v1/query?{urllib.parse.urlencode({'query': query})}")
        rows: list[Any] = answer["data"]["result"]
        return [row for row in rows if row["value"][1] not in {"NaN", "+Inf", "-Inf"}]


def _alert(found: dict[str, Any]) -> AlertShown:
    labels, notes = found["labels"], found["annotations"]
    name = labels["alertname"]
    definition = DEFINITIONS.get(name)
    return AlertShown(
        name,
        labels.get("severity", ""),
        notes.get("summary", notes.get("description", name)),
        int(datetime.fromisoformat(found["startsAt"]).timestamp() * 1000),
        {key: value for key, value in labels.items() if key not in {"alertname", "severity"}},
        "prometheus",
        _number(notes.get("value")),
        _number(notes.get("limit")),
        _causes(notes.get("causes")),
        action=notes.get("action", definition.action if definition else ""),
        runbook=page_of(notes.get("runbook", notes.get("runbook_url", labels.get("runbook", "")))),
    )


def _number(text: str | None) -> float | None:
    """A number that can be shown; rules of others may write what they like."""
    value = optional_number(text)
    return None if value is None or not math.isfinite(value) else value


def _causes(text: str | None) -> list[Cause]:
    try:
        return msgspec.json.decode(text or "[]", type=list[Cause])
    except msgspec.MsgspecError:
        return []


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310 - the address is a setting
        return json.load(answer)
