"""What a generator makes, as a hash: here, and in a process of its own."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterable

from infra.generator.payments.config import Config as Payments
from infra.generator.shoppers.config import Config as Shoppers
from schemas.codec import encode
from schemas.events import Event

PROGRAM = """
import hashlib
from {package}.config import Config
from {package}.stream import events
from schemas.codec import encode
digest = hashlib.sha256()
for event in events({config!r}):
    digest.update(encode(event))
print(digest.hexdigest())
"""


def hash_of(events: Iterable[Event]) -> str:
    digest = hashlib.sha256()
    for event in events:
        digest.update(encode(event))
    return digest.hexdigest()


def hash_in_a_process(config: Payments | Shoppers, hash_seed: str) -> str:
    """The hash of the stream of these settings as a Python with that PYTHONHASHSEED makes it."""
    package = type(config).__module__.removesuffix(".config")
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(package=package, config=config)],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
