"""The results as rows beside the budgets and the published peers, as one JSON object, and as lines of history."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from infra.bench.alerts import AlertLatency
from infra.bench.asker import Endpoint
from infra.bench.click_to_list import ClickToList
from infra.bench.curves import MICRO_BATCH, Curve
from infra.bench.drift import Overhead
from infra.bench.freshness import Freshness
from infra.bench.latency import Latency
from infra.bench.learner import Learned
from infra.bench.lists import Lists
from infra.bench.percentiles import Percentiles
from infra.bench.plain_loop import Looped
from infra.bench.recovery import Recovery
from infra.bench.reference import Reference
from infra.bench.throughput import Drain
from schemas.units import MINUTE_MS

# The design's measurements of the reference work on 2 cores: throughput, then p50 / p99 at 5,000/s in ms.
PEERS = (
    ("plain Kafka consumer loop, no fault tolerance", "36,000", "4.4 / 7.2"),
    ("Flink 2.3, micro-batch 10 ms, thread mode", "17,000-20,000", "14.3 / 25.0"),
    ("Bytewax 0.21", "13,400", "12 / 1,929"),
    ("Quix Streams 3.28", "8,300-10,400", "290 / 935"),
    ("Faust-streaming 0.15", "1,700-2,500", "not sustained"),
)
LINE = "{:<44}{:>22}  {:<26}{}"
LEARNER_BUDGET = 10_000
# What a learner's memory may grow by once its windows are full, however much it learns, MiB.
LEARNER_GROWTH_MB = 8
# Limits at a rate: p50 and p99 in ms, None = no budget.
LATENCY_BUDGETS: dict[str, tuple[float | None, float | None]] = {"2000": (15, 40), "5000": (None, 60)}


def table(found: dict[str, Any]) -> str:
    """Measurements beside their budgets; what was not measured is left out."""
    machine = found["machine"]
    head = f"{machine['cores']} cores, {machine['memory_gb']} GiB, load average before {machine['load_average']}"
    quick = "; QUICK: short runs, the figures mean little" if found.get("quick") else ""
    return "\n".join(
        ["", f"{head}, model {found['model']}{quick}", "", LINE.format("what", "measured", "budget", ""), *rows(found)]
    )


def rows(found: dict[str, Any]) -> list[str]:
    """The lines about what was measured, without a head."""
    kinds = (
        _latency,
        _throughput,
        _freshness,
        _store_read,
        _drift,
        _recommend,
        _state,
        _alerts,
        _recovery,
        _reference,
        _memory,
        _curves,
        _learner,
        _learner_memory,
    )
    return [line for kind in kinds for line in kind(found)]


def summary(found: dict[str, Any]) -> dict[str, Any]:
    """One flat object; the keys of what was not measured are absent."""
    short: dict[str, Any] = {key: found[key] for key in ("at_ms", "machine", "model")}
    for name, add in _KEYS.items():
        if name in found:
            short |= add(found[name])
    return short


class History:
    """The file that keeps every bench: a line for each result as it comes, marked `partial`, then one with all.

    Lines of a bench have its `at_ms`, machine and model in common. One that was killed has partial lines alone.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        file.parent.mkdir(parents=True, exist_ok=True)

    def add(self, bench: dict[str, Any], result: dict[str, Any]) -> None:
        """Keep one result of a bench."""
        self._append(bench | result | {"partial": True})

    def close(self, found: dict[str, Any]) -> None:
        """Keep the whole bench."""
        self._append(found)

    def _append(self, line: dict[str, Any]) -> None:
        with self.file.open("ab") as file:
            file.write(msgspec.json.encode(line) + b"\n")


def _short(percentiles: Percentiles) -> dict[str, float]:
    return {"p50": percentiles.p50, "p95": percentiles.p95, "p99": percentiles.p99, "p999": percentiles.p999}


