"""A length of time is typed the same way at every command."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner
from test_command_line import commands

from infra.cli import sluice
from infra.cli.span import MOST_DAYS, Span
from schemas.settings import Settings
from schemas.units import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from serving.stores.deliveries import MAX_DAYS

SINCE = [
    pytest.param(path, id=" ".join(path))
    for path, command in commands(sluice)
    for option in command.params
    if "--since" in option.opts
]


def converted(text: str, span: Span | None = None) -> int:
    return (span or Span()).convert(text, None, None)


def test_a_span_is_a_number_of_seconds_minutes_hours_or_days() -> None:
    assert [converted(text) for text in ("90s", "90m", "24h", "7d", "024h")] == [
        90 * SECOND_MS,
        90 * MINUTE_MS,
        DAY_MS,
        7 * DAY_MS,
        24 * HOUR_MS,
    ]


def test_a_span_is_above_zero_and_as_long_as_the_command_allows_at_most() -> None:
    assert converted("1s") == SECOND_MS
    assert converted(f"{MOST_DAYS}d") == MOST_DAYS * DAY_MS
    assert converted(f"{MAX_DAYS}d", Span(MAX_DAYS)) == MAX_DAYS * DAY_MS
    for text, span in (("0s", Span()), (f"{MOST_DAYS * 24 + 1}h", Span()), (f"{MAX_DAYS * 24 + 1}h", Span(MAX_DAYS))):
        with pytest.raises(click.BadParameter, match=f"more than 0s and at most {span.most_days}d"):
            converted(text, span)


def test_several_commands_ask_since_when() -> None:
    assert len(SINCE) >= 4


@pytest.mark.parametrize("path", SINCE)
@pytest.mark.parametrize("text", ["24", "h", "-3h", "1w", "1.5h", "٣h", "0h", "9999999999h", "999999d", ""])
def test_a_span_that_makes_no_sense_is_refused_with_one_line(path: tuple[str, ...], text: str) -> None:
    result = CliRunner().invoke(sluice, [*path, f"--since={text}"], obj=Settings())
    assert result.exit_code == 2
    refused = [line for line in result.output.splitlines() if line.startswith("Error: Invalid value for '--since'")]
    assert len(refused) == 1
    assert "; give " in refused[0]
