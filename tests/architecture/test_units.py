"""How long a day is stands in `schemas/units.py`, and nowhere else, neither by name nor by number."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas import units

ROOT = Path(__file__).parents[2]
HOME = ROOT / "schemas/units.py"
FOLDERS = ("jobs", "schemas", "serving", "online_learning", "infra", "tests")
SOURCES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")) if path != HOME]
NAMES = {name for name in vars(units) if name.isupper()}
# A minute is not among them: 60,000 may be a count of anything. As a factor it is a minute.
ALONE = {units.HOUR_MS, units.DAY_MS, units.WEEK_MS}
FACTORS = {units.MINUTE_MS, *ALONE}
IN_SECONDS = {60, 1800, 3600, 86_400}


def factors(node: ast.AST) -> list[float]:
    """The numbers of a product, one for a number by itself; none for anything else."""
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return [node.value]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return [*factors(node.left), *factors(node.right)]
    return []


def second_definitions(tree: ast.AST) -> Iterator[str]:
    """Units defined by their names, imported from elsewhere than their file, or written as numbers."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id.lstrip("_") in NAMES:
            yield f"line {node.lineno}: {node.id} is defined again"
        elif isinstance(node, ast.ImportFrom) and node.module != "schemas.units":
            for alias in node.names:
                if alias.name.lstrip("_") in NAMES:
                    yield f"line {node.lineno}: {alias.name} is imported from {node.module}"
        elif isinstance(node, ast.BinOp | ast.Constant):
            found = set(factors(node))
            product = isinstance(node, ast.BinOp)
            if found & (FACTORS if product else ALONE) or (product and 1000 in found and found & IN_SECONDS):
                yield f"line {node.lineno}: {ast.unparse(node)} is a unit of schemas/units.py"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_unit_is_not_defined_a_second_time(path: Path) -> None:
    assert list(second_definitions(ast.parse(path.read_text("utf-8")))) == []


@pytest.mark.parametrize(
    "line",
    [
        "DAY_MS = 24 * other",
        "_HOUR_MS: int = other",
        "SECOND_MS, MINUTE_MS = others",
        "from serving.windows import DAY_MS",
        "KEEP_MS = 3_600_000",
        "KEEP_MS = 86_400_000.0",
        "KEEP_MS = 10 * 60_000",
        "KEEP_MS = 24 * 3600 * 1000",
        "KEEP_MS = days * 24 * 3600 * 1000",
        "KEEP_MS = 5 * 60 * 1000",
    ],
)
def test_the_scan_sees_every_second_definition(line: str) -> None:
    assert list(second_definitions(ast.parse(line)))


@pytest.mark.parametrize(
    "line", ["from schemas.units import DAY_MS", "KEEP_MS = 10 * DAY_MS", "EVENTS = 60_000", "TTL_S = 30 * 24 * 3600"]
)
def test_a_use_of_a_unit_and_a_count_are_no_definitions(line: str) -> None:
    assert not list(second_definitions(ast.parse(line)))
