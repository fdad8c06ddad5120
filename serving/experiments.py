"""Which variant of an experiment a user is in (EXP-1): by a hash of both, so that nobody has to be asked."""

from __future__ import annotations

from hashlib import md5

from schemas.control import CONTROL_VARIANT, Experiment, Variant

BUCKETS = 100


def bucket(user_id: str, experiment_id: str) -> int:
    """0 to 99: md5(user_id + "_" + experiment_id) mod 100."""
    digest = md5(f"{user_id}_{experiment_id}".encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest) % BUCKETS


def variant(user_id: str, experiment_id: str, experiment: Experiment) -> Variant | None:
    """The variant whose part of the buckets, taken in the order of the variants, holds the user's; None = control."""
    end, place = 0, bucket(user_id, experiment_id)
    for one in experiment.variants:
        end += one.percent
        if place < end:
            return one
    return None


def name(found: Variant | None) -> str:
    """What a log calls it."""
    return CONTROL_VARIANT if found is None else found.name
