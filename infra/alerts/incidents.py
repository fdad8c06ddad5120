"""Which incidents of PagerDuty a message opens and closes: an alert has its own, a burst has one. Pure.

`infra/alerts/policy.py` asks for each message and says which were delivered; what is open lies in a person's state.
"""

from __future__ import annotations

from infra.alerts.notice import Message, Notice
from infra.alerts.routing_state import PersonState

# What begins together beyond this is one incident: a phone that rings a thousand times says no more.
MOST_ALONE = 10


def named(state: PersonState, person: str, notices: list[Notice], message_id: str) -> list[str]:
    """The incident that each notice opens or closes; empty for an end while others of its burst still fire.

    An alert keeps its incident until its end is delivered, also in a message that is sent again.
    """
    keys = [notice.key(person) for notice in notices]
    begun = {key for key, notice in zip(keys, notices, strict=True) if notice.state == "firing"} & state.told.keys()
    new = {key for key in begun if not state.told[key].incident}
    alone = sum(state.told[key].incident == key for key in begun)
    burst = len(new) + alone > MOST_ALONE
    for key in new:
        state.told[key].incident = message_id if burst else key
    # A return that was passed by opens nothing.
    going_on = {told.incident for told in state.told.values() if told.state == "firing" and not told.muted}

    def of(key: str, notice: Notice) -> str:
        incident = (state.told[key].incident if key in state.told else "") or key
        over = notice.state == "resolved"
        return "" if over and incident != key and incident in going_on else incident

    return [of(key, notice) for key, notice in zip(keys, notices, strict=True)]


def delivered(state: PersonState, message: Message) -> None:
    """Forget the incidents of alerts whose last word in the message is their end."""
    last = {notice.key(message.person): notice.state for notice in message.notices}
    for key, word in last.items():
        if word == "resolved" and key in state.told:
            state.told[key].incident = ""
