"""Rows of a file become the events their mapping describes, in order of event time, and bad rows are named."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import MappingError
from schemas.events import Event, Interaction, Item, Label, Transaction
from schemas.units import DAY_MS
from serving.history import table
from serving.history.mapping import load
from serving.history.reader import events

PAYMENTS = """
event = "transaction"
[time]
column = "at"
[id]
columns = ["id"]
prefix = "x-"
[fields.user_id]
column = "who"
prefix = "c"
[fields.amount]
column = "sum"
[fields.merchant_id]
column = "shop"
"""
LABELS = '[labels]\ncolumn = "fraud"\nfraud = ["1"]\ndelay_days = 7\n'
Reader = Callable[..., list[Event]]

HEADER = "id,at,who,sum,shop,fraud\n"
NOON = "2024-03-01T12:00:00"
NOON_MS = 1_709_294_400_000


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    def read(rows: str, mapping: str = PAYMENTS, **options: object) -> list[Event]:
        file, toml = tmp_path / "rows.csv", tmp_path / "mapping.toml"
        file.write_text(rows)
        toml.write_text(mapping)
        return list(events(file, load(str(toml)), **options))

    return read


def test_a_row_becomes_a_transaction_with_its_types(read: Reader) -> None:
    assert read(HEADER + f"007,{NOON},42,12.50,9,0\n") == [
        Transaction(event_id="x-007", event_time_ms=NOON_MS, user_id="c42", amount=12.5, merchant_id="9")
    ]


def test_unsorted_files_come_out_in_order_and_ties_keep_the_order_of_the_file(read: Reader) -> None:
    rows = [f"{i},{at},1,1,1,0\n" for i, at in enumerate(("2024-01-03", "2024-01-01", "2024-01-03", "2024-01-02"))]
    assert [event.event_id for event in read(HEADER + "".join(rows))] == ["x-1", "x-3", "x-0", "x-2"]


def test_a_label_follows_seven_days_later_between_the_transactions(read: Reader) -> None:
    rows = f"1,{NOON},5,1,8,1\n2,2024-03-05T00:00:00,6,1,8,0\n3,2024-03-08T12:00:00,7,1,8,0\n"
    found = read(HEADER + rows, PAYMENTS + LABELS)
    assert [event.event_id for event in found] == ["x-1", "x-2", "x-1-label", "x-3", "x-2-label", "x-3-label"]
    assert found[2] == Label(
        event_id="x-1-label",
        event_time_ms=NOON_MS + 7 * DAY_MS,
        user_id="c5",
        transaction_id="x-1",
        transaction_time_ms=NOON_MS,
        merchant_id="8",
        is_fraud=True,
        source="confirmed",
    )
    assert [event.is_fraud for event in found if isinstance(event, Label)] == [True, False, False]


@pytest.mark.parametrize(("which", "labels"), [("mapped", 2), ("all", 2), ("fraud", 1), ("none", 0)])
def test_the_choice_of_labels_overrides_the_mapping(read: Reader, which: str, labels: int) -> None:
    found = read(HEADER + f"1,{NOON},5,1,8,1\n2,{NOON},5,1,8,0\n", PAYMENTS + LABELS, which_labels=which)
    assert sum(isinstance(event, Label) for event in found) == labels


def test_labels_that_the_mapping_does_not_have_can_not_be_asked_for(read: Reader) -> None:
    with pytest.raises(MappingError, match=r"labels 'all' are asked for, but the mapping has no \[labels\]"):
        read(HEADER, which_labels="all")


@settings(max_examples=40, deadline=None)
@given(
    days=st.lists(st.integers(0, 40), max_size=30),
    since=st.none() | st.integers(0, 50),
    until=st.none() | st.integers(0, 50),
)
def test_bounds_hold_for_each_event_by_itself(
    tmp_path_factory: pytest.TempPathFactory, days: list[int], since: int | None, until: int | None
) -> None:
    folder = tmp_path_factory.mktemp("bounds")
    (folder / "m.toml").write_text(PAYMENTS.replace('column = "at"', 'column = "at"\nunit = "s"') + LABELS)
    file = folder / "rows.csv"
    file.write_text(HEADER + "".join(f"{i},{day * 86_400},1,1,1,{i % 2}\n" for i, day in enumerate(days)))
    mapping = load(str(folder / "m.toml"))
    low, high = (None if day is None else day * DAY_MS for day in (since, until))
    found = list(events(file, mapping, since_ms=low, until_ms=high))
    everything = list(events(file, mapping))
    assert [e.event_time_ms for e in everything] == sorted(e.event_time_ms for e in everything)
    assert len(everything) == 2 * len(days)
    assert found == [
        e for e in everything if (low is None or e.event_time_ms >= low) and (high is None or e.event_time_ms < high)
    ]


@pytest.mark.parametrize(
    ("time", "cell"),
    [
        ('column = "at"', "2024-03-01T12:00:00"),
        ('column = "at"', "2024-03-01 12:00:00Z"),
        ('column = "at"', "2024-03-01T14:00:00+02:00"),
        ('column = "at"\nzone = "America/New_York"', "2024-03-01T07:00:00"),
        ('column = "at"\nzone = "Europe/Berlin"\nformat = "%d.%m.%Y %H:%M"', "01.03.2024 13:00"),
        ('column = "at"\nunit = "s"', "1709294400"),
        ('column = "at"\nunit = "ms"', "1709294400000"),
        ('column = "at"\nunit = "us"', "1709294400000000"),
    ],
)
def test_a_time_is_read_in_any_form(read: Reader, time: str, cell: str) -> None:
    mapping = PAYMENTS.replace('column = "at"', time)
    assert read(HEADER + f"1,{cell},1,1,1,0\n", mapping)[0].event_time_ms == NOON_MS


def test_parquet_and_compressed_csv_give_the_same_events(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(PAYMENTS + LABELS)
    rows = {
        "id": [1, 2],
        "at": [datetime(2024, 3, 1, 12), datetime(2024, 3, 2, 12)],  # noqa: DTZ001  # the mapping gives the zone
        "who": pa.array([7.0, 8.0]),
        "sum": [1.5, 2.5],
        "shop": ["a", "b"],
        "fraud": [1, 0],
    }
    pa.parquet.write_table(pa.table(rows), tmp_path / "rows.parquet")
    with gzip.open(tmp_path / "rows.csv.gz", "wt") as file:
        file.write(HEADER + "1,2024-03-01 12:00:00,7,1.5,a,1\n2,2024-03-02 12:00:00,8,2.5,b,0\n")
    mapping = load(str(tmp_path / "m.toml"))
    from_parquet = list(events(tmp_path / "rows.parquet", mapping))
    assert from_parquet == list(events(tmp_path / "rows.csv.gz", mapping))
    assert from_parquet[0].user_id == "c7"


def test_fields_take_constants_words_scales_defaults_and_a_context(read: Reader) -> None:
    mapping = """
