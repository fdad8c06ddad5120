"""What a message says: what changed, how much, since when, likely causes, the first action, where to read on."""

from __future__ import annotations

from infra.alerts.notice import Message, Notice
from schemas.instants import second_utc

# What people read at once; the console and the delivery log hold the rest.
MOST_SHOWN = 20


def subject(message: Message) -> str:
    """One line: the alert itself, or how many there are."""
    if len(message.notices) == 1:
        return headline(message.notices[0])
    firing = sum(notice.state == "firing" for notice in message.notices)
    over = len(message.notices) - firing
    counted = ", ".join(f"{count} {what}" for count, what in ((firing, "firing"), (over, "over")) if count)
    names = sorted({notice.name for notice in message.notices})
    more = f" and {len(names) - 3} more kinds" if len(names) > 3 else ""
    return f"{len(message.notices)} alerts ({counted}): {', '.join(names[:3])}{more}"


def headline(notice: Notice) -> str:
    """Severity, name, and what happened."""
    word = notice.severity.upper() if notice.state == "firing" else "OVER"
    return f"{word} {notice.name}: {notice.summary}"


def body(message: Message) -> str:
    """Each notice as a paragraph, the newest ones left out where there are too many to read."""
    shown = message.notices[:MOST_SHOWN]
    lines = [paragraph(notice) for notice in shown]
    if left := len(message.notices) - len(shown):
        lines.append(f"and {left} more; `sluice alerts list` shows what fires")
    if message.dropped:
        lines.append(f"{message.dropped} before these found no room to wait and are only counted")
    return "\n\n".join(lines)


def paragraph(notice: Notice) -> str:
    """All that is known of an alert, a line for each kind of thing."""
    lines = [headline(notice)]
    if notice.value is not None and notice.limit is not None:
        lines.append(f"value {notice.value:.6g}, limit {notice.limit:.6g}")
    lines.append(f"since {second_utc(notice.since_ms)}")
    if notice.causes:
        causes = (
            f"{cause.name} {cause.share:.0%}" + (f" (moved about {cause.money:,.2f})" if cause.money else "")
            for cause in notice.causes
        )
        lines.append(f"likely causes: {', '.join(causes)}")
    if notice.action and notice.state == "firing":
        lines.append(f"first action: {notice.action}")
    lines += [line for line in (notice.runbook, notice.link) if line]
    return "\n".join(lines)
