"""The edge to people: a message goes to one channel, and what became of it is one word."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import msgspec

from infra.alerts.channels import payloads
from infra.alerts.notice import Message
from infra.alerts.wording import body
from schemas.settings import Channel

TIMEOUT_S = 5.0

Outcome = Literal["delivered", "refused", "failed"]


class Attempt(NamedTuple):
    """What became of a message on one channel, and the channel's own words for it."""

    channel: int
    outcome: Outcome
    detail: str = ""


Send = Callable[[Channel, Message], tuple[Outcome, str]]


def send(channel: Channel, message: Message, echo: Callable[[str], None]) -> tuple[Outcome, str]:
    """Deliver a message: refused when the other side says that it is wrong, failed when it did not answer in time.

    Of several posts all must be taken; what was taken before one was not comes again with the next try, and only
    PagerDuty has several, for which the same event twice is one.
    """
    if channel.kind == "terminal":
        echo(body(message))
        return "delivered", ""
    refused, detail = "", "nothing to post"
    for content in payloads(channel, message):
        outcome, detail = _post(channel.url, msgspec.json.encode(content))
        if outcome == "failed":
            # The next one would only wait as long.
            return outcome, detail
        if outcome == "refused":
            refused = refused or detail
    return ("refused", refused) if refused else ("delivered", detail)


def _post(url: str, content: bytes) -> tuple[Outcome, str]:
    request = urllib.request.Request(url, data=content, headers={"Content-Type": "application/json"})  # noqa: S310  settings allow http alone
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310  settings allow http alone
            return "delivered", str(answer.status)
    except urllib.error.HTTPError as error:
        # 429 and 5xx may pass; anything else will be refused again.
        return ("failed" if error.code == 429 or error.code >= 500 else "refused"), str(error.code)
    except (OSError, http.client.HTTPException) as error:
        return "failed", str(error)[:200]


def attempts(message: Message, channels: list[Channel], wanted: int, send_one: Send) -> Iterator[Attempt]:
    """Try the message's channels in turn until `wanted` have taken it (NOT-5)."""
    taken = 0
    for number in message.channels:
        if taken >= wanted:
            return
        outcome, detail = send_one(channels[number], message)
        taken += outcome == "delivered"
        yield Attempt(number, outcome, detail)
