"""Logged recommendation lists and the clicks on them, joined to rows of evidence about another policy.

A list is read by the few names below, so that lists of any release serve. A list that nobody saw says nothing: where
the log has views that name their list, only the items so seen are rows; where it has none, but tells what the API
showed of lists, those items are. A click beside either adds none: rows that a click selects would all be rewarded.

A place's propensity is given the places before it, so a row's weight is the product over the places down to it: what
stands above may move a click, what stands below may not (reward interaction IPS; McInerney et al., 2020).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np

from jobs.evaluate_recommend import reward_model
from jobs.evaluate_recommend.estimators import Log, Model
from schemas.codec import decode
from schemas.errors import EventError, InputError
from schemas.events import Interaction
from schemas.topics import INTERACTIONS, RECOMMENDATIONS

MAX_ROWS = 5_000_000
SMALLEST = 1e-12


class ShownItem(Protocol):
    """An item of a list: where it stood, and how probable that was, given the places before it."""

    @property
    def item_id(self) -> str: ...
    @property
    def position(self) -> int: ...
    @property
    def propensity(self) -> float: ...


class ShownList(Protocol):
    """A list of a user."""

    @property
    def list_id(self) -> str: ...
    @property
    def user_id(self) -> str: ...
    @property
    def items(self) -> Sequence[ShownItem]: ...
    @property
    def origin(self) -> str:
        """Not empty for an answer of the API, which showed items of the list `of_list`."""
        ...

    @property
    def of_list(self) -> str: ...


class Shown(msgspec.Struct, frozen=True):
    """ShownItem as read from a file."""

    item_id: str
    position: int
    propensity: float


class Listed(msgspec.Struct, frozen=True):
    """ShownList as read from a file; a list without `list_id` goes by its `event_id`."""

    user_id: str
    items: list[Shown]
    list_id: str = ""
    event_id: str = ""
    origin: str = ""
    of_list: str = ""

    def __post_init__(self) -> None:
        if not self.list_id and not self.event_id:
            raise ValueError("neither list_id nor event_id")

    @property
    def name(self) -> str:
        """The id that clicks name."""
        return self.list_id or self.event_id


# The probability with which another policy would have put each item of a logged list in its place, given those before.
Target = Callable[[ShownList], Sequence[float]]


def logged(shown: ShownList) -> list[float]:
    """The target that is the logging policy itself: what it earned, with the intervals of its own log."""
    return [item.propensity for item in shown.items]


def written_by(lists: Iterable[ShownList]) -> Target:
    """The target that wrote these lists: they have the ids of logged ones, and the target's own propensities.

    An item in a place that a list of the target leaves out has probability 0.
    """
    known = {(shown.list_id, item.item_id, item.position): item.propensity for shown in lists for item in shown.items}
    return lambda shown: [known.get((shown.list_id, item.item_id, item.position), 0.0) for item in shown.items]


class Joined(msgspec.Struct, frozen=True):
    """Rows in the order of the lists, what they were in, and what was left out."""

    log: Log
    position: np.ndarray[tuple[int], np.dtype[np.int64]]
    lists: int
    repeated_lists: int
    unseen_rows: int
    stray_clicks: int


def join(lists: Iterable[ShownList], interactions: Iterable[Interaction], target: Target = logged) -> Joined:
    """Lists with the clicks that name them. A second click on an item, and a list that comes again, count once.

    `lists` are gone through twice where no view tells what was seen: what no answer showed takes no memory then.
    Raises InputError when no item was seen, more than MAX_ROWS were, or something is no probability.
    """
    if iter(lists) is lists:
        raise TypeError("lists are gone through twice: give a collection, no iterator")
    clicked: set[tuple[str, str]] = set()
    seen: set[tuple[str, str]] = set()
    for event in interactions:
        if event.list_id and event.kind in {"click", "view"}:
            (clicked if event.kind == "click" else seen).add((event.list_id, event.item_id))
    told = seen or _answered(lists)
    columns: tuple[list[float], list[float], list[float], list[int], list[int]] = ([], [], [], [], [])
    reward, propensity, wanted, unit, position = columns
    known: set[str] = set()
    users: dict[str, int] = {}
    matched = repeated = unseen = 0
    for shown in lists:
        if shown.origin:
            continue
        if shown.list_id in known:
            repeated += 1
            continue
        known.add(shown.list_id)
        logged_so_far = wanted_so_far = 1.0
        places = sorted(zip(shown.items, target(shown), strict=True), key=lambda place: place[0].position)
        for item, probability in places:
            _require_probability(shown, item, probability)
            logged_so_far *= item.propensity
            wanted_so_far *= probability
            row = (shown.list_id, item.item_id)
            matched += row in clicked
            if told and row not in told:
                unseen += 1
                continue
            reward.append(float(row in clicked))
            propensity.append(logged_so_far)
            wanted.append(wanted_so_far)
            unit.append(users.setdefault(shown.user_id, len(users)))
            position.append(item.position)
        if len(reward) > MAX_ROWS:
            raise InputError(
                f"more than {MAX_ROWS:,} shown items; give a shorter part of the log, of the topics with --since"
            )
    if not reward:
        raise InputError("no item of a logged list was seen; give lists, and interactions that name their list")
    log = Log(np.array(reward), np.array(propensity), np.array(wanted), np.array(unit))
    return Joined(log, np.array(position), len(known), repeated, unseen, len(clicked) - matched)


def _answered(lists: Iterable[ShownList]) -> set[tuple[str, str]]:
    """What answers of the API showed of lists, as list and item."""
    return {(shown.of_list, item.item_id) for shown in lists if shown.origin and shown.of_list for item in shown.items}


def _require_probability(shown: ShownList, item: ShownItem, probability: float) -> None:
    """A product over twenty places of at least SMALLEST each is still a number above zero."""
    if not (SMALLEST <= item.propensity <= 1 and 0 <= probability <= 1):
        raise InputError(
            f"list {shown.list_id}, place {item.position}: propensity {item.propensity:g} and target {probability:g}; "
            f"give probabilities, and logged ones of at least {SMALLEST:g}"
        )


def model(joined: Joined) -> Model:
    """Cross-fitted rewards by position alone.

    A list does not hold what might have stood there instead, so only a model that does not look at items has a mean
    under the target; it still takes the position's share out of the variance.
    """
    hot = (joined.position[:, None] == np.unique(joined.position)[None, :]).astype(np.float64)
    of_shown, _ = reward_model.cross_fit(hot, joined.log.reward, joined.log.unit)
    return Model(of_shown, of_shown)


class _Line(msgspec.Struct):
    topic: str
    event: msgspec.Raw


class _Renamed(msgspec.Struct, frozen=True):
    """A Listed with its id settled."""

    list_id: str
    user_id: str
    items: list[Shown]
    origin: str
    of_list: str


def decode_list(raw: bytes) -> ShownList:
    """A list as the topic holds it. Raises msgspec.DecodeError."""
    found = msgspec.json.decode(raw, type=Listed)
    return _Renamed(found.name, found.user_id, found.items, found.origin, found.of_list)


def read_target(file: Path) -> Target:
    """The target that wrote the lists of a file of JSON lines. Raises InputError."""
    return written_by(read([file])[0])


def read(files: Iterable[Path]) -> tuple[list[ShownList], list[Interaction]]:
    """The lists and interactions of files of JSON lines, each {"topic": ..., "event": {...}}; other topics are passed.

    Raises InputError that names the file and the line.
    """
    lists: list[ShownList] = []
    interactions: list[Interaction] = []
    for file in files:
        for number, (topic, raw) in enumerate(_lines(file), 1):
            try:
                if topic == RECOMMENDATIONS.name:
                    lists.append(decode_list(raw))
                elif topic == INTERACTIONS.name:
                    interactions.append(decode(Interaction, raw))
            except (msgspec.DecodeError, EventError) as error:
                raise InputError(f"{file}: line {number}: {error}") from error
    return lists, interactions


def _lines(file: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with file.open("rb") as lines:
            for number, text in enumerate(lines, 1):
                try:
                    line = msgspec.json.decode(text, type=_Line)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    raise InputError(f"{file}: line {number}: {error}") from error
                yield line.topic, bytes(line.event)
    except OSError as error:
        raise InputError(f"{file}: {error.strerror or error}; give a file of JSON lines") from error
