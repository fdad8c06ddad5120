"""A small recommender in force on the running stack, and what the job says of its index."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import quote

import msgspec

from infra import control_topic, flink_client, promotion
from infra.stack import flink_rest
from jobs.evaluate_recommend.split import stratified
from jobs.names import RECOMMEND
from jobs.train_recommend import held_out
from jobs.train_recommend.parameters import Embeddings, Parameters, Trees
from jobs.train_recommend.register import NAME, register
from schemas.events import ControlRecord, Interaction, Item
from schemas.models import Promotion
from schemas.settings import Settings
from serving.registry import PRODUCTION, Registry

PARAMETERS = Parameters(embeddings=Embeddings(dimension=4, rounds=3), trees=Trees(count=2), splits=1)
USERS, EVENTS = 40, 1_500


@contextmanager
def promoted(given: Settings, item_ids: Sequence[str]) -> Iterator[str]:
    """The label of a model that was trained on these items and is in Production; taken back at the end."""
    registry, send = Registry(Path(given.registry.path)), partial(control_topic.send, given.kafka)
    had = registry.versions(NAME)
    before = registry.champion(NAME)
    fitted = held_out.fit(
        [Item(event_id=item_id, event_time_ms=1, item_id=item_id) for item_id in item_ids],
        _tastes(item_ids),
        PARAMETERS,
        stratified,
        threads=1,
        tell=lambda _: None,
    )
    now_ms = time.time_ns() // 1_000_000
    number = register(registry, fitted, PARAMETERS, data="invented", code_version="0", author="tester", at_ms=now_ms)
    wanted = Promotion(number, PRODUCTION, now_ms, "tester", "a test")
    promotion.promote(registry, send, NAME, wanted, promotion.Force(force=True))
    try:
        yield f"{NAME}@{number}"
    finally:
        if before is not None:
            promotion.roll_back(registry, send, NAME, author="tester", at_ms=now_ms + 1, note="the test is over")
        else:
            gone = ControlRecord(
                event_id=f"{NAME}-{now_ms}",
                event_time_ms=now_ms + 1,
                kind="model",
                name=NAME,
                payload=msgspec.Raw(b"null"),
            )
            send([gone])
            if not had:
                shutil.rmtree(registry.root / NAME)


def gauges(given: Settings) -> dict[str, float]:
    """What the recommender says of itself now, by the metric's name."""
    path = f"/jobs/{flink_client.running(given)[RECOMMEND]}"
    found: dict[str, float] = {}
    for vertex in flink_rest.ask(given, path)["vertices"]:
        metrics = f"{path}/vertices/{vertex['id']}/metrics"
        wanted = [entry["id"] for entry in flink_rest.ask(given, metrics) if ".sluice." in entry["id"]]
        if wanted:
            for entry in flink_rest.ask(given, f"{metrics}?get={quote(','.join(wanted), safe=',')}"):
                found[entry["id"].rpartition(".")[2]] = float(entry["value"])
    return found


def _tastes(item_ids: Sequence[str]) -> list[Interaction]:
    """Users who keep to one of four parts of the catalogue."""
    chance, quarter = random.Random(5), len(item_ids) // 4
    return [
        Interaction(
            event_id=f"e{number}",
            event_time_ms=1_000 * number,
            user_id=f"u{user}",
            item_id=item_ids[user % 4 * quarter + int(chance.random() ** 2 * quarter)],
            kind="click",
        )
        for number in range(EVENTS)
        for user in (chance.randrange(USERS),)
    ]
