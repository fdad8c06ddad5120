"""Each fraud pattern leaves the trace it is named after; good customers leave none of them."""

from __future__ import annotations

from itertools import pairwise
from statistics import mean
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.generator.payments.config import Config
from infra.generator.payments.draft import Draft
from infra.generator.payments.patterns import PATTERNS, Pattern
from infra.generator.payments.places import CITIES
from infra.generator.payments.stream import payments
from infra.generator.payments.travel import PLANE_KM_PER_H, distance_km
from infra.generator.payments.world import World, build
from schemas.events import Transaction
from schemas.units import DAY_MS, HOUR_MS, MINUTE_MS

START_MS = 1_750_000_000_000
CONFIG = Config(seed=9, users=400, merchants=160)
WORLD = build(CONFIG)
BY_NAME = {pattern.name: pattern for pattern in PATTERNS}

T = TypeVar("T")

seeds = st.integers(0, 2**32)


def run(name: str, seed: int) -> list[Draft]:
    return BY_NAME[name].campaign(WORLD, np.random.default_rng(seed), START_MS)


def one(values: list[T]) -> T:
    assert len(set(values)) == 1
    return values[0]


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
def test_a_campaign_keeps_what_its_catalogue_line_says(pattern: Pattern) -> None:
    sizes = []
    for seed in range(300):
        drafts = pattern.campaign(WORLD, np.random.default_rng(seed), START_MS)
        times = [draft.time_ms for draft in drafts]
        assert times == sorted(times)
        assert times[0] >= START_MS
        assert times[-1] < START_MS + pattern.max_days * DAY_MS
        assert all(0.5 <= draft.amount <= 9000 and draft.amount == round(draft.amount, 2) for draft in drafts)
        sizes.append(len(drafts))
    assert mean(sizes) == pytest.approx(pattern.mean_payments, rel=0.1)