event = "interaction"
[time]
column = "at"
[fields.user_id]
column = "who"
[fields.item_id]
column = "shop"
default = "none"
[fields.kind]
column = "id"
words = { "1" = "click", "2" = "view" }
[fields.value]
column = "sum"
scale = 0.01
[fields.list_id]
value = "home"
[fields."context.country"]
column = "fraud"
"""
    assert read(HEADER + f"1,{NOON},u,250,,DE\n2,{NOON},u,,b,\n", mapping) == [
        Interaction(
            event_id="1",
            event_time_ms=NOON_MS,
            user_id="u",
            item_id="none",
            kind="click",
            value=2.5,
            list_id="home",
            context={"country": "DE"},
        ),
        Interaction(event_id="2", event_time_ms=NOON_MS, user_id="u", item_id="b", kind="view", list_id="home"),
    ]


JOINED = """
event = "interaction"
[time]
column = "at"
[fields.user_id]
column = "who"
[fields.item_id]
column = "shop"
[fields.kind]
value = "view"
[fields."context.segment"]
columns = ["sex", "job"]
[join]
file = "people.csv"
on = "who"
columns = ["job", "sex"]
"""


def test_columns_of_a_file_beside_it_are_joined_by_text_and_missing_where_nothing_fits(
    read: Reader, tmp_path: Path
) -> None:
    (tmp_path / "people.csv").write_text("job,who,sex,at\nnurse,2,F,x\nbaker,1,M,x\npilot,1,M,x\ncook,3,,x\n")
    found = read(HEADER + "".join(f"{n},{NOON},{who},1,s,0\n" for n, who in enumerate((1, 2, 3, 4, 1))), JOINED)
    assert [event.context for event in found if isinstance(event, Interaction)] == [
        {"segment": "M-baker"},
        {"segment": "F-nurse"},
        {},
        {},
        {"segment": "M-baker"},
    ]


def test_a_joined_file_or_column_that_is_not_there_is_named(read: Reader, tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"people\.csv: No such file"):
        read(HEADER, JOINED)
    (tmp_path / "people.csv").write_text("job,who\nbaker,1\n")
    with pytest.raises(MappingError, match=r"people\.csv: no column sex; it has job, who"):
        read(HEADER, JOINED)


def test_dropped_rows_are_counted_by_reason(read: Reader) -> None:
    drops = """
