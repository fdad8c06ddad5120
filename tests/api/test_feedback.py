"""`POST /interactions`: in the log before it is answered, or refused by name."""

from __future__ import annotations

import json

import pytest
from api_builders import NOW_MS, Client, Log, app, refusal

from schemas import codec
from schemas.events import Interaction
from serving.recommend.arrival import FUTURE_MS

CLICK = Interaction(event_id="c1", event_time_ms=NOW_MS - 5, user_id="ann", item_id="i1", kind="click", position=3)


def post(client, body, content_type="application/json"):
    return client.request("POST", "/interactions", content=body, headers={"content-type": content_type})


def test_feedback_is_in_the_log_before_it_is_answered():
    log = Log()
    response = post(Client(app(log=log)), codec.encode(CLICK))
    assert response.status_code == 202
    assert response.json() == {"event_id": "c1", "event_time_ms": NOW_MS - 5}
    assert log.events == [CLICK]


def test_feedback_without_an_id_and_a_time_is_given_both():
    log = Log()
    body = {"user_id": "ann", "item_id": "i1", "kind": "view", "context": {"segment": "west"}}
    client = Client(app(log=log))
    answers = [post(client, json.dumps(body)).json() for _ in range(2)]
    assert answers == [{"event_id": f"new-{n}", "event_time_ms": NOW_MS} for n in range(2)]
    assert [event.context for event in log.events] == [{"segment": "west"}] * 2


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (b"", 400, "truncated"),
        (b"\xff\xfe", 400, "Interaction"),
        (b"[]", 422, "Expected `object`"),
        (b"{}", 422, "user_id"),
        (codec.encode(CLICK).replace(b'"click"', b'"glance"'), 422, "$.kind"),
        (codec.encode(CLICK).replace(b'"ann"', b'""'), 422, "$.user_id"),
        (codec.encode(CLICK).replace(b'"ann"', b'"a\\u0000b"'), 422, "control character"),
        (codec.encode(CLICK).replace(b"}", b',"schema_version":2}'), 422, "newest known 1"),
        (
            codec.encode(CLICK).replace(str(NOW_MS - 5).encode(), str(NOW_MS + FUTURE_MS + 1).encode()),
            422,
            "300001 ms ahead",
        ),
        (codec.encode(CLICK).replace(b'"position":3', b'"position":%d' % 10**30), 422, "position is 1e+30"),
        (b" " * (256 * 1024 + 1), 413, "larger than 262144 bytes"),
    ],
)
def test_bad_feedback_is_refused_by_name_and_not_logged(body, status, error):
    log = Log()
    assert error in refusal(post(Client(app(log=log)), body), status)
    assert log.events == []


def test_feedback_is_refused_while_the_log_is_down_or_not_announced_as_json():
    log = Log()
    log.down = True
    assert refusal(post(Client(app(log=log)), codec.encode(CLICK)), 503) == "Kafka at x: Local: Message timed out"
    assert "no log is connected" in refusal(post(Client(app(log=None)), codec.encode(CLICK)), 503)
    assert "application/json" in refusal(post(Client(app()), codec.encode(CLICK), "text/plain"), 415)
