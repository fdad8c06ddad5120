"""The HTTP door over in-memory stores: what it answers, and how it refuses."""

from __future__ import annotations

import json

import msgspec
import pytest
from api_builders import CATALOGUE, DEFAULTS, LIVES, NOW_MS, Broken, Client, Doubling, app, refusal

from schemas import codec
from schemas.errors import ModelError, StoreError
from schemas.events import Decision, EntityFeatures, SourcePosition, Transaction
from schemas.units import DAY_MS, HOUR_MS, MINUTE_MS
from serving.stores.memory_history import MemoryHistory
from serving.stores.memory_lists import MemoryLists
from serving.stores.memory_online import MemoryOnline
from serving.stores.online import Freshness
from tests.decisions import decision


def stored(at_ms):
    """A store in which one user's values are those of an event at that time."""
    online = MemoryOnline(CATALOGUE, lambda: NOW_MS)
    online.write([EntityFeatures("user", "u1", at_ms, [3.0, 4.5])])
    return online


def api(online=None, history=None, scorer=None):
    """A client of the app over new stores, unless a test hands in its own."""
    online = online or MemoryOnline(CATALOGUE, lambda: NOW_MS)
    history = history or MemoryHistory(180 * 86400, lambda: NOW_MS)
    lists = online if isinstance(online, Broken) else MemoryLists(lambda: NOW_MS)
    return Client(app(online=online, lists=lists, history=history, scorer=scorer)), online, history


PAYMENT = Transaction(event_id="t1", event_time_ms=NOW_MS, user_id="u1", amount=250.0, merchant_id="m1")


def post(client, body, content_type="application/json"):
    return client.request("POST", "/score", content=body, headers={"content-type": content_type})


def test_stored_features_are_named_and_aged():
    client, online, _ = api()
    online.write([EntityFeatures("user", "u/1", NOW_MS - 1500, [3.0, 4.5])])
    assert client.get("/features/user/u%2F1").json() == {
        "entity": "user",
        "id": "u/1",
        "feature_set": "fs-1",
        "origin": "stored",
        "event_time_ms": NOW_MS - 1500,
        "age_ms": 1500,
        "as_of_ms": NOW_MS,
        "expired": [],
        "features": {"user_count_1h": 3.0, "user_mean": 4.5},
    }


@pytest.mark.parametrize(
    ("age_ms", "expired", "count"), [(HOUR_MS - 1, [], 3.0), (HOUR_MS, ["user_count_1h"], 0.0), (-10, [], 3.0)]
)
def test_a_window_that_has_passed_reads_as_empty(age_ms, expired, count):
    client = Client(app(online=stored(NOW_MS - age_ms), lives_s=LIVES))
    found = client.get("/features/user/u1").json()
    assert (found["origin"], found["expired"]) == ("stored", expired)
    assert found["features"] == {"user_count_1h": count, "user_mean": 4.5}
    client = Client(app(online=stored(NOW_MS), lives_s=LIVES))
    assert client.get(f"/features/user/u1?as_of={NOW_MS + age_ms}").json()["features"] == found["features"]


def test_the_windows_of_an_unknown_entity_have_not_passed():
    client = Client(app(online=MemoryOnline(CATALOGUE, lambda: NOW_MS), lives_s=LIVES))
    assert client.get("/features/user/u1").json()["expired"] == []


@pytest.mark.parametrize("at", ["-1", "4102444800000", "soon"])
def test_a_time_outside_the_contract_is_refused(at):
    refusal(api()[0].get(f"/features/user/u1?as_of={at}"), 422)


def test_an_unknown_entity_has_the_defaults_without_an_age():
    body = api()[0].get("/features/merchant/m9").json()
    assert body["origin"] == "default"
    assert body["features"] == {"merchant_risk": 0.25}
    assert body["age_ms"] is None
    assert body["event_time_ms"] is None


def test_features_of_an_event_ahead_of_the_clock_have_age_zero():
    client, online, _ = api()
    online.write([EntityFeatures("user", "u1", NOW_MS + 10, [3.0, 4.5])])
    assert client.get("/features/user/u1").json()["age_ms"] == 0


