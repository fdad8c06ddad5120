"""How one of Sluice's extras is installed: from a wheel, for on the package index `sluice` is another project."""

from __future__ import annotations


def install(extra: str) -> str:
    """The command, for messages that name what is missing."""
    return f"pip install 'sluice[{extra}] @ file:///PATH/TO/WHEEL', with the wheel that `uv build --wheel` makes"
