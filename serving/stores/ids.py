"""What may name an entity, a user, an event or a state key, the same in every store."""

from __future__ import annotations

from schemas.errors import InvalidError

MAX_ID_CHARS = 64
MAX_STATE_KEY_CHARS = 200


def id_bytes(what: str, value: str, limit: int = MAX_ID_CHARS) -> bytes:
    """The id as UTF-8; any character is allowed, NUL too.

    Raises InvalidError when it is empty, longer than `limit` characters or not encodable.
    """
    if not 1 <= len(value) <= limit:
        raise InvalidError(f"{what} of {len(value)} characters; give 1 to {limit}")
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise InvalidError(
            f"{what} {value!a} is no valid Unicode text; half of a surrogate pair stands alone"
        ) from error
