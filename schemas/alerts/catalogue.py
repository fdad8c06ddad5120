"""The one catalogue of alerts. Rules of Prometheus, their tests and docs/alerts.md are generated from it."""

from __future__ import annotations

from schemas.alerts.api import API
from schemas.alerts.definition import Definition
from schemas.alerts.fraud import FRAUD
from schemas.alerts.jobs import JOBS
from schemas.alerts.models import MODELS
from schemas.alerts.parts import PARTS
from schemas.alerts.processes import PROCESS_ALERTS
from schemas.alerts.recommend import RECOMMEND
from schemas.alerts.routing import ROUTING
from schemas.alerts.silence import SILENCE
from schemas.alerts.traffic import TRAFFIC

GROUPS: dict[str, tuple[Definition, ...]] = {
    "parts": PARTS,
    "jobs": JOBS,
    "processes": PROCESS_ALERTS,
    "traffic": TRAFFIC,
    "silence": SILENCE,
    "fraud": FRAUD,
    "models": MODELS,
    "recommend": RECOMMEND,
    "api": API,
    "routing": ROUTING,
}
DEFINITIONS: dict[str, Definition] = {d.name: d for group in GROUPS.values() for d in group}

# Rows of the requirements without an alert, and why.
WITHOUT: dict[str, str] = {
    "ALR-16": "nothing here runs on a GPU",
    "ALR-25": "variants are a hash of the user, written where it is computed; lists lack the percents, which change",
    "ALR-30": "no signal of its own: the response that a definition names (infra/alerts/responses.py)",
}
# Parts of rows that have alerts for the rest, and why these have none.
PARTLY_WITHOUT: dict[str, str] = {
    "ALR-22": "build time and queries at capacity: an index is built in the job, in seconds; JobBusy tells of capacity",
    "ALR-23": "requests by GPU and load time: embeddings are made in the job, on its processor",
    "ALR-24": "opens, clicks and opt-outs: people are told of alerts, not of offers; the delivery log holds opens",
}
