"""The users a step works on: a bounded cache over state that somebody else keeps."""

from __future__ import annotations

from serving.recommend import state
from serving.recommend.user import User
from serving.sealed import Read


class Users:
    """Users by id; the least recently used beyond `limit` leave after a batch."""

    def __init__(self, read: Read, limit: int) -> None:
        self._read = read
        self._limit = limit
        self._users: dict[str, User] = {}

    def __len__(self) -> int:
        return len(self._users)

    def get(self, user_id: str) -> User:
        """The user, an empty one when nothing is known."""
        found = self._users.pop(user_id, None)
        if found is None:
            key = state.user_key(user_id)
            raw = self._read(key)
            found = User() if raw is None else state.unpack_user(key, raw)
        self._users[user_id] = found
        return found

    def trim(self) -> None:
        """Let the least recently used go; call it when all changes are packed."""
        while len(self._users) > self._limit:
            del self._users[next(iter(self._users))]

    @property
    def nbytes(self) -> int:
        """Bytes of the users' tables."""
        return sum(user.nbytes for user in self._users.values())