@pytest.mark.parametrize("name", ["ключ-✓", "nul\0inside", "line\nbreak\n", "../..", "a b", "x" * 64, "q?r#s", "100%"])
def test_any_id_of_the_contract_can_be_asked_for(name):
    client, online, history = api()
    online.write([EntityFeatures("user", name, NOW_MS, [1.0, 2.0])])
    history.write_decisions([decision(name, user_id=name)])
    quoted = "".join(f"%{byte:02X}" for byte in name.encode())
    assert client.get(f"/features/user/{quoted}").json()["id"] == name
    assert client.get(f"/decisions/{quoted}").json()["event_id"] == name
    assert client.get(f"/users/{quoted}/decisions").json()["decisions"][0]["event_id"] == name


def test_a_decision_is_read_whole_by_its_id():
    client, _, history = api()
    written = decision(features=[1.0, 2.5], reasons=["velocity"], source=SourcePosition("transactions", 2, 9))
    history.write_decisions([written])
    response = client.get("/decisions/e1")
    assert codec.decode(Decision, response.content) == written
    assert refusal(client.get("/decisions/e2"), 404) == "no decision for event 'e2'"


def test_a_users_decisions_come_newest_first_from_the_range():
    client, online, history = api()
    log = [decision(f"e{i}", NOW_MS - i * MINUTE_MS) for i in range(5)]
    history.write_decisions(log)
    online.write_decisions(log)
    whole = client.get("/users/u1/decisions").json()
    assert [d["event_id"] for d in whole["decisions"]] == ["e0", "e1", "e2", "e3", "e4"]
    assert whole["next_until"] is None
    bounded = client.get(f"/users/u1/decisions?since={NOW_MS - 120_000}&until={NOW_MS}").json()
    assert [d["event_id"] for d in bounded["decisions"]] == ["e1", "e2"]
    assert client.get("/users/u1/decisions?since=7&until=7").json()["decisions"] == []
    assert [d["event_id"] for d in client.get("/users/u1/recent").json()["decisions"]] == ["e0", "e1", "e2", "e3", "e4"]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 500])
def test_pages_give_every_decision_once_even_where_many_share_a_millisecond(limit):
    client, _, history = api()
    times = [NOW_MS, NOW_MS, NOW_MS, NOW_MS - 1, NOW_MS - 2, NOW_MS - 2, NOW_MS - 900 * DAY_MS]
    history.write_decisions([decision(f"e{i}", at_ms) for i, at_ms in enumerate(times)])
    seen, until = [], NOW_MS + 1
    while until is not None:
        page = client.get(f"/users/u1/decisions?since=0&until={until}&limit={limit}").json()
        seen += [d["event_id"] for d in page["decisions"]]
        assert page["next_until"] is None or page["next_until"] < until
        until = page["next_until"]
    assert seen == [f"e{i}" for i in range(len(times))]


def test_aggregates_add_up_by_day():
    client, _, history = api()
    log = [decision("a"), decision("b", amount=0.5, merchant_id="m2"), decision("c", NOW_MS - DAY_MS)]
    history.write_decisions(log)
    body = client.get("/users/u1/aggregates?days=90").json()
    assert body["totals"] == {"count": 3, "amount_sum": 25.5, "amount_max": 12.5, "by_decision": {"APPROVE": 3}}
    assert [(d["day"], d["totals"]["count"]) for d in body["daily"]] == [("2023-11-14", 1), ("2023-11-15", 2)]
    assert body["merchants"] == [{"merchant_id": "m1", "count": 2}, {"merchant_id": "m2", "count": 1}]


