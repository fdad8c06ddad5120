"""The rules by name; a new one is a file here and a line below. A policy says which are in force."""

from __future__ import annotations

from serving.recommend.rules import banned, bought, seen, stock
from serving.recommend.rules.rule import Rule

RULES: dict[str, Rule] = {rule.NAME: rule for rule in (stock, banned, bought, seen)}
