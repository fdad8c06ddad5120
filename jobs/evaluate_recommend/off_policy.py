"""What a policy would earn, from what another one showed: the door to the estimators."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
import numpy as np

from jobs.evaluate_recommend import logged_lists, open_bandit
from jobs.evaluate_recommend.estimators import Log, Model, estimates, weights
from jobs.evaluate_recommend.intervals import Estimate, ratio
from schemas.errors import InputError
from schemas.events import Interaction

SEED = 29
LOGGED = "the logging policy"


class Result(msgspec.Struct, frozen=True):
    """The target's estimated click rate by `ips`, `snips` and `dr`, and how far the log carries.

    `logged_rate` is the click rate of the log itself; `on_policy` the rate that the target really had, where its own
    log is there. `left_out` counts what the log held and no row shows.
    """

    target: str
    rows: int
    units: int
    clicks: int
    logged_rate: float
    estimates: dict[str, Estimate]
    effective_sample_size: float
    largest_weight: float
    clip: float
    clipped_share: float
    on_policy: Estimate | None = None
    left_out: dict[str, int] = {}


def evaluate(folder: Path, target: Path | None = None, *, clip: float | None = None) -> Result:
    """The evaluation that the folder's files allow: the Open Bandit logs, or lists and clicks as JSON lines.

    Of JSON lines the target is the policy that wrote them, or the one that wrote the lists of the file `target`, which
    have the same ids and the target's propensities. `clip` bounds importance weights. Raises InputError when the folder
    holds neither, or what it holds can not be used.
    """
    if open_bandit.present(folder):
        if target is not None:
            raise InputError(f"{target}: the target of the Open Bandit logs is in them; leave out the file")
        return _open_bandit(folder, clip)
    files = sorted(path for path in folder.glob("*.jsonl") if target is None or path.resolve() != target.resolve())
    if files:
        lists, interactions = logged_lists.read(files)
        if target is None:
            return evaluate_lists(lists, interactions, clip=clip)
        policy = logged_lists.read_target(target)
        return evaluate_lists(lists, interactions, policy, name=target.name, clip=clip)
    raise InputError(
        f"{folder}: neither {open_bandit.RANDOM} and {open_bandit.THOMPSON} nor a .jsonl file of logged lists"
    )


def evaluate_lists(
    lists: Iterable[logged_lists.ShownList],
    interactions: Iterable[Interaction],
    target: logged_lists.Target = logged_lists.logged,
    *,
    name: str = LOGGED,
    clip: float | None = None,
) -> Result:
    """A target policy on logged lists, joined with the clicks that name them; users are the independent units."""
    joined = logged_lists.join(lists, interactions, target)
    left_out = {
        "repeated lists": joined.repeated_lists,
        "items not seen": joined.unseen_rows,
        "clicks on no list": joined.stray_clicks,
    }
    return _result(name, joined.log, logged_lists.model(joined), clip, left_out=left_out)


def _open_bandit(folder: Path, clip: float | None) -> Result:
    items = open_bandit.items_of(folder)
    random = open_bandit.read(folder / open_bandit.RANDOM, items)
    thompson = open_bandit.read(folder / open_bandit.THOMPSON, items)
    open_bandit.check_places(folder, random, thompson)
    policy = open_bandit.shares(thompson, items)
    return _result(
        "Bernoulli Thompson sampling",
        open_bandit.off_policy_log(random, policy),
        open_bandit.model(random, policy),
        clip,
        on_policy=ratio(thompson.click, np.ones(len(thompson.click)), seed=SEED),
    )


def _result(
    target: str,
    log: Log,
    model: Model,
    clip: float | None,
    *,
    on_policy: Estimate | None = None,
    left_out: dict[str, int] | None = None,
) -> Result:
    found = weights(log, clip)
    return Result(
        target,
        len(log.reward),
        int(log.unit.max()) + 1,
        int(log.reward.sum()),
        float(log.reward.mean()),
        estimates(log, model, clip=clip),
        found.effective_sample_size,
        found.largest,
        found.clip,
        found.clipped_share,
        on_policy,
        left_out or {},
    )
