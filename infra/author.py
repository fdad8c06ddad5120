"""Who changes something, as audit records and the registry name them."""

from __future__ import annotations

import getpass
import os


def author() -> str:
    """The user's name; of one who has none, as in a container with a uid of its own, the uid."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
