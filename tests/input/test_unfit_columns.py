"""A file with columns that can not be read as its mapping wants them is refused in one line that names them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from schemas.errors import MappingError
from schemas.events import Event
from serving.history.mapping import load
from serving.history.reader import events

PAYMENTS = """
event = "transaction"
[time]
column = "at"
[id]
columns = ["id"]
[fields.user_id]
column = "who"
[fields.amount]
column = "sum"
[fields.merchant_id]
column = "shop"
[labels]
column = "fraud"
fraud = ["1"]
delay_days = 7
"""
CUT_OFF = b"a\xff"


def read(file: Path) -> list[Event]:
    mapping = file.with_name("mapping.toml")
    mapping.write_text(PAYMENTS)
    return list(events(file, load(str(mapping))))


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"who": [["a"]]}, "column who holds list<element: string>; give columns of single values"),
        ({"who": [{"a": 1}]}, "column who holds struct<a: int64>; give columns of single values"),
        ({"who": [CUT_OFF]}, "column who holds binary that is no text: Invalid UTF8 payload; map another column"),
        ({"fraud": [CUT_OFF]}, "column fraud holds binary that is no text: Invalid UTF8 payload; map another column"),
        ({"who": pa.array([CUT_OFF]).view(pa.string())}, "Invalid UTF8 sequence"),
    ],
)
def test_columns_of_parquet_that_are_no_text_are_named(tmp_path: Path, columns: dict[str, object], said: str) -> None:
    good = {"id": [1], "at": ["2024-03-01"], "who": ["a"], "sum": [1.5], "shop": ["s"], "fraud": ["0"]}
    pa.parquet.write_table(pa.table(good | columns), tmp_path / "rows.parquet")
    with pytest.raises(MappingError) as caught:
        read(tmp_path / "rows.parquet")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_column_that_is_there_twice_is_named(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("id,at,who,sum,shop,fraud,who\n1,2024-03-01,a,1,s,0,b\n")
    with pytest.raises(MappingError, match=r"rows\.csv: 2 columns are called who; rename all but one"):
        read(tmp_path / "rows.csv")
    twice = pa.table([[1]] * 7, names=["id", "at", "who", "sum", "shop", "fraud", "who"])
    pa.parquet.write_table(twice, tmp_path / "rows.parquet")
    with pytest.raises(MappingError, match=r"rows\.parquet: 2 columns are called who; rename all but one"):
        read(tmp_path / "rows.parquet")


def test_a_column_that_is_not_read_may_be_there_as_often_as_it_likes(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("id,at,who,sum,shop,fraud,note,note\n1,2024-03-01,a,1,s,0,b,c\n")
    assert [event.event_id for event in read(tmp_path / "rows.csv")] == ["1", "1-label"]
