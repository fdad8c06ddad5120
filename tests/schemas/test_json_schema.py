"""Committed schemas are current, and a change that breaks older bytes is refused by name."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import Meta

from schemas import json_schema
from schemas.compatibility import breaking
from schemas.events import ControlRecord, Decision, Transaction

ROOT = Path(__file__).parents[2]
RELEASED = sorted((Path(__file__).parent / "released").iterdir())


@pytest.mark.parametrize("kind", json_schema.EVENTS)
def test_the_committed_schema_is_what_the_code_says_now(kind):
    path = json_schema.FOLDER / json_schema.file_name(kind, kind.VERSION)
    assert path.read_text("utf-8") == json_schema.render(kind), "run: python -m schemas.json_schema"


@pytest.mark.parametrize("kind", json_schema.EVENTS)
def test_no_event_breaks_a_version_that_has_a_file(kind):
    assert json_schema.changes(kind) == []


@pytest.mark.parametrize("path", RELEASED, ids=lambda path: path.name)
def test_no_event_breaks_the_schema_of_the_last_release(path):
    """Nothing writes these copies, so a change of code and generated file together is refused, too."""
    kinds = {kind.__name__: kind for kind in json_schema.EVENTS}
    name = path.name.partition(".")[0]
    assert name in kinds, f"{name} was released: its topic may still hold some"
    assert breaking(json.loads(path.read_text("utf-8")), json_schema.schema(kinds[name])) == []


@pytest.mark.parametrize("before", ["HEAD", "HEAD^1", "origin/main"])
@pytest.mark.parametrize("kind", json_schema.EVENTS)
def test_no_event_breaks_the_schema_of_the_commits_before(kind, before):
    """Where a change is checked, HEAD is the change itself: its first parent and where it branched off are not."""
    name = f"schemas/json/{json_schema.file_name(kind, kind.VERSION)}"
    base = _git("merge-base", "HEAD", before)
    committed = base and _git("show", f"{base.strip()}:{name}")
    if not committed:
        pytest.skip(f"no such commit here, or {name} was not there yet")
    assert breaking(json.loads(committed), json_schema.schema(kind)) == []


def _git(*words: str) -> str:
    """What git says; nothing when it refuses."""
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False).stdout


class Inner(msgspec.Struct):
    word: str
    level: Literal["low", "high"] = "low"


class Old(msgspec.Struct):
    id: Annotated[str, Meta(min_length=1, max_length=8)]
    raw: msgspec.Raw
    amount: float
    place: int | None = None
    kind: Literal["a", "b"] = "a"
    inner: Inner | None = None
    words: list[str] = []
    table: dict[str, int] = {}
    code: Annotated[str, Meta(pattern="^[A-Z]+$")] = "X"


def changed(**fields: object) -> list[str]:
    """Breaking changes of Old when fields are given another type, (type, default), or None to remove them."""
    now = {f.name: (f.type, f.default) for f in msgspec.structs.fields(Old)} | {
        f.name: (f.type, msgspec.field(default_factory=f.default_factory))
        for f in msgspec.structs.fields(Old)
        if f.default_factory is not msgspec.NODEFAULT
    }
    now |= {name: value if isinstance(value, tuple) else (value, msgspec.NODEFAULT) for name, value in fields.items()}
    listed = [
        (name, kind) if default is msgspec.NODEFAULT else (name, kind, default)
        for name, (kind, default) in now.items()
        if kind is not None
    ]
    new = msgspec.defstruct("Old", listed, kw_only=True)
    return breaking(msgspec.json.schema(Old), msgspec.json.schema(new))


def inner(**fields: object) -> type:
    return msgspec.defstruct("Inner", list(fields.items()))


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"amount": None}, "Old.amount: removed or renamed"),
        ({"amount": None, "sum": float}, "Old.amount: removed or renamed"),
        ({"added": str}, "Old.added: new without a default"),
        ({"place": int | None}, "Old.place: became required"),
        ({"amount": int}, "Old.amount: number is no longer accepted, only integer"),
        ({"amount": str}, "Old.amount: number is no longer accepted, only string"),
        ({"place": (int, 0)}, "Old.place: null is no longer accepted"),
        ({"place": (str | None, None)}, "Old.place: integer is no longer accepted"),
        ({"kind": (Literal["a"], "a")}, "Old.kind: enum values removed: b"),
        ({"id": Annotated[str, Meta(min_length=1, max_length=7)]}, "Old.id: maxLength 8 became 7"),
        ({"id": Annotated[str, Meta(min_length=2, max_length=8)]}, "Old.id: minLength 1 became 2"),
        ({"amount": Annotated[float, Meta(ge=0)]}, "Old.amount: minimum none became 0"),
        ({"code": (Annotated[str, Meta(pattern="^[A-Z]$")], "X")}, "Old.code: pattern ^[A-Z]+$ became ^[A-Z]$"),
        ({"words": (list[int], [])}, "Old.words[]: string is no longer accepted, only integer"),
        ({"table": (dict[str, str], {})}, "Old.table{}: integer is no longer accepted, only string"),
        ({"raw": str}, "Old.raw: anything is no longer accepted, only string"),
        ({"id": Literal["a"]}, "Old.id: string is no longer accepted"),
        ({"inner": (inner(word=str) | None, None)}, "Old.inner.level: removed or renamed"),
        ({"inner": (inner(word=str, level=Literal["low"]) | None, None)}, "Old.inner.level: enum values removed: high"),
        ({"inner": (inner(word=int, level=str) | None, None)}, "Old.inner.word: string is no longer accepted"),
    ],
)
def test_a_breaking_change_is_refused_by_name(fields, refusal):
    assert any(refusal in line for line in changed(**fields)), changed(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"added": (str, "")},
        {"amount": float | str},
        {"place": (float | None, None)},
        {"kind": (Literal["a", "b", "c"], "a")},
        {"kind": (str | int, "a")},
        {"id": str},
        {"id": Annotated[str, Meta(max_length=9)]},
        {"code": (str, "")},
        {"amount": (float, 0.0)},
    ],
)
def test_a_change_that_older_bytes_survive_is_allowed(fields):
    assert changed(**fields) == []


def test_writing_refuses_a_breaking_change_and_leaves_the_files(tmp_path):
    assert json_schema.write(tmp_path) == []
    path = tmp_path / "Transaction.v1.json"
    older = json.loads(path.read_text())
    older["$defs"]["Transaction"]["properties"]["iban"] = {"type": "string"}
    path.write_text(json.dumps(older))
    assert json_schema.write(tmp_path) == ["Transaction.v1.json: Transaction.iban: removed or renamed"]
    assert "iban" in path.read_text()


def test_every_event_of_the_topics_has_a_schema():
    assert {Transaction, Decision, ControlRecord} <= set(json_schema.EVENTS)
