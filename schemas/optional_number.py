"""A number that may be missing, as labels of alerts and cells of files hold it."""

from __future__ import annotations

from typing import SupportsFloat


def optional_number(cell: SupportsFloat | str | None) -> float | None:
    """The number that a cell or a text holds, None where it is missing or holds none."""
    try:
        return None if cell is None else float(cell)
    except ValueError:
        return None
