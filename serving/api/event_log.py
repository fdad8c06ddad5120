"""What the API needs of the log that takes events from HTTP, and what was answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from schemas.events import Interaction, Label, RecommendationList

# Hears whether the log holds what was told.
Heard = Callable[[bool], None]


class EventLog(Protocol):
    """Where interactions and labels go, and what people were shown."""

    def append(self, event: Interaction | Label) -> None:
        """Returns when the log holds the event for good; raises PartFailedError when it may not."""
        ...

    def tell(self, shown: RecommendationList, heard: Heard) -> None:
        """Returns at once: nobody waits for what was shown to be written. `heard` may be called from another thread."""
        ...
