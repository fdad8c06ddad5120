"""The rules of Prometheus for tests that can not wait: windows, offsets and holds are seconds."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import yaml

from schemas.alerts.catalogue import DEFINITIONS

UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
DURATION = re.compile(r"(?<=\[)(\d+)([smhd])(?=\])|(?<=offset )(\d+)([smhd])")


@dataclass(frozen=True)
class Shortening:
    """Windows and offsets divided by `factor` and kept within two bounds, in seconds; an alert that is held back is
    held for `hold_s`."""

    factor: float
    shortest_s: int
    longest_s: int
    hold_s: int

    def of(self, duration: str) -> str:
        """A duration such as 5m, shortened."""
        seconds = int(duration[:-1]) * UNIT_S[duration[-1]]
        return f"{round(min(max(seconds / self.factor, self.shortest_s), self.longest_s))}s"

    def hold(self, duration: str) -> str:
        """How long an alert is held back; nothing stays nothing."""
        return duration if duration == "0s" else f"{self.hold_s}s"

    def expr(self, text: str) -> str:
        """An expression with its windows and offsets shortened."""
        return DURATION.sub(lambda found: self.of((found[1] or found[3]) + (found[2] or found[4])), text)

    def rules(self, text: str, held: Collection[str] = (), limits: Mapping[str, float] = MappingProxyType({})) -> str:
        """A rules file with every rule shortened; those `held` are held back for as long as they ship, and those that
        `limits` names have these."""
        read = yaml.safe_load(text)
        for group in read["groups"]:
            for rule in group["rules"]:
                name, expr = rule["alert"], rule["expr"]
                if name in limits:
                    expr = replace(DEFINITIONS[name], limit=limits[name]).expr
                rule |= {"expr": self.expr(expr), "for": rule["for"] if name in held else self.hold(rule["for"])}
        return yaml.safe_dump(read)
