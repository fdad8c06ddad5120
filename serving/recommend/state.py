"""Users, items and trends as bytes with a version, by state key.

`u:<user>` a user, `i:<item>` what people do with an item, `c:<item>` its catalogue entry, `n:<block>` the ids of 256
items in the order of their numbers, `t` the names of the trends, `t:<name>` a row of them. Blocks are read from `n:0`
until one is missing: then all items are known.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import numpy as np

from schemas.errors import StateVersionError
from schemas.events import Item
from serving.recommend import leaders
from serving.recommend.items import Items
from serving.recommend.trends import Trends
from serving.recommend.user import MOST_DAYS, MOST_KNOWN, MOST_RECENT, Table, User
from serving.sealed import Read

VERSION: Final = 1
BLOCK: Final = 256
TRENDS_KEY: Final = "t"

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder()
_items = msgspec.msgpack.Decoder(Item)


def user_key(user_id: str) -> str:
    """Where a user lies."""
    return f"u:{user_id}"


def pack_user(user: User) -> bytes:
    """A user as bytes."""
    known = user.known[: user.known_size]
    # Item numbers, counts and seconds fit 32 bits; times are seconds behind the newest, and milliseconds beside.
    base_ms = int(known[0, 0]) if len(known) else 0
    return _encoder.encode(
        (
            VERSION,
            user.events,
            user.first_ms,
            user.newest_ms,
            user.segment,
            list(user.ids),
            base_ms,
            (known[:, 0] - base_ms).astype("<i8").tobytes(),
            known[:, 1:].astype("<u4").tobytes(),
            user.recent[: user.recent_size].astype("<i8").tobytes(),
            user.days[: user.days_size].astype("<i4").tobytes(),
        )
    )


def unpack_user(key: str, raw: bytes) -> User:
    """The user of `pack_user`; StateVersionError for bytes of another version, or none of ours."""
    _, events, first_ms, newest_ms, segment, ids, base_ms, times, rest, recent, days = _read(key, raw, 11)
    user = User()
    user.events, user.first_ms, user.newest_ms, user.segment = events, first_ms, newest_ms, segment
    user.ids = dict.fromkeys(ids)
    last_ms = np.frombuffer(times, "<i8") + base_ms
    known = np.column_stack([last_ms, np.frombuffer(rest, "<u4").reshape(-1, 3).astype(np.int64)])
    user.known, user.known_size = _table(known, MOST_KNOWN)
    user.recent, user.recent_size = _table(np.frombuffer(recent, "<i8").reshape(-1, 3), MOST_RECENT)
    user.days, user.days_size = _table(np.frombuffer(days, "<i4").reshape(-1, 3), MOST_DAYS)
    return user


def _table(rows: Table, most: int) -> tuple[Table, int]:
    """Rows with room to grow, the newest `most` of them."""
    rows = rows[-most:].astype(np.int64)
    room = np.zeros((min(max(2 * len(rows), 8), most), rows.shape[1]), np.int64)
    room[: len(rows)] = rows
    return room, len(rows)


def pack_item(items: Items, number: int) -> bytes:
    """What people do with an item, as bytes."""
    near, weights = leaders.packed(items.near, items.near_weights, number)
    return _encoder.encode(
        (
            VERSION,
            int(items.popular_ms[number]),
            items.popularity[number].tolist(),
            int(items.totals[number]),
            float(items.clicks[number]),
            float(items.looks[number]),
            int(items.near_ms[number]),
            near,
            weights,
        )
    )


def restore_item(items: Items, number: int, key: str, raw: bytes) -> None:
    """Put what `pack_item` gave into the columns."""
    _, popular_ms, popularity, total, clicks, looks, near_ms, near, weights = _read(key, raw, 9)
    items.popular_ms[number] = popular_ms
    items.popularity[number] = popularity
    items.totals[number] = total
    items.clicks[number], items.looks[number] = clicks, looks
    items.near_ms[number] = near_ms
    leaders.restore(items.near, items.near_weights, number, (near, weights))


def pack_entry(entry: Item) -> bytes:
    """A catalogue entry as bytes."""
    return bytes([VERSION]) + msgspec.msgpack.encode(entry)


def unpack_entry(key: str, raw: bytes) -> Item:
    """The entry of `pack_entry`."""
    if raw[:1] != bytes([VERSION]):
        raise _refused(key, raw[:1].hex())
    return _items.decode(raw[1:])


def pack_block(items: Items, block: int) -> bytes:
    """The ids of a block of item numbers."""
    return _encoder.encode((VERSION, items.ids[block * BLOCK : (block + 1) * BLOCK]))


def unpack_block(key: str, raw: bytes) -> list[str]:
    """The ids of `pack_block`."""
    _, ids = _read(key, raw, 2)
    return list(ids)


def trend_key(name: str) -> str:
    """Where a row of the trends lies."""
    return f"t:{name}"


def pack_trend_names(trends: Trends) -> bytes:
    """The names of the rows, in their order."""
    return _encoder.encode((VERSION, list(trends.rows)))


def pack_trend(trends: Trends, name: str) -> bytes:
    """One row of the trends."""
    row = trends.rows[name]
    return _encoder.encode((VERSION, int(trends.times_ms[row]), *leaders.packed(trends.items, trends.weights, row)))


def restore_trends(trends: Trends, names: bytes, read: Read) -> None:
    """Put the rows that are stored into the trends."""
    _, found = _read(TRENDS_KEY, names, 2)
    trends.rows = {name: row for row, name in enumerate(found)}
    for name, row in trends.rows.items():
        raw = read(trend_key(name))
        if raw is not None:
            _, time_ms, items, weights = _read(trend_key(name), raw, 4)
            trends.times_ms[row] = time_ms
            leaders.restore(trends.items, trends.weights, row, (items, weights))


def _read(key: str, raw: bytes, fields: int) -> Any:
    try:
        found = _decoder.decode(raw)
    except msgspec.MsgspecError as error:
        raise StateVersionError(
            f"state of {key} is unreadable ({error}); restore a savepoint of this release"
        ) from error
    if not isinstance(found, list) or not found or found[0] != VERSION or len(found) != fields:
        raise _refused(key, found[0] if isinstance(found, list) and found else "none")
    return found


def _refused(key: str, version: object) -> StateVersionError:
    return StateVersionError(f"state of {key} has version {version}, this release reads {VERSION}")