def test_the_shares_of_the_catalogue_sum_to_one() -> None:
    assert sum(pattern.share for pattern in PATTERNS) == pytest.approx(1)


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_card_testing_is_many_small_amounts_in_minutes_on_one_card_from_one_new_device(seed: int) -> None:
    drafts = run("card_testing", seed)
    assert len(drafts) >= 10
    assert drafts[-1].time_ms - drafts[0].time_ms <= 8 * MINUTE_MS
    assert all(draft.amount <= 5 for draft in drafts)
    user, _, device = (
        one([draft.user for draft in drafts]),
        one([d.card_id for d in drafts]),
        one([d.device_id for d in drafts]),
    )
    assert device not in {WORLD.device(user, slot, START_MS // DAY_MS) for slot in (0, 1)}
    assert all(WORLD.merchants.city[draft.merchant] == -1 for draft in drafts)


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_a_takeover_is_a_new_device_in_another_country_with_rising_amounts(seed: int) -> None:
    drafts = run("account_takeover", seed)
    user, device = one([draft.user for draft in drafts]), one([draft.device_id for draft in drafts])
    assert device not in {WORLD.device(user, slot, START_MS // DAY_MS) for slot in (0, 1)}
    home = CITIES[int(WORLD.users.city[user])].country
    assert all(CITIES[int(WORLD.merchants.country[draft.merchant])].country != home for draft in drafts)
    assert all(before.amount < after.amount or after.amount == 9000 for before, after in pairwise(drafts))


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_a_compromised_merchant_sees_fraud_on_many_cards_and_its_cards_are_used_elsewhere(seed: int) -> None:
    drafts = run("compromised_merchant", seed)
    shops = [draft.merchant for draft in drafts]
    shop = max(set(shops), key=shops.count)
    at_it = [draft for draft in drafts if draft.merchant == shop]
    assert len(at_it) >= len(drafts) / 3
    assert at_it[-1].time_ms - at_it[0].time_ms <= 14 * DAY_MS
    assert len({draft.card_id for draft in drafts}) > 1
    assert one([int(WORLD.merchants.city[merchant]) for merchant in shops]) >= 0
    assert all(draft.device_id is None for draft in drafts)


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_creep_grows_slowly_on_the_customers_own_device(seed: int) -> None:
    drafts = run("amount_creep", seed)
    user, device = one([draft.user for draft in drafts]), one([draft.device_id for draft in drafts])
    assert device == WORLD.device(user, 0, START_MS // DAY_MS)
    for before, after in pairwise(drafts):
        assert after.amount / before.amount == pytest.approx(1.22, abs=0.1)
        assert after.time_ms - before.time_ms >= 12 * HOUR_MS


def good_payments() -> dict[str, list[Transaction]]:
    of_user: dict[str, list[Transaction]] = {}
    for transaction, pattern in payments(Config(seed=9, users=400, merchants=160, days=60)):
        if not pattern:
            of_user.setdefault(transaction.user_id, []).append(transaction)
    return of_user


def test_good_customers_travel_but_never_faster_than_a_plane_and_change_devices_now_and_then() -> None:
    of_user = good_payments()
    travellers = changed = 0
    for transactions in of_user.values():
        lat, lon = (np.array([getattr(t, name) for t in transactions]) for name in ("lat", "lon"))
        hours = np.diff([t.event_time_ms for t in transactions]) / HOUR_MS
        km = distance_km(lat[:-1], lon[:-1], lat[1:], lon[1:])
        far = km > 300
        assert (km[far] <= hours[far] * PLANE_KM_PER_H * 1.05).all()
        travellers += bool(far.any())
        changed += len({t.device_id for t in transactions if t.device_id and t.device_id[7] == "0"}) > 1
    assert len(of_user) * 0.05 < travellers < len(of_user) * 0.5
    assert len(of_user) * 0.05 < changed < len(of_user) * 0.3


def test_good_customers_pay_mostly_at_favourites_and_while_awake() -> None:
    world: World = build(Config(seed=9, users=400, merchants=160, days=60))
    user = max(good_payments().items(), key=lambda item: len(item[1]))[0]
    mine = good_payments()[user]
    favourites = {world.merchants.ids[m] for m in world.users.favourites[int(user[1:])].tolist()}
    assert mean(t.merchant_id in favourites for t in mine) > 0.6
    hours = [(t.event_time_ms // 60_000 + t.utc_offset_min) // 60 % 24 for t in mine]
    quiet = world.hours[world.users.habit[int(user[1:])]] < 0.01
    assert mean(bool(quiet[hour]) for hour in hours) < 0.1


@settings(max_examples=30, deadline=None)
@given(seed=seeds)
def test_remote_access_pays_from_home_with_the_customers_own_device_at_merchants_of_all_kinds(seed: int) -> None:
    drafts = run("remote_access", seed)
    user = one([draft.user for draft in drafts])
    assert one([draft.device_id for draft in drafts]) == WORLD.device(user, 0, START_MS // DAY_MS)
    assert one([draft.card_id for draft in drafts]) == WORLD.card(user, 0)
    assert one([(draft.lat, draft.lon) for draft in drafts]) == (WORLD.users.lat[user], WORLD.users.lon[user])
    assert len({draft.merchant for draft in drafts}) == len(drafts)
    usual = np.exp(WORLD.users.level[user] + 3.8)
    assert all(min(3 * usual, 8999) - 0.01 <= draft.amount <= 6 * usual + 0.01 for draft in drafts)
    assert all(20_000 <= after.time_ms - before.time_ms < 90_000 for before, after in pairwise(drafts))


def test_a_world_of_named_patterns_has_no_others_and_ids_of_its_own() -> None:
    def frauds(patterns: tuple[str, ...]) -> dict[str, str]:
        config = Config(seed=9, users=400, merchants=160, fraud_share=0.2, start_ms=START_MS, days=1, patterns=patterns)
        return {paid.transaction.event_id: paid.pattern for paid in payments(config) if paid.pattern}

    switched, mixed = frauds(("remote_access",)), frauds(())
    assert set(switched.values()) == {"remote_access"}
    assert "remote_access" not in mixed.values()
    assert not switched.keys() & mixed.keys()
