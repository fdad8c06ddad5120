"""What the API needs of the log that takes events from HTTP."""

from __future__ import annotations

from typing import Protocol

from schemas.events import Interaction, Label


class EventLog(Protocol):
    """Where interactions and labels go."""

    def append(self, event: Interaction | Label) -> None:
        """Returns when the log holds the event for good; raises PartFailedError when it may not."""
        ...
