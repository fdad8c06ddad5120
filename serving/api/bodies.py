"""Bodies of requests that are no events."""

from __future__ import annotations

import msgspec


class ReplayBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a dead letter is played back: with `rekey`, one with a wrong key gets its event's own id as key."""

    rekey: bool = False