[[drop]]
reason = "nobody"
column = "who"
missing = true
[[drop]]
reason = "cancelled"
column = "id"
starts_with = "C"
[[drop]]
reason = "nothing"
column = "sum"
at_most = 0
[[drop]]
reason = "closed"
column = "shop"
equals = ["closed"]
"""
    rows = [f"1,{NOON},,1,a,0", f"C2,{NOON},1,1,a,0", f"3,{NOON},1,0,a,0", f"4,{NOON},1,1,closed,0", f"5,{NOON},1,1,,0"]
    left_out: Counter[str] = Counter()
    kept = read(HEADER + "\n".join([*rows, f"6,{NOON},1,0.01,a,0"]), PAYMENTS + drops, left_out=left_out, skip_bad=True)
    assert [event.event_id for event in kept] == ["x-6"]
    assert left_out == {"nobody": 1, "cancelled": 1, "nothing": 1, "closed": 1, "bad row": 1}


BAD_ROWS = [
    (f"9,{NOON},1,-5,a,0", r"row 2: Expected `float` >= 0.*\$\.amount"),
    (f"9,{NOON},1,many,a,0", r"row 2: Expected `float`.*\$\.amount"),
    (f"9,{NOON},1,nan,a,0", r"row 2: .*\$\.amount"),
    (f"9,{NOON},1,inf,a,0", r"row 2: .*\$\.amount"),
    (f"9,{NOON},1,,a,0", "row 2: Object missing required field `amount`"),
    (f"9,{NOON},,1,a,0", "row 2: Object missing required field `user_id`"),
    (f",{NOON},1,1,a,0", "row 2: Object missing required field `event_id`"),
    (f"9,{NOON},1,1,{'m' * 65},0", r"row 2: Expected `str` of length <= 64.*\$\.merchant_id"),
    (f"9,{NOON},1,1,a,", "row 2: fraud is missing"),
    ("9,yesterday,1,1,a,0", r"row 2: at: 'yesterday' is no time; see \[time\]"),
    ("9,,1,1,a,0", "row 2: at: None is no time"),
    ("9,1969-12-31T00:00:00,1,1,a,0", r"row 2: .*\$\.event_time_ms"),
    ("9,2124-12-31T00:00:00,1,1,a,0", r"row 2: .*\$\.event_time_ms"),
]


@pytest.mark.parametrize(("bad", "message"), BAD_ROWS)
def test_a_bad_row_stops_with_its_number_and_what_is_wrong(read: Reader, bad: str, message: str) -> None:
    with pytest.raises(MappingError, match=r"rows\.csv: " + message) as caught:
        read(HEADER + f"1,{NOON},1,1,a,0\n{bad}\n", PAYMENTS + LABELS)
    assert "\n" not in str(caught.value)


def test_bad_rows_are_skipped_and_counted_when_asked(read: Reader) -> None:
    rows = "".join(f"{bad}\n" for bad, _ in BAD_ROWS)
    left_out: Counter[str] = Counter()
    text = HEADER + f"1,{NOON},1,1,a,0\n{rows}2,{NOON},1,1,a,0\n"
    kept = read(text, PAYMENTS + LABELS, which_labels="all", skip_bad=True, left_out=left_out)
    assert [e.event_id for e in kept] == ["x-1", "x-2", "x-1-label", "x-2-label"]
    assert left_out["bad row"] == len(BAD_ROWS)


def test_a_file_without_rows_gives_no_events(read: Reader) -> None:
    assert read(HEADER, PAYMENTS + LABELS) == []


def test_files_that_can_not_be_read_are_named(read: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MappingError, match=r"rows\.csv: no column shop; it has id, at, who, sum"):
        read(f"id,at,who,sum\n1,{NOON},1,1\n")
    with pytest.raises(MappingError, match=r"rows\.csv: CSV parse error: Expected 6 columns, got 2"):
        read(HEADER + "1,2\n")
    mapping = load("fraud-handbook")
    with pytest.raises(MappingError, match=r"absent\.csv: No such file or directory"):
        list(events(tmp_path / "absent.csv", mapping))
    (tmp_path / "rows.xlsx").touch()
    with pytest.raises(MappingError, match=r"rows\.xlsx: unknown format; give a \.csv, \.csv\.gz or \.parquet"):
        list(events(tmp_path / "rows.xlsx", mapping))
    (tmp_path / "rows.parquet").write_bytes(b"no parquet")
    with pytest.raises(MappingError, match=r"rows\.parquet: Parquet magic bytes not found"):
        list(events(tmp_path / "rows.parquet", mapping))
    monkeypatch.setattr(table, "MAX_FILE_BYTES", 5)
    with pytest.raises(MappingError, match=r"rows\.csv: \d+ bytes, more than the 5 .*; split it"):
        read(HEADER)


def test_a_local_time_that_never_was_or_was_twice_is_taken_as_the_earlier(tmp_path: Path) -> None:
    moments = [datetime(2024, 3, 31, 1, 30), datetime(2024, 10, 27, 1, 30)]  # noqa: DTZ001  # London skips, repeats
    rows = {"id": [1, 2], "at": moments, "who": ["a", "a"], "sum": [1, 1], "shop": ["s", "s"]}
    pa.parquet.write_table(pa.table(rows), tmp_path / "rows.parquet")
    (tmp_path / "m.toml").write_text(PAYMENTS.replace('column = "at"', 'column = "at"\nzone = "Europe/London"'))
    found = [e.event_time_ms for e in events(tmp_path / "rows.parquet", load(str(tmp_path / "m.toml")))]
    assert datetime.fromtimestamp(found[0] / 1000, UTC) <= datetime(2024, 3, 31, 1, 0, tzinfo=UTC)
    assert found[1] == round(datetime(2024, 10, 27, 0, 30, tzinfo=UTC).timestamp() * 1000)


ITEMS = """
event = "item"
[time]
value = "2024-03-01T12:00"
[id]
columns = ["sku"]
[fields.item_id]
columns = ["sku", "size"]
cut = 2
prefix = "x-"
[fields.categories]
column = "genres"
split = " "
[fields.created_ms.time]
column = "year"
format = "%Y"
"""
ITEM_HEADER = "sku,size,genres,year\n"


def test_a_column_is_split_into_a_list_columns_are_joined_and_a_constant_is_the_time(read: Reader) -> None:
    found = read(ITEM_HEADER + "abc,large,Comedy Drama,1995\n", ITEMS)
    assert found == [
        Item(
            event_id="abc",
            event_time_ms=NOON_MS,
            item_id="x-ab-la",
            categories=["Comedy", "Drama"],
            created_ms=788_918_400_000,
        )
    ]


def test_cells_that_are_missing_give_empty_lists_and_defaults(read: Reader) -> None:
    items = read(ITEM_HEADER + "abc,large,,unknown\nabd,large,Drama,1950\n", ITEMS)
    assert [(item.categories, item.created_ms) for item in items if isinstance(item, Item)] == [([], 0), (["Drama"], 0)]


def test_several_columns_are_the_members_of_a_list(read: Reader) -> None:
    mapping = ITEMS.replace('column = "genres"\nsplit = " "', 'columns = ["genres", "size"]\ncut = 3')
    (item,) = read(ITEM_HEADER + "abc,xl,Comedy Drama,1995\n", mapping)
    assert isinstance(item, Item)
    assert item.categories == ["Com", "xl"]


def test_a_joined_field_with_a_missing_part_is_missing(read: Reader) -> None:
    with pytest.raises(MappingError, match="row 1: Object missing required field `item_id`"):
        read(ITEM_HEADER + "abc,,Comedy,1995\n", ITEMS)


@settings(max_examples=40, deadline=None)
@given(keys=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=40))
def test_of_rows_alike_only_the_first_in_time_is_kept(
    tmp_path_factory: pytest.TempPathFactory, keys: list[tuple[int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("first")
    rows = "".join(f"{key},large,g{number},{2000 + year}\n" for number, (key, year) in enumerate(keys))
    (folder / "rows.csv").write_text(ITEM_HEADER + rows)
    timed = ITEMS.replace('value = "2024-03-01T12:00"', 'column = "year"\nformat = "%Y"')
    (folder / "m.toml").write_text('first_of = ["sku"]\n' + timed)
    left_out: Counter[str] = Counter()
    found = list(events(folder / "rows.csv", load(str(folder / "m.toml")), left_out=left_out))
    expected: dict[int, str] = {}
    for number, (key, _) in sorted(enumerate(keys), key=lambda row: row[1][1]):
        expected.setdefault(key, f"g{number}")
    assert {int(item.event_id): item.categories[0] for item in found if isinstance(item, Item)} == expected
    assert left_out["a later row of the same"] == len(keys) - len(expected)


def test_a_constant_that_is_no_time_is_named(read: Reader) -> None:
    with pytest.raises(MappingError, match=r"row 1: time: 'soon' is no time; see \[time\] of the mapping"):
        read(ITEM_HEADER + "abc,large,Comedy,1995\n", ITEMS.replace("2024-03-01T12:00", "soon"))
