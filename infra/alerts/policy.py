"""Who is told of what and when: dedup, classes, quiet hours, rates and fallback (NOT-1 to NOT-6). Pure; time is given.

A notice that is taken in is either passed by as a repeat, or waits and leaves in exactly one message; a message that no
channel took waits again. `infra/alerts/router.py` calls it and keeps its state.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal
from zoneinfo import ZoneInfo

from infra.alerts import incidents, owed_ends
from infra.alerts.notice import Message, Notice
from infra.alerts.quiet_hours import free_from_ms, zone_of
from infra.alerts.routing_state import PersonState, RouterState, Told, Waiting
from schemas.settings import Alerts, Channel, Person
from schemas.units import HOUR_MS, MINUTE_MS, SECOND_MS
from schemas.watching import AlertSeverity

# NOT-4: what may wait does, so that what comes meanwhile leaves in the same message (NOT-6).
PATIENCE_MS: dict[AlertSeverity, int] = {
    "critical": 0,
    "high": 0,
    "warning": 20 * SECOND_MS,
    "info": 30 * MINUTE_MS,
}
URGENT_CHANNELS = 2
# The more of the hour's messages are used up, the longer the next one waits and collects: share used -> pause.
PAUSES_MS = ((0.8, 15 * MINUTE_MS), (0.6, 5 * MINUTE_MS), (0.4, MINUTE_MS))
# This share of a person's hour is kept for critical messages.
KEPT_FOR_URGENT = 0.4
RETRY_FIRST_MS, RETRY_MOST_MS = 5 * SECOND_MS, 5 * MINUTE_MS
# Bounds of memory for one person; beyond them the least urgent and oldest goes, and is counted.
MAX_WAITING, MAX_TOLD = 20_000, 50_000

Outcome = Literal["waiting", "repeat", "overflow"]


class Policy:
    """The rules for these people, over a state that is handed in and changed."""

    def __init__(self, config: Alerts, state: RouterState) -> None:
        self._config = config
        self._state = state
        self._people = {person.name: person for person in config.people}
        self._zones: dict[str, ZoneInfo] = {person.name: zone_of(person) for person in config.people}

    def take(self, notice: Notice, now_ms: int) -> dict[str, Outcome]:
        """Put a notice before everybody it concerns; what became of it, by person."""
        concerned = [p for p in self._people.values() if not p.owners or notice.owner in p.owners]
        # What nobody claims must not vanish: then it is everybody's.
        return {p.name: self._take(p, notice, now_ms) for p in concerned or self._people.values()}

    def due(self, now_ms: int) -> list[Message]:
        """The messages to send now, at most one a person; each is under way until `settle` hears of it."""
        waits = ((person, self._of(person.name)) for person in self._people.values())
        free = ((person, state) for person, state in waits if state.under_way is None)
        return [
            message
            for person, state in free
            if (message := self._next(person, state, now_ms) or self._closing(person, state, now_ms))
        ]

    def settle(self, message: Message, taken_by: Iterable[int], now_ms: int, tried: Iterable[int] = ()) -> None:
        """Account for a message: which channels took it, none when it must be sent again; which were tried."""
        person, channels = self._of(message.person), self._people[message.person].channels
        person.under_way = None
        delivered = list(taken_by)
        owed_ends.tried(person, [channels[number] for number in {*tried, *delivered}], message)
        owed_ends.taken(person, [channels[number] for number in delivered], message)
        if message.closing:
            if not delivered:
                owed_ends.not_taken(person, channels[message.channels[0]], _pause_ms, now_ms)
            return
        if not delivered:
            person.failures += 1
            person.retry_ms = now_ms + _pause_ms(person.failures)
            person.waiting[:0] = [Waiting(notice, now_ms) for notice in message.notices]
            person.dropped += message.dropped
            return
        incidents.delivered(person, message)
        person.failures = person.retry_ms = 0
        person.delivered_ms += [now_ms] * len(delivered)
        for number in delivered:
            self._state.channels.setdefault(channel_name(channels[number]), []).append(now_ms)

    def recover(self) -> None:
        """After a restart: whether a message that was under way arrived is not known, so it is sent again.

        Ends that were owed still are. The settings may be others, so that all channels count as tried.
        """
        for name, person in self._state.people.items():
            message, person.under_way = person.under_way, None
            if message is not None and not message.closing:
                if name in self._people:
                    owed_ends.tried(person, self._people[name].channels, message)
                person.waiting[:0] = [Waiting(notice, 0) for notice in message.notices]

    def _of(self, name: str) -> PersonState:
        return self._state.people.setdefault(name, PersonState())

    def _take(self, person: Person, notice: Notice, now_ms: int) -> Outcome:
        state, key = self._of(person.name), notice.key(person.name)
        if not self._is_news(state, key, notice, now_ms):
            return "repeat"
        state.waiting.append(Waiting(notice, now_ms + PATIENCE_MS[notice.severity]))
        if len(state.waiting) <= MAX_WAITING:
            return "waiting"
        least = min(state.waiting, key=lambda w: (-PATIENCE_MS[w.notice.severity], w.notice.at_ms))
        state.waiting.remove(least)
        state.dropped += 1
        if least.notice.state == "resolved" and (told := state.told.get(least.notice.key(person.name))):
            # People are not told of this end, PagerDuty is.
            told.incident = ""
        return "overflow"

    def _is_news(self, state: PersonState, key: str, notice: Notice, now_ms: int) -> bool:
        """Whether the person has not been told the same within the dedup time; remembers that they are told now.

        An alert that comes back after its end was told is news again if it is critical: who believes that it is over
        must hear that it is not. Any other is passed by with its next end, until the time is over.
        """
        before = state.told.get(key)
        recent = before is not None and now_ms - before.at_ms < self._config.dedup_hours * HOUR_MS
        if notice.state == "resolved":
            if before is None or before.state == "resolved":
                return False
            news = not before.muted
            before.state = "resolved"
            return news
        if before is not None and recent and (before.state == "firing" or notice.severity != "critical"):
            before.muted = before.muted or before.state == "resolved"
            before.state = "firing"
            return False
        state.told.pop(key, None)
        state.told[key] = Told("firing", now_ms, incident=before.incident if before else "")
        while len(state.told) > MAX_TOLD:
            del state.told[next(iter(state.told))]
        return True

    def _next(self, person: Person, state: PersonState, now_ms: int) -> Message | None:
        state.delivered_ms = _of_last_hour(state.delivered_ms, now_ms)
        if not state.waiting or now_ms < state.retry_ms:
            return None
        urgent = [w for w in state.waiting if w.notice.severity == "critical"]
        ready = urgent and self._may_send(state, now_ms, urgent=True)
        chosen = urgent
        if not ready:
            chosen = self._patient(person, state, now_ms)
            if not chosen or not self._may_send(state, now_ms, urgent=False):
                return None
        # What one channel takes and another does not leaves in messages of its own, the gravest first.
        lead = min(chosen, key=lambda w: PATIENCE_MS[w.notice.severity]).notice.severity
        chosen = [w for w in chosen if _takers(person, w.notice.severity) == _takers(person, lead)]
        channels = self._channels(person, lead, now_ms)
        if not channels:
            return None
        taken = set(map(id, chosen))
        state.waiting = [w for w in state.waiting if id(w) not in taken]
        message_id, notices = self._message_id(person), [w.notice for w in chosen]
        state.under_way = Message(
            message_id=message_id,
            person=person.name,
            urgent=bool(ready),
            notices=notices,
            channels=channels,
            dropped=state.dropped,
            incidents=incidents.named(state, person.name, notices, message_id),
        )
        state.dropped = 0
        return state.under_way

    def _closing(self, person: Person, state: PersonState, now_ms: int) -> Message | None:
        """Ends that a channel must still hear. They disturb nobody: no rate counts them and no hour is too late."""
        for number, channel in enumerate(person.channels):
            if ends := owed_ends.owed(state, channel, now_ms):
                state.under_way = Message(
                    message_id=self._message_id(person),
                    person=person.name,
                    urgent=False,
                    notices=list(ends.values()),
                    channels=[number],
                    incidents=list(ends),
                    closing=True,
                )
                return state.under_way
        return None

    def _message_id(self, person: Person) -> str:
        self._state.messages += 1
        return f"{person.name}-{self._state.messages}"

    def _patient(self, person: Person, state: PersonState, now_ms: int) -> list[Waiting]:
        """All that is not critical, once the first of it is due and the person may be disturbed."""
        if free_from_ms(now_ms, person, self._zones[person.name]) > now_ms:
            return []
        waiting = [w for w in state.waiting if w.notice.severity != "critical"]
        return waiting if any(w.due_ms <= now_ms for w in waiting) else []

    def _may_send(self, state: PersonState, now_ms: int, *, urgent: bool) -> bool:
        """Whether the hour of a person has room, and the pause since the last message is long enough."""
        used, most = len(state.delivered_ms), self._config.person_per_hour
        room = most if urgent else most - int(most * KEPT_FOR_URGENT)
        pause_ms = next((pause for share, pause in PAUSES_MS if used >= share * most), 0)
        return used < room and (not used or now_ms - state.delivered_ms[-1] >= pause_ms)

    def _channels(self, person: Person, severity: AlertSeverity, now_ms: int) -> list[int]:
        """By number, those to try in turn: of what is critical each, the ones that are meant for it first."""
        takers = _takers(person, severity)
        if severity == "critical":
            return takers + [number for number in range(len(person.channels)) if number not in takers]
        for name, times in self._state.channels.items():
            self._state.channels[name] = _of_last_hour(times, now_ms)
        if sum(map(len, self._state.channels.values())) >= self._config.all_per_hour:
            return []
        return [
            number
            for number in takers
            if len(self._state.channels.get(channel_name(person.channels[number]), ())) < self._config.channel_per_hour
        ]

    def wanted(self, message: Message) -> int:
        """How many of its channels should take a message: NOT-5, a critical one on two, within the person's hour."""
        if not message.urgent:
            return 1
        room = self._config.person_per_hour - len(self._of(message.person).delivered_ms)
        takers = len(_takers(self._people[message.person], "critical"))
        return max(1, min(URGENT_CHANNELS, takers, room))


def _pause_ms(failures: int) -> int:
    """How long to wait after so many failures in a row."""
    return min(RETRY_FIRST_MS << (failures - 1), RETRY_MOST_MS)


def _takers(person: Person, severity: AlertSeverity) -> list[int]:
    """The channels of a person that take alerts of that severity, by number."""
    return [n for n, channel in enumerate(person.channels) if not channel.severities or severity in channel.severities]


def channel_name(channel: Channel) -> str:
    """What a channel is counted under: its kind and address."""
    return f"{channel.kind} {channel.url}".strip()


def _of_last_hour(times: list[int], now_ms: int) -> list[int]:
    return [time for time in times if now_ms - time < HOUR_MS]