_KEYS: dict[str, Any] = {
    "throughput": lambda drain: {"throughput_per_s": drain.per_s},
    "latency": lambda rates: {"latency_ms": {rate: _short(at.answers) for rate, at in rates.items()}},
    "drift": lambda overhead: {
        "throughput_ratio_with_drift": overhead.ratio,
        "throughput_ratios_with_drift": [round(pair.ratio, 3) for pair in overhead.pairs],
        "drift_cost": msgspec.to_builtins(overhead.cost),
    },
    "plain-loop": lambda looped: {"plain_loop_per_s": looped.per_s},
    "reference": lambda reference: {
        "reference_per_s": reference.drain.per_s,
        "reference_latency_ms": _short(reference.latency.answers),
    },
    "recovery": lambda recovery: {"recovery_s": recovery.silence_s},
    "freshness": lambda freshness: {"redis_freshness_ms": _short(freshness.seen)},
    "store-read": lambda percentiles: {"store_read_ms": _short(percentiles)},
    "alerts": lambda alerts: {
        "alert_latency_s": _in_seconds(alerts["published"].all),
        "store_down_s": alerts["store_down_s"],
    },
    "memory": lambda parts: {"rss_mb": parts},
    "recommend": lambda lists: {
        "click_to_list_ms": _short(lists.rates[-1].clicks.seen),
        "recommend_ms": _short(lists.rates[-1].asked.answers),
        "click_to_list_at_ms": {f"{at.clicks.rate:.0f}": _short(at.clicks.seen) for at in lists.rates},
        "recommend_at_ms": {f"{at.clicks.rate:.0f}": _short(at.asked.answers) for at in lists.rates},
    },
    "learner": lambda learned: {"learner_examples_per_s": learned.per_s},
    "learner-memory": lambda learned: {"learner_rss_mb": learned.rss_mb},
    "state": lambda state: {
        "state_bytes_per_user": state["bytes"]["user"],
        "recommend_bytes": state["recommend_bytes"],
    },
}


def _row(what: str, measured: str, budget: str = "", met: bool | None = None, note: str = "") -> str:
    verdict = "" if met is None else "met" if met else "MISSED"
    return LINE.format(what, measured, budget, f"{verdict:<8}{note}").rstrip()


def _at(what: str, at: Latency, budget: tuple[float | None, float | None]) -> list[str]:
    answers, (p50, p99) = at.answers, budget
    wanted = ", ".join(f"{name} < {ms:g}" for name, ms in (("p50", p50), ("p99", p99)) if ms is not None)
    met = None if not wanted else all(m is None or v < m for v, m in ((answers.p50, p50), (answers.p99, p99)))
    trouble = ", ".join(
        text
        for text, bad in (
            (f"{at.lost:,} lost", at.lost),
            (f"{at.repeated:,} repeated", at.repeated),
            (f"load itself up to {at.slip_ms:.0f} ms late", at.slip_ms > 5),
        )
        if bad
    )
    return [
        _row(f"{what}, p50 / p99 ms", f"{answers.p50:.1f} / {answers.p99:.1f}", wanted, met, trouble),
        _row("    p95 / p99.9 / longest ms", f"{answers.p95:.1f} / {answers.p999:.1f} / {answers.max:.0f}"),
    ]


def _learner(found: dict[str, Any]) -> list[str]:
    if "learner" not in found:
        return []
    learned: Learned = found["learner"]
    looks = learned.rss_mb
    return [
        _row(
            "labelled examples learned, linear, events/s",
            f"{learned.per_s:,.0f}",
            f">= {LEARNER_BUDGET:,}",
            learned.per_s >= LEARNER_BUDGET,
        ),
        _row("    its memory from half way to the end, MiB", f"{looks[len(looks) // 2]:.0f} to {looks[-1]:.0f}"),
    ]


