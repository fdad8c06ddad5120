"""The report as one HTML file that loads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from infra.drift_report import plots
from infra.drift_report.histories import History
from schemas.instants import minute

# Cards of what is fine come last, and are no more than this.
MOST_CARDS = 200
HEAD = ("level", "model", "segment", "what", "measure", "value", "limit", "off by", "rows", "hours")

STYLE = """
:root { color-scheme: light dark; --ground: #fbfaf7; --ink: #22252b; --soft: #6a6f78; --edge: #e0ddd4; --card: #fff;
  --before: #b9b4a7; --now: #2f6690; --bad: #b3261e; --warn: #9a5b00; --good: #2e6b3f; }
@media (prefers-color-scheme: dark) { :root { --ground: #16181c; --ink: #e8e6e1; --soft: #9ba0aa; --edge: #33373f;
  --card: #1e2127; --before: #6d6a63; --now: #74b3de; --bad: #ff8a80; --warn: #f0b35e; --good: #81c995; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1rem 4rem; max-width: 75rem; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .2rem; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .8rem; }
p.lead { color: var(--soft); margin: 0 0 1.5rem; }
p.warning { color: var(--bad); font-weight: 600; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: 1rem; }
article { background: var(--card); border: 1px solid var(--edge); border-radius: .5rem; padding: .9rem 1rem;
  border-left: .3rem solid var(--edge); overflow-wrap: anywhere; }
article.significant { border-left-color: var(--bad); } article.moderate { border-left-color: var(--warn); }
article h3 { font-size: 1rem; margin: 0; }
article p { margin: .1rem 0 .4rem; color: var(--soft); font-size: .86rem; }
.figure { font-size: 1.35rem; font-variant-numeric: tabular-nums; }
.figure small { font-size: .8rem; color: var(--soft); }
.significant .level { color: var(--bad); } .moderate .level { color: var(--warn); } .none .level { color: var(--good); }
svg { width: 100%; height: auto; display: block; margin-top: .4rem; }
.before { fill: var(--before); } .now { fill: var(--now); } .axis { stroke: var(--edge); }
.line { fill: none; stroke: var(--now); stroke-width: 2; } .dot { fill: var(--now); }
.limit { stroke: var(--bad); stroke-dasharray: 4 4; }
.key { color: var(--soft); font-size: .86rem; }
.key i { display: inline-block;
  width: .8em; height: .8em; margin: 0 .3em 0 .8em; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; display: block; overflow-x: auto; }
th, td { text-align: left; padding: .35rem .7rem .35rem 0; border-bottom: 1px solid var(--edge); white-space: nowrap; }
td.number { font-variant-numeric: tabular-nums; text-align: right; }
"""


def page(found: Sequence[History], warning: str = "") -> str:
    """The whole file. `found` is in the order in which it is to be read, a `warning` stands before it."""
    plotted = [history for history in found if history.newest.measure == "psi"]
    others = [history for history in found if history.newest.measure != "psi"]
    significant = sum(history.newest.level == "significant" for history in found)
    moderate = sum(history.newest.level == "moderate" for history in found)
    calm = len(found) - significant - moderate
    span = ""
    if found:
        first = min(report.window_start_ms for history in found for report in history.reports)
        span = f"Windows from {minute(first)} to {minute(max(h.newest.window_end_ms for h in found))} UTC. "
    warned = f"<p class='warning'>{escape(warning[0].upper() + warning[1:])}</p>" if warning else ""
    cards = "".join(map(_card, plotted[:MOST_CARDS]))
    left_out = len(plotted) - MOST_CARDS
    more = f"<p class='lead'>{left_out} more without drift are left out.</p>" if left_out > 0 else ""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Drift report</title><style>{STYLE}</style></head><body>
<h1>Drift report</h1>{warned}
<p class="lead">{span}{significant} significant, {moderate} moderate, {calm} without drift.</p>
<p class="key"><i style="background:var(--before)"></i>reference<i style="background:var(--now)"></i>this window;
below, the measure over time with its limit dashed</p>
<h2>Distributions</h2><div class="cards">{cards}</div>{more}
<h2>Everything else</h2>{_table(others)}
</body></html>
"""


def _card(history: History) -> str:
    report = history.newest
    since = f", since {minute(report.since_ms)}" if report.since_ms is not None and report.level != "none" else ""
    action = f" · {escape(report.action)}" if report.action else ""
    segment = f" · {report.segment}" if report.segment else ""
    title = f"{report.name}, {report.measure}"
    small = f"<small>PSI, limit {report.limit:g}; {report.samples:,} rows</small>"
    return (
        f'<article class="{report.level}"><h3>{escape(report.name)}</h3>'
        f"<p>{escape(report.model)}{escape(segment)} · {report.subject} · {history.hours:g} h</p>"
        f'<div class="figure">{report.value:.3f} {small}</div>'
        f'<p><span class="level">{report.level}</span>{since}{action}</p>'
        f"{plots.bars(report.reference, report.current, report.edges, f'{title}: shares of bins')}"
        f"{plots.line([r.value for r in history.reports], report.limit, f'{title} over time')}</article>"
    )


def _table(found: Sequence[History]) -> str:
    if not found:
        return "<p class='lead'>Nothing.</p>"
    head = "".join(f"<th>{name}</th>" for name in HEAD)
    rows = []
    for history in found:
        report = history.newest
        error = "" if report.error is None else f"{report.error:.3f}"
        words = (report.model, report.segment, f"{report.subject} {report.name}", report.measure)
        figures = (f"{report.value:.4g}", f"{report.limit:.4g}", error, f"{report.samples:,}", f"{history.hours:g}")
        cells = "".join(f"<td>{escape(word)}</td>" for word in words)
        cells += "".join(f'<td class="number">{figure}</td>' for figure in figures)
        rows.append(f'<tr class="{report.level}"><td class="level">{report.level}</td>{cells}</tr>')
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
