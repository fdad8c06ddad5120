"""What is missing or no number is none, and never an error."""

import pytest

from schemas.optional_number import optional_number


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        (None, None),
        ("", None),
        ("many", None),
        ("3", 3.0),
        (" 2.5e3 ", 2500.0),
        (7, 7.0),
        (0.25, 0.25),
        (True, 1.0),
        ("inf", float("inf")),
    ],
)
def test_a_cell_is_its_number_or_none(cell, number):
    assert optional_number(cell) == number
