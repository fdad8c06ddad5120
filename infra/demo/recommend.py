"""The demo of recommendations: stack, a first model, jobs, a week of shoppers, then a minute of them live."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Event as Signal

from rich.console import Console

from infra import list_log, wall_clock
from infra.demo import farewell, first_recommender, history, jobs, list_view, live, parts, shoppers
from infra.demo.catch_up import World, catch_up
from infra.demo.list_board import ListBoard, ListPicture
from infra.demo.run import say
from infra.demo.screen import Screen, View
from infra.demo.steps import Steps
from infra.demo.watch import require_answers, watch
from infra.topic_tail import Tail
from jobs.names import RECOMMEND
from schemas.events import Interaction, RecommendationList
from schemas.settings import Settings
from schemas.topics import RECOMMENDATIONS
from schemas.units import DAY_MS

COMMANDS = {
    "sluice api": "lists, similar items and feedback over HTTP",
    "sluice status": "each part and each job: memory, lag, last checkpoint",
    "sluice models show recommend": "what the model learned from",
    "sluice models list": "how it was judged on interactions that were held out",
    "sluice control list": "the model and the policy of lists in force",
    "sluice evaluate recommend --off-policy --help": "what another policy would have earned, from the lists shown",
    "sluice down": "stop everything",
}
_QUERY = "flink_taskmanager_job_task_operator_sluice_catalogue_coverage_permille"


def run(settings: Settings, rate: float, seconds: float, console: Console) -> None:
    """Show it at `rate` interactions a second for `seconds`, or until Ctrl-C. Raises errors of ours only."""
    steps = Steps(console)
    parts.ensure(settings, steps)
    since_ms = wall_clock.now_ms() - shoppers.HISTORY_DAYS * DAY_MS
    with steps.step("model") as tell:
        model = first_recommender.present(settings) or first_recommender.make(settings, rate, since_ms, tell)
        tell(f"in Production, {model}")
    with steps.step("catalogue") as tell:
        catalogue = shoppers.catalogue(since_ms)
        board = ListBoard(catalogue)
        # What was popular before this run: the job knows it from the same log.
        before = sum(board.happened(event) for event in list_log.interactions(settings.kafka))
        tell(f"{len(catalogue):,} items, {before:,} interactions with them so far")
    past, stop = history.Past(history.INTERACTIONS), Signal()

    def take(made: RecommendationList, now_ms: float) -> None:
        if made.origin:
            return
        past.answered(made, time.monotonic())
        board.answered(made, now_ms)

    def known(from_ms: int, to_ms: int) -> Iterator[Interaction]:
        for event in shoppers.history(rate, from_ms, to_ms):
            board.happened(event)
            yield event

    number = shoppers.shoppers(rate)
    title = f"what {number:,} shoppers did in {shoppers.HISTORY_DAYS} days"
    world = World(number, known, since_ms, title, catalogue)
    with Tail(settings.kafka, RECOMMENDATIONS.name) as tail, ThreadPoolExecutor(3) as pool:
        reading = pool.submit(live.read, tail, RecommendationList, take, stop)
        try:
            job_id = catch_up(settings, world, steps, past, pool, reading)
            say(console, f"{steps.seconds:5.1f} s  all is ready: {rate:g} interactions a second for {seconds:g} s")
            _watch(settings, rate, seconds, board, Screen(console, seconds), pool, reading)
        finally:
            stop.set()
    jobs.remember(settings, job_id, number, RECOMMEND)
    picture = board.picture(time.monotonic())
    require_answers(settings, history.INTERACTIONS, picture)
    say(console, ending(settings, model, picture))


def ending(settings: Settings, model: str, picture: ListPicture) -> str:
    """What happened, and how to look further."""
    user = "USER" if picture.change is None else picture.change.user_id
    pages = {
        f"/recommendations/{user}": "one shopper's list, while `sluice api` runs",
        f"/recommendations/{user}?n=5&price_max=20": "the same for a request of its own",
        f"/recommendations/{user}/history": "the shopper's lists before",
        "/items/demo-i000001/similar": "items like one item",
    }
    return farewell.text(settings, [*list_view.totals(picture), ("model", model)], COMMANDS, pages, _QUERY)


def _watch(
    settings: Settings,
    rate: float,
    seconds: float,
    board: ListBoard,
    screen: Screen,
    pool: ThreadPoolExecutor,
    reading: Future[None],
) -> None:
    """Send the interactions and show the board until the last list, or until Ctrl-C."""

    def look(now_s: float) -> tuple[View, int]:
        picture = board.picture(now_s)
        return list_view.view(picture), picture.waiting

    watch(settings, partial(shoppers.minute, rate, seconds), board.sent, look, screen, pool, reading)
