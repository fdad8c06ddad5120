"""What answers at Alertmanager's address may be anything: one line says what, and the router goes on."""

import pytest
from click.testing import CliRunner
from raw_server import answering

from infra.alerts.alertmanager_client import firing, send
from infra.cli.alerts import command
from schemas.errors import PartFailedError, UnansweredError
from schemas.settings import Alerts, Settings

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"


@pytest.mark.parametrize("raw", [HEAD % (100, b"["), b"+OK ready\r\n\r\n", b""])
def test_an_answer_that_breaks_off_is_none(raw):
    with answering(raw) as address:
        with pytest.raises(UnansweredError, match=r"does not answer: .*; see `sluice status`"):
            firing(address)
        with pytest.raises(UnansweredError):
            send(address, [], 0)


def test_a_refusal_that_breaks_off_is_a_refusal():
    raw = b"HTTP/1.1 400 Bad\r\nContent-Length: 100\r\n\r\nno"
    with answering(raw) as address, pytest.raises(PartFailedError, match="refused: 400"):
        firing(address)


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'[{"labels": {}}]', b"[\xff]"])
def test_the_command_says_in_one_line_that_something_else_listens_there(body):
    with answering(HEAD % (len(body), body)) as address:
        shown = CliRunner().invoke(command, ["list"], obj=Settings(alerts=Alerts(alertmanager=address)))
    assert isinstance(shown.exception, PartFailedError)
    assert "is not Alertmanager" in str(shown.exception)
    assert "\n" not in str(shown.exception)


def test_the_command_lists_what_fires_the_newest_first():
    body = (
        b'[{"labels": {"alertname": "Old"}, "annotations": {}, "startsAt": "2026-03-02T12:00:00Z"},'
        b' {"labels": {"alertname": "New", "severity": "high"}, "annotations": {"summary": "it broke"},'
        b' "startsAt": "2026-03-02T12:30:00Z", "receivers": []}]'
    )
    with answering(HEAD % (len(body), body)) as address:
        shown = CliRunner().invoke(command, ["list"], obj=Settings(alerts=Alerts(alertmanager=address)))
    first, second = shown.output.splitlines()
    assert first.split()[:2] == ["high", "New"]
    assert first.endswith("it broke")
    assert second.split()[0] == "Old"