def test_a_score_on_demand_is_marked_as_not_in_the_stream_and_has_no_source():
    client, online, history = api(scorer=Doubling())
    body = post(client, codec.encode(PAYMENT)).json()
    assert (body["decision"], body["in_stream"], body["reasons"]) == ("BLOCK", False, ["new"])
    assert "source" not in body
    assert history.decision("t1") is None
    online.write([EntityFeatures("user", "u1", NOW_MS, [1.0, 2.0], {"user:u1": b"state"})])
    assert post(client, codec.encode(PAYMENT), "application/json; charset=utf-8").json()["reasons"] == ["seen"]


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (b"", 400, "truncated"),
        (b"{", 400, "truncated"),
        (b"\xff\xfe", 400, "Transaction"),
        (b"[]", 422, "Expected `object`"),
        (codec.encode(PAYMENT).replace(b"250.0", b'"250"'), 422, "$.amount"),
        (codec.encode(PAYMENT).replace(b"250.0", b"-1"), 422, "$.amount"),
        (codec.encode(PAYMENT).replace(b"250.0", b"NaN"), 400, "malformed"),
        (codec.encode(PAYMENT).replace(b'"u1"', b'""'), 422, "$.user_id"),
        (codec.encode(msgspec.structs.replace(PAYMENT, schema_version=2)), 422, "newest known 1"),
        (b" " * (256 * 1024 + 1), 413, "larger than 262144 bytes"),
    ],
)
def test_a_bad_transaction_is_refused_by_name(body, status, error):
    client = api(scorer=Doubling())[0]
    assert error in refusal(post(client, body), status)


def test_a_body_that_is_not_announced_as_json_is_refused():
    client = api(scorer=Doubling())[0]
    assert "application/json" in refusal(post(client, codec.encode(PAYMENT), "text/plain"), 415)


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/features/planet/x", "path.entity"),
        ("/features/user/", "path.id"),
        ("/features/user/" + "x" * 65, "path.id"),
        ("/features/user/x?fallback=perhaps", "query.fallback"),
        ("/decisions/" + "x" * 65, "path.event_id"),
        ("/users/u1/decisions?limit=0", "query.limit"),
        ("/users/u1/decisions?limit=501", "query.limit"),
        ("/users/u1/decisions?since=-1", "query.since"),
        ("/users/u1/decisions?since=yesterday", "query.since"),
        ("/users/u1/decisions?since=2&until=1", "since 2 is later than until 1"),
        ("/users/u1/aggregates?days=401", "query.days"),
    ],
)
def test_a_bad_parameter_is_refused_by_name(path, error):
    assert error in refusal(api()[0].get(path), 422)


def test_an_entity_kind_without_stored_features_is_not_found():
    response = api()[0].get("/features/device/x")
    assert refusal(response, 404) == "feature set fs-1 has no entity device"
    assert response.json()["way_out"] == "it has user, merchant"


def test_unknown_paths_and_methods_are_refused_in_the_same_shape():
    client = api()[0]
    refusal(client.get("/nothing"), 404)
    refused = client.request("DELETE", "/health")
    refusal(refused, 405)
    assert refused.headers["allow"] == "GET"


def test_a_store_that_is_down_is_named_and_its_way_out_given():
    down = Broken(StoreError("Redis at 127.0.0.1:1: refused; see `sluice doctor`"))
    gone = Broken(StoreError("Cassandra at 127.0.0.1:2: refused; see `sluice doctor`"))
    client = api(down, gone)[0]
    for path, store in {"/features/user/u1": "Redis", "/users/u1/recent": "Redis"}.items():
        assert refusal(client.get(path), 503) == f"{store} at 127.0.0.1:1: refused"
    for path in ("/decisions/e1", "/users/u1/decisions", "/users/u1/aggregates"):
        assert "Cassandra" in refusal(client.get(path), 503)
    assert client.get("/decisions/e1").json()["way_out"] == "see `sluice doctor`"


def test_features_fall_back_to_defaults_only_where_asked():
    client = api(Broken(StoreError("Redis at x: refused; wait")))[0]
    refusal(client.get("/features/user/u1"), 503)
    body = client.get("/features/user/u1?fallback=true").json()
    assert (body["origin"], body["age_ms"], body["features"]) == ("fallback", None, DEFAULTS["user"])


