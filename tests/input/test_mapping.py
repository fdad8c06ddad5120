"""A mapping is read strictly: whatever is wrong in it is named in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import MappingError
from serving.history.mapping import load, shipped

GOOD = """
event = "transaction"
[time]
column = "at"
[fields.user_id]
column = "who"
[fields.amount]
column = "sum"
[fields.merchant_id]
value = "m1"
"""


def test_the_mappings_that_come_with_sluice_are_valid() -> None:
    assert {name: load(name).kind.__name__ for name in shipped()} == {
        "fraud-handbook": "Transaction",
        "movielens-100k": "Interaction",
        "movielens-100k-items": "Item",
        "online-retail": "Interaction",
        "online-retail-items": "Item",
        "open-bandit": "Interaction",
        "open-bandit-items": "Item",
    }


def test_each_column_that_is_needed_is_listed_once(tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    path.write_text(GOOD + '[id]\ncolumns = ["at", "n"]\n[labels]\ncolumn = "bad"\nfraud = ["1"]\ndelay_days = 1\n')
    assert load(str(path)).columns == ["at", "n", "who", "sum", "bad"]


def test_columns_that_are_joined_timed_or_looked_at_once_are_listed_too(tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    path.write_text(
        'event = "item"\nfirst_of = ["sku"]\n[time]\nvalue = "2024-01-01"\n'
        '[fields.item_id]\ncolumns = ["sku", "size"]\n'
        '[fields.created_ms.time]\ncolumn = "born"\n'
    )
    assert load(str(path)).columns == ["sku", "size", "born"]


def test_columns_of_the_joined_file_are_not_looked_for_in_the_file_itself(tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    path.write_text(GOOD + '[fields.segment]\ncolumn = "job"\n[join]\nfile = "x.csv"\non = "no"\ncolumns = ["job"]\n')
    assert load(str(path)).columns == ["no", "at", "who", "sum"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("event = ", "Invalid value"),
        (GOOD + "[more]\n", "Object contains unknown field `more`"),
        (GOOD.replace('column = "at"', 'column = "at"\nzones = "UTC"'), r"unknown field `zones` - at `\$\.time`"),
        (GOOD.replace('"transaction"', '"decision"'), "Invalid enum value 'decision'"),
        (GOOD.replace('column = "sum"', "column = 5"), "Expected `str | null`, got `int`"),
        (GOOD.replace('column = "at"', ""), "time needs either column or value"),
        (GOOD.replace('column = "at"', 'column = "at"\nvalue = "2024-01-01"'), "time needs either column or value"),
        (
            GOOD.replace('column = "sum"', 'column = "sum"\ncolumns = ["a"]'),
            "fields.amount needs either column or value",
        ),
        (GOOD.replace('column = "sum"', 'column = "sum"\nsplit = " "'), "fields.amount has split, which makes a list"),
        (
            GOOD.replace('column = "sum"', 'time = { column = "x", zone = "Mars" }'),
            "fields.amount.time.zone 'Mars' is no",
        ),
        (GOOD.replace("fields.amount", "fields.amounts"), "fields.amounts is no field of transaction; it has user_id"),
        (GOOD.replace("fields.user_id", 'fields."context.user"'), "context.user is no field of transaction"),
        (GOOD.replace("[fields.amount]", "[fields.event_id]"), r"fields\.event_id is set by \[id\]; remove it"),
        (GOOD.replace('column = "sum"', ""), "fields.amount needs either column or value"),
        (GOOD.replace('column = "sum"', 'column = "sum"\nvalue = 1'), "fields.amount needs either column or value"),
        (GOOD.replace('[fields.merchant_id]\nvalue = "m1"', ""), "fields.merchant_id is missing; transaction needs it"),
        (GOOD + '[[drop]]\nreason = "x"\ncolumn = "a"\n', "drop 'x' has no condition"),
        (GOOD.replace('column = "at"', 'column = "at"\nzone = "Mars"'), "time.zone 'Mars' is no IANA zone"),
        (GOOD.replace('column = "at"', 'column = "at"\nunit = "s"\nformat = "%Y"'), "keep one"),
        (
            GOOD.replace('"transaction"', '"interaction"').replace("amount", "value").replace("merchant_id", "item_id")
            + '[fields.kind]\nvalue = "view"\n[labels]\ncolumn = "x"\nfraud = ["1"]\ndelay_days = 7\n',
            r"labels belong to transactions, not to interaction; remove \[labels\]",
        ),
        (GOOD + '[join]\nfile = "../x.csv"\non = "who"\ncolumns = ["age"]\n', r"regex.* - at `\$\.join\.file`"),
        (GOOD + '[join]\nfile = "x.csv"\non = "who"\ncolumns = []\n', r"length >= 1 - at `\$\.join\.columns`"),
        (
            GOOD + '[join]\nfile = "x.csv"\non = "age"\ncolumns = ["age"]\n',
            r"twice among age, age; keep .*`\$\.join`",
        ),
        ('delimiter = "é"\n' + GOOD, r"Expected `str` matching regex .* - at `\$\.delimiter`"),
        ('delimiter = ";\\n"\n' + GOOD, r"Expected `str` of length <= 1 - at `\$\.delimiter`"),
        ('delimiter = ""\n' + GOOD, r"Expected `str` of length >= 1 - at `\$\.delimiter`"),
        (GOOD + '[labels]\ncolumn = "x"\nfraud = ["1"]\ndelay_days = -1\n', r"Expected `float` >= 0.*delay_days"),
    ],
)
def test_what_is_wrong_in_a_mapping_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "m.toml"
    path.write_text(text)
    with pytest.raises(MappingError, match=message) as caught:
        load(str(path))
    assert str(caught.value).startswith(f"mapping {path}: ")
    assert "\n" not in str(caught.value)


def test_a_mapping_that_is_not_there_is_answered_with_those_that_are() -> None:
    with pytest.raises(MappingError, match="mapping handbook: No such file or directory; give a path or one of fraud"):
        load("handbook")
