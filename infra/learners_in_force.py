"""What the control topic says of learners now, and what it says that nobody can read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from schemas import control
from schemas.control import OnlineModel
from schemas.control_records import of_type
from schemas.errors import InvalidError
from schemas.events import ControlRecord

# Record key -> the newest record.
Records = Mapping[str, ControlRecord]


def online_models(records: Iterable[ControlRecord]) -> dict[str, OnlineModel]:
    """Record name -> what is in force."""
    return {record.name: model for record, model in of_type(records, OnlineModel)}


def passed_over(records: Iterable[ControlRecord]) -> list[str]:
    """Why records that would matter here are passed over, a line each."""
    found = []
    for record in records:
        try:
            if record.kind in {"online_model", "audit", "model"}:
                control.payload(record)
        except InvalidError as error:
            found.append(str(error))
    return found
