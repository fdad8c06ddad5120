"""The way past a gate by hand, the same for models and for learners."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.errors import GateError, InputError


@dataclass(frozen=True)
class Force:
    """Passing the gate by hand: `yes` answers its question, `force` overrides its refusal and needs a note."""

    yes: bool = False
    force: bool = False

    def override(self, refusal: str, note: str) -> None:
        """Pass in spite of `refusal`. Raises GateError that says it without `force`, InputError without a note."""
        if not self.force:
            raise GateError(f"{refusal}, or override with --force and a --note")
        if not note:
            raise InputError("--force needs a --note that says why")
