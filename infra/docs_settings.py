"""docs/settings.md: each key with its default and bounds, and the whole as a file to start from."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from schemas.settings import Settings

Table = Callable[[tuple[str, ...], Iterable[tuple[str, ...]]], str]


def page(note: str, table: Table) -> str:
    """The whole page; `note` says how it is made, `table` writes a table of a head and rows."""
    defaults, lines = Settings(), [f"# Settings\n\n{note}\n{(Settings.__doc__ or '').strip()}\n"]
    lines.append(
        "Read once from `./sluice.toml`, or from the file given to `sluice --settings FILE`. Give what you change.\n"
    )
    for name, section in _sections(defaults):
        lines.append(f"## [{name}]\n\n{(type(section).__doc__ or '').strip()}\n")
        rows = [
            (f"`{field.name}`", _default(section, field), _bounds(field.type))
            for field in msgspec.structs.fields(section)
            if not isinstance(getattr(section, field.name), msgspec.Struct)
        ]
        lines.append(table(("key", "default", "allowed"), rows))
    lines.append(f"## Example\n\nEvery key with its default:\n\n```toml\n{example()}```\n")
    return "\n".join(lines)


def example() -> str:
    """The defaults as TOML; what follows the stack is a comment."""
    lines = []
    for name, section in _sections(Settings()):
        lines.append(f"[{name}]")
        for field in msgspec.structs.fields(section):
            value = getattr(section, field.name)
            if value is not None and not isinstance(value, msgspec.Struct):
                lines.append(f"{'# ' if _follows(section, field) else ''}{field.name} = {_toml(value)}")
        lines.append("")
    text = "\n".join(lines)
    tomllib.loads(text)
    return text


def _sections(settings: Settings) -> Iterable[tuple[str, msgspec.Struct]]:
    """Each table of the file, an inner one after the table it belongs to."""
    for name in settings.__struct_fields__:
        section = getattr(settings, name)
        yield name, section
        for inner in section.__struct_fields__:
            if isinstance(getattr(section, inner), msgspec.Struct):
                yield f"{name}.{inner}", getattr(section, inner)


def _follows(section: msgspec.Struct, field: msgspec.structs.FieldInfo) -> bool:
    """The setting is empty by default, and then taken from the stack."""
    return field.default in ("", 0) and bool(getattr(section, field.name))


def _default(section: msgspec.Struct, field: msgspec.structs.FieldInfo) -> str:
    value = f"`{_toml(getattr(section, field.name))}`"
    return f"{value}, follows `stack`" if _follows(section, field) else value


def _toml(value: Any) -> str:
    """A value as TOML writes it; an absent one is the empty string."""
    if isinstance(value, msgspec.Struct):
        fields = {name: getattr(value, name) for name in value.__struct_fields__}
        return "{" + ", ".join(f"{name} = {_toml(given)}" for name, given in fields.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return "" if value is None else msgspec.json.encode(value).decode()


def _bounds(kind: Any) -> str:
    """What a setting may be, in words."""
    schema = msgspec.json.schema(kind)
    choices = schema.get("anyOf", [schema])
    words = []
    for choice in choices:
        if "enum" in choice:
            words.append(" or ".join(f"`{value}`" for value in choice["enum"]))
        elif "minimum" in choice:
            words.append(f"{choice['minimum']} to {choice['maximum']}")
        elif "pattern" in choice:
            words.append(f"`{choice['pattern']}`")
        elif choice["type"] == "array":
            words.append("a list")
        else:
            words.append({"null": "nothing", "string": "text", "boolean": "true or false"}[choice["type"]])
    return ", or ".join(words)