def _learner_memory(found: dict[str, Any]) -> list[str]:
    if "learner-memory" not in found:
        return []
    learned: Learned = found["learner-memory"]
    first, half, last = learned.rss_mb[0], learned.rss_mb[len(learned.rss_mb) // 2 - 1], learned.rss_mb[-1]
    return [
        _row(
            f"a learner's memory over {learned.count:,} examples",
            f"{last - half:+.1f} MiB",
            f"< {LEARNER_GROWTH_MB} MiB",
            last - half < LEARNER_GROWTH_MB,
        ),
        _row("    after a tenth / half / all of them, MiB", f"{first:.0f} / {half:.0f} / {last:.0f}"),
    ]


def _latency(found: dict[str, Any]) -> list[str]:
    rates: dict[str, Latency] = found.get("latency", {})
    none = (None, None)
    rows = (_at(f"latency at {int(rate):,}/s", at, LATENCY_BUDGETS.get(rate, none)) for rate, at in rates.items())
    return [line for lines in rows for line in lines]


def _throughput(found: dict[str, Any]) -> list[str]:
    lines = []
    if "throughput" in found:
        drain: Drain = found["throughput"]
        note = f"{drain.lost:,} lost, {drain.repeated:,} repeated of {drain.count:,}, over {drain.share:.0%} of them"
        lines.append(_row("throughput, payments/s", f"{drain.per_s:,.0f}", ">= 15,000", drain.per_s >= 15_000, note))
    if "plain-loop" in found:
        looped: Looped = found["plain-loop"]
        lines.append(_row("the same step in a plain loop, payments/s", f"{looped.per_s:,.0f}"))
    return lines


def _freshness(found: dict[str, Any]) -> list[str]:
    if "freshness" not in found:
        return []
    fresh: Freshness = found["freshness"]
    note = f"{fresh.unseen:,} never seen" if fresh.unseen else ""
    measured = f"{fresh.seen.p50:.1f} / {fresh.seen.p99:.1f}"
    what = f"readable in Redis at {fresh.rate:,.0f}/s, p50 / p99 ms"
    return [_row(what, measured, "p99 < 150", fresh.seen.p99 < 150, note)]


def _store_read(found: dict[str, Any]) -> list[str]:
    if "store-read" not in found:
        return []
    read: Percentiles = found["store-read"]
    measured = f"{read.p50:.2f} / {read.p99:.2f}"
    return [_row("features of a user from Redis, p50 / p99 ms", measured, "p99 < 2", read.p99 < 2)]


def _state(found: dict[str, Any]) -> list[str]:
    if "state" not in found:
        return []
    sizes: dict[str, int] = found["state"]["bytes"]
    others = ", ".join(f"{kind} {size:,}" for kind, size in sizes.items() if kind != "user")
    checkpoint = found["state"]["checkpoint_mb"]
    note = f"{others}; last checkpoint {checkpoint} MiB" if checkpoint is not None else others
    shop: dict[str, int] = found["state"]["recommend_bytes"]
    return [
        _row("state of a user, 100 events kept, bytes", f"{sizes['user']:,}", "< 1,024", sizes["user"] < 1024, note),
        _row("recommender's state of a user / an item, bytes", f"{shop['user']:,} / {shop['item']:,}"),
        _row(
            "    its memory of a user / an item, bytes",
            f"{shop['user_memory']:,} / {shop['item_memory']:,}",
            note=f"and {shop['vector_memory']:,} for the item's vector and its part of the index",
        ),
    ]


def _drift(found: dict[str, Any]) -> list[str]:
    if "drift" not in found:
        return []
    overhead: Overhead = found["drift"]
    cost = overhead.cost
    pairs = ", ".join(f"{pair.with_per_s:,.0f} to {pair.without_per_s:,.0f}" for pair in overhead.pairs)
    between = f"{overhead.lowest_ratio:.1%} to {overhead.highest_ratio:.1%}"
    note = f"median of {len(overhead.pairs)} pairs, {between}; with to without, /s: {pairs}"
    return [
        _row("throughput with the watch of drift", f"{overhead.ratio:.1%}", "> 90 %", overhead.ratio > 0.9, note),
        _row("    an answer that is watched / at its sample, us", f"{cost.watched_us:.1f} / {cost.answer_us:.1f}"),
        _row("    business figures of an answer, us", f"{cost.figures_us:.1f}"),
        _row("    reports of an hour and its day, ms", f"{cost.report_ms:.0f}", note=f"{cost.reports} reports"),
        _row("    sketch of a column, an hour, bytes", f"{cost.bytes_per_column:,.0f}"),
    ]


def _recommend(found: dict[str, Any]) -> list[str]:
    if "recommend" not in found:
        return []
    lists: Lists = found["recommend"]
    shop = lists.rates[-1].clicks
    return [
        *(line for at in lists.rates for line in _clicks(at.clicks, at.asked)),
        _row(
            "    recommender / recall@10 of its index",
            f"{lists.recommender} / {lists.recall_at_10:.3f}",
            note=f"{shop.users:,} users, {shop.visitors:,} of them click, {shop.items:,} items",
        ),
    ]


def _clicks(clicks: ClickToList, asked: Endpoint) -> list[str]:
    seen, answers = clicks.seen, asked.answers
    late = f"{clicks.unseen:,} not seen, {clicks.unanswered:,} without a list"
    own = f"{asked.rate:,.0f}/s, {asked.from_list:,} of {answers.count:,} from the own list of {asked.users:,} users"
    return [
        _row(
            f"click to list at {clicks.rate:,.0f}/s, p50 / p99 ms",
            f"{seen.p50:.1f} / {seen.p99:.1f}",
            "p99 < 200",
            seen.p99 < 200 and not clicks.unseen,
            late if clicks.unseen or clicks.unanswered else "",
        ),
        _row(
            "    GET /recommendations, p50 / p99 ms",
            f"{answers.p50:.1f} / {answers.p99:.1f}",
            "p99 < 20",
            answers.p99 < 20,
            own,
        ),
    ]


def _alerts(found: dict[str, Any]) -> list[str]:
    parts: dict[str, Any] = found.get("alerts", {})
    lines = []
    if "published" in parts:
        told: AlertLatency = parts["published"]
        lost = f"{told.lost:,} lost" if told.lost else ""
        for what, at, note in (
            ("alert to receiver, new group", told.opening, ""),
            ("    joining a group", told.joining, lost),
        ):
            measured = f"{at.p50 / 1000:.2f} / {at.p99 / 1000:.2f}"
            lines.append(_row(f"{what}, p50 / p99 s", measured, "p99 < 60", at.p99 < MINUTE_MS, note))
    if "store_down_s" in parts:
        each: list[float] = parts["store_down_s"]
        longest, times = max(each), ", ".join(f"{seconds:.1f}" for seconds in each)
        lines.append(_row("a store that dies to receiver, longest s", f"{longest:.1f}", "< 60", longest < 60, times))
    return lines


def _in_seconds(at: Percentiles) -> dict[str, float]:
    return {"p50": round(at.p50 / 1000, 3), "p99": round(at.p99 / 1000, 3), "max": round(at.max / 1000, 3)}


def _recovery(found: dict[str, Any]) -> list[str]:
    if "recovery" not in found:
        return []
    recovery: Recovery = found["recovery"]
    note = f"latest {recovery.late_s:.1f} s late; {recovery.repeated:,} repeated of {recovery.count:,}"
    return [
        _row("longest silence after SIGKILL, s", f"{recovery.silence_s:.1f}", "< 10", recovery.silence_s < 10, note),
        _row("    payments lost", f"{recovery.lost:,}", "0", not recovery.lost),
    ]


def _reference(found: dict[str, Any]) -> list[str]:
    if "reference" not in found:
        return []
    reference: Reference = found["reference"]
    drain = reference.drain
    return [
        _row("reference work, payments/s", f"{drain.per_s:,.0f}", ">= 30,000", drain.per_s >= 30_000),
        *_at(f"reference work at {reference.latency.rate:,.0f}/s", reference.latency, (10, 25)),
        *(_row(f"    {name}", rate, f"p50 / p99 {times}") for name, rate, times in PEERS),
    ]


def _memory(found: dict[str, Any]) -> list[str]:
    parts: dict[str, float] = found.get("memory", {})
    if not parts:
        return []
    return ["", f"memory, MiB: {sum(parts.values()):,.0f}", *(f"  {name:<18}{mb:>8,.0f}" for name, mb in parts.items())]


def _curves(found: dict[str, Any]) -> list[str]:
    measured: list[Curve] = found.get("curves", [])
    if not measured:
        return []
    lines = [
        "",
        "cost per event of the step in one process, state in memory, processor us",
        f"  (users share the bytes of one; n buckets are batches of {MICRO_BATCH}/n)",
    ]
    for curve in measured:
        lines.append(f"  {curve.name:<26}" + "".join(f"{value:>12,}" for value in curve.values))
        lines.append(f"  {'':<26}" + "".join(f"{us:>12,.1f}" for us in curve.us_per_event))
    return lines