def test_scoring_needs_a_scorer_its_state_and_its_model():
    payment = codec.encode(PAYMENT)
    assert "no scorer is loaded" in refusal(post(api()[0], payment), 503)
    down = Broken(StoreError("Redis at x: refused; wait"))
    assert "Redis" in refusal(post(api(down, scorer=Doubling())[0], payment), 503)
    broken = Broken(ModelError("model fraud@8: hash differs; promote another"))
    assert "fraud@8" in refusal(post(api(scorer=broken)[0], payment), 503)


def test_a_mistake_of_our_own_is_a_500_that_shows_no_inside():
    response = post(api(scorer=Broken(KeyError("secret")))[0], codec.encode(PAYMENT))
    assert refusal(response, 500) == "internal error: KeyError"
    assert "secret" not in response.text


def test_health_is_ok_degraded_or_down():
    client, online, _ = api(scorer=Doubling())
    assert client.get("/health").json() == {
        "status": "ok",
        "stores": {"online": {"up": True, "error": None}, "history": {"up": True, "error": None}},
        "freshness": None,
        "lists": None,
        "model": "fraud@7",
        "model_loaded": True,
    }
    online.mark(Freshness(NOW_MS - 40, NOW_MS - 15))
    assert client.get("/health").json()["freshness"] == {"event_age_ms": 40, "written_age_ms": 15}
    broken = Broken(StoreError("Cassandra at x: refused; wait"))
    degraded = api(history=broken, scorer=Doubling())[0].get("/health")
    assert (degraded.status_code, degraded.json()["status"]) == (200, "degraded")
    assert degraded.json()["stores"]["history"] == {"up": False, "error": "Cassandra at x: refused; wait"}
    assert api()[0].get("/health").json()["status"] == "degraded", "no model"
    down = api(broken, scorer=Doubling())[0].get("/health")
    assert (down.status_code, down.json()["status"]) == (503, "down")


def test_metrics_count_requests_by_route_and_never_by_path():
    client, online, _ = api()
    online.mark(Freshness(NOW_MS - 40, NOW_MS - 15))
    for path in ("/features/user/u1", "/features/user/u2", "/decisions/e1", "/nothing"):
        client.get(path)
    text = client.get("/metrics").text
    assert 'sluice_api_requests_total{route="/features/{entity}/{id:id}",status="200"} 2.0' in text
    assert 'sluice_api_requests_total{route="/decisions/{event_id:id}",status="404"} 1.0' in text
    assert 'sluice_api_requests_total{route="none",status="404"} 1.0' in text
    assert "sluice_api_online_event_age_ms 40.0" in text
    assert "u2" not in text
    down = api(Broken(StoreError("Redis at x: refused; wait")))[0].get("/metrics")
    assert "sluice_api_online_event_age_ms NaN" in down.text


def test_two_apps_in_one_process_share_no_metrics():
    first, second = api()[0], api()[0]
    first.get("/nothing")
    assert 'route="none"' not in second.get("/metrics").text


# What is no JSON, and what it is.
TEXTS = {
    "/": "text/html",
    "/live": "text/event-stream",
    "/metrics": "text/plain",
    "/runbooks/{name}": "text/markdown",
}


def test_the_openapi_document_says_that_feedback_names_the_place_where_an_item_was_seen():
    schemas = api()[0].get("/openapi.json").json()["components"]["schemas"]
    assert "In feedback name the `position`" in schemas["RecommendedItem"]["description"]


def test_the_openapi_document_has_a_schema_for_every_answer():
    document = api()[0].get("/openapi.json").json()
    text = json.dumps(document)
    assert "HTTPValidationError" not in text
    refs = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert refs <= set(document["components"]["schemas"])
    for path, methods in document["paths"].items():
        for operation in methods.values():
            content = next(
                operation["responses"][status]["content"]
                for status in ("200", "202")
                if status in operation["responses"]
            )
            if path in TEXTS:
                assert list(content) == [TEXTS[path]], path
            else:
                assert "$ref" in content["application/json"]["schema"], path
            assert operation["description"] or operation["summary"]
