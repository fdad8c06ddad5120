"""Ids in paths: any text that an id may be, with slashes and line breaks, which Starlette's own kinds do not match."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from starlette.convertors import Convertor, register_url_convertor

UserId = Annotated[str, Path(min_length=1, max_length=64)]
ItemId = Annotated[str, Path(min_length=1, max_length=64)]


class IdConvertor(Convertor[str]):
    """`{name:id}`"""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


def install() -> None:
    """Make `{name:id}` known to Starlette; doing so again changes nothing."""
    register_url_convertor("id", IdConvertor())
