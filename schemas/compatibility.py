"""What a change of a JSON Schema would break: bytes written under the old one that the new one refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

# Keyword -> whether a larger value accepts less.
_BOUNDS = {
    "minimum": True,
    "exclusiveMinimum": True,
    "minLength": True,
    "minItems": True,
    "maximum": False,
    "exclusiveMaximum": False,
    "maxLength": False,
    "maxItems": False,
}


def breaking(old: Schema, new: Schema) -> list[str]:
    """One line for each breaking change from `old` to `new`, two schemas as msgspec writes them; empty when none.

    Breaking are: a field removed or renamed, a field that became required or is new without a default, a type or
    bound narrowed, an enum value removed.
    """
    return list(_compare(old["$ref"].rsplit("/", 1)[-1], old, new, _Roots(old, new)))


class _Roots:
    """Follows references, each schema's into its own definitions; a pair is walked once."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self._old, self._new = old.get("$defs", {}), new.get("$defs", {})
        self._walked: set[tuple[str, str]] = set()

    def first_visit(self, old: Schema, new: Schema) -> bool:
        """False when this pair of references was walked before; a definition may contain itself."""
        names = (old.get("$ref", ""), new.get("$ref", ""))
        seen = any(names) and names in self._walked
        self._walked.add(names)
        return not seen

    def resolve(self, old: Schema, new: Schema) -> tuple[Schema, Schema]:
        """Both without reference."""
        return self._follow(old, self._old), self._follow(new, self._new)

    @staticmethod
    def _follow(schema: Schema, definitions: Schema) -> Schema:
        reference = schema.get("$ref")
        found: Schema = definitions[reference.rsplit("/", 1)[-1]] if reference else schema
        return found


def _compare(path: str, old: Schema, new: Schema, roots: _Roots) -> Iterator[str]:
    if not roots.first_visit(old, new):
        return
    old, new = roots.resolve(old, new)
    if "anyOf" in old or "anyOf" in new:
        yield from _compare_choices(path, old.get("anyOf", [old]), new.get("anyOf", [new]), roots)
        return
    if not _takes(old, new):
        yield f"{path}: {_kind(old)} is no longer accepted, only {_kind(new)}"
        return
    yield from _compare_values(path, old, new)
    yield from _compare_fields(path, old, new, roots)
    for inner, name in (("items", f"{path}[]"), ("additionalProperties", f"{path}{{}}")):
        if isinstance(old.get(inner), dict) and isinstance(new.get(inner), dict):
            yield from _compare(name, old[inner], new[inner], roots)


def _compare_choices(path: str, old: list[Schema], new: list[Schema], roots: _Roots) -> Iterator[str]:
    for choice in old:
        found = [other for other in new if _takes(*roots.resolve(choice, other))]
        if not found:
            yield f"{path}: {_kind(choice)} is no longer accepted"
        else:
            yield from _compare(path, choice, found[0], roots)


def _kind(schema: Schema) -> str:
    if "enum" in schema:
        return "string" if all(isinstance(value, str) for value in schema["enum"]) else "integer"
    return str(schema.get("type", "anything"))


def _takes(old: Schema, new: Schema) -> bool:
    """The new type holds the old one."""
    if "enum" in new and "enum" not in old:
        return False
    return _kind(new) in {"anything", _kind(old)} or (_kind(new), _kind(old)) == ("number", "integer")


def _compare_values(path: str, old: Schema, new: Schema) -> Iterator[str]:
    gone = [value for value in old.get("enum", ()) if value not in new.get("enum", [value])]
    if gone:
        yield f"{path}: enum values removed: {', '.join(map(str, gone))}"
    if "pattern" in new and new["pattern"] != old.get("pattern"):
        yield f"{path}: pattern {old.get('pattern', 'none')} became {new['pattern']}"
    for keyword, larger_is_narrower in _BOUNDS.items():
        if keyword in new and (
            keyword not in old or (new[keyword] > old[keyword] if larger_is_narrower else new[keyword] < old[keyword])
        ):
            yield f"{path}: {keyword} {old.get(keyword, 'none')} became {new[keyword]}"


def _compare_fields(path: str, old: Schema, new: Schema, roots: _Roots) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    required = set(new.get("required", ()))
    for name in before:
        if name not in after:
            yield f"{path}.{name}: removed or renamed"
        else:
            if name in required and name not in old.get("required", ()):
                yield f"{path}.{name}: became required"
            yield from _compare(f"{path}.{name}", before[name], after[name], roots)
    for name in after:
        if name not in before and name in required:
            yield f"{path}.{name}: new without a default"
