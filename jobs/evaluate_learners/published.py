"""What others measured, from the small tables beside this file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent

Figures = dict[str, float]


@dataclass(frozen=True)
class Published:
    """Figures by name, and where they come from."""

    source: str
    figures: dict[str, Figures]


def published(name: str, part: str = "") -> Published:
    """What is published of a data set, or of one part of it; nothing when there is no table."""
    file = HERE / f"{name}.toml"
    if not file.exists():
        return Published("", {})
    content = tomllib.loads(file.read_text(encoding="utf-8"))
    figures = content["figures"]
    return Published(content["source"], figures.get(part, {}) if part else figures)
