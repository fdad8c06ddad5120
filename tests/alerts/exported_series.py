"""Which series and labels a query asks for, and which a page of metrics has."""

from __future__ import annotations

import re
import urllib.request

# What Prometheus adds to every series that it scrapes.
OF_PROMETHEUS = {"job", "instance"}

_NAME = r"\b(?:flink|sluice)_\w+"


def scraped(settings):
    """What Flink's JobManager and TaskManagers export now, in the text format of Prometheus."""
    ports = settings.stack.ports
    pages = []
    for number in range(settings.stack.task_managers + 1):
        with urllib.request.urlopen(
            f"http://127.0.0.1:{ports.flink_metrics_first + number}/metrics", timeout=10
        ) as said:
            pages.append(said.read().decode())
    return "\n".join(pages)


def exported(text):
    """The labels of each series of a page, by name."""
    found = {}
    for name, labels in re.findall(r"^(\w+)(?:\{(.*)\})? \S+", text, re.MULTILINE):
        found.setdefault(name, set()).update(re.findall(r'(\w+)="(?:[^"\\]|\\.)*"', labels))
    return found


def labels_asked(query):
    """The labels that a query selects or groups each of its series by, by name."""
    found = {name: set() for name in re.findall(_NAME, query)}
    for name, selected in re.findall(rf"({_NAME})\{{([^}}]*)\}}", query):
        found[name] |= set(re.findall(r"(\w+)\s*(?:=|!)", selected))
    for grouped in re.finditer(r"\bby \(([^)]*)\) \(", query):
        labels = set(re.findall(r"\w+", grouped[1]))
        for name in re.findall(_NAME, _until_closed(query[grouped.end() :])):
            found[name] |= labels
    return found


def shown(legend, query):
    """The labels that a legend names, and those that are left of the query's series; None = all of each."""
    kept = re.findall(r"\bby \(([^)]*)\)", query)
    return set(re.findall(r"\{\{(\w+)\}\}", legend)), set(re.findall(r"\w+", kept[0])) if kept else None


def _until_closed(text):
    depth = 1
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if not depth:
            return text[:place]
    raise AssertionError(f"a parenthesis is not closed: {text}")
