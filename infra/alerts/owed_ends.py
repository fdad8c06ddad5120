"""Ends that PagerDuty must still hear: its incident stays open while people hear of the end over another channel. Pure.

`infra/alerts/policy.py` says which channels were tried with a message. What a channel did with one that it did not take
is not known, so its incidents count as open; PagerDuty passes by the end of what it does not know.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from itertools import islice

import msgspec

from infra.alerts.notice import Message, Notice
from infra.alerts.routing_state import Pager, PersonState
from schemas.settings import Channel

# An incident is a post of its own, and a person's next message waits for all of them.
ENDS_AT_ONCE = 10
# Incidents that may be open at one channel; beyond it nobody closes the oldest.
MAX_OPEN = 10_000


def tried(state: PersonState, channels: Iterable[Channel], message: Message) -> None:
    """Remember what these channels may have opened; those that keep no incidents are passed by."""
    begun = {
        incident: notice
        # A message in a state file of an older release names no incidents.
        for notice, incident in zip(message.notices, message.incidents, strict=False)
        if incident and notice.state == "firing"
    }
    for channel in channels if begun else ():
        if channel.kind == "pagerduty":
            pager = state.pagers.setdefault(_identity(channel), Pager())
            pager.open |= begun
            while len(pager.open) > MAX_OPEN:
                del pager.open[next(iter(pager.open))]


def taken(state: PersonState, channels: Iterable[Channel], message: Message) -> None:
    """Forget what these channels closed, by the last word of each incident, and that they did not answer before."""
    last = {incident: notice.state for notice, incident in zip(message.notices, message.incidents, strict=True)}
    for identity in map(_identity, channels):
        if pager := state.pagers.get(identity):
            pager.open = {
                incident: notice for incident, notice in pager.open.items() if last.get(incident) != "resolved"
            }
            pager.failures = pager.retry_ms = 0
            if not pager.open:
                del state.pagers[identity]


def not_taken(state: PersonState, channel: Channel, pause_ms: Callable[[int], int], now_ms: int) -> None:
    """Let a channel alone with ends for a while: `pause_ms` says for how long after so many failures in a row."""
    if pager := state.pagers.get(_identity(channel)):
        pager.failures += 1
        pager.retry_ms = now_ms + pause_ms(pager.failures)


def owed(state: PersonState, channel: Channel, now_ms: int) -> dict[str, Notice]:
    """The ends to tell this channel now, by incident: of what may be open there and no alert holds any more."""
    pager = state.pagers.get(_identity(channel))
    if pager is None or now_ms < pager.retry_ms:
        return {}
    # An alert holds its incident until people have heard of its end.
    held = {told.incident for told in state.told.values()}
    over = (incident for incident in pager.open if incident not in held)
    return {
        incident: msgspec.structs.replace(pager.open[incident], state="resolved")
        for incident in islice(over, ENDS_AT_ONCE)
    }


def _identity(channel: Channel) -> str:
    """The same wherever the channel stands in the settings; a hash, so that the state file holds no key."""
    return hashlib.sha256(msgspec.json.encode([channel.kind, channel.url, channel.key])).hexdigest()[:32]
