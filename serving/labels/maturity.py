"""Label maturity: when an answer that nobody spoke of counts as a negative, by named policies."""

from __future__ import annotations

from hashlib import blake2b

from schemas import control
from schemas.control import Maturity
from schemas.events import ControlRecord, LabelSource

# Chargebacks come for 60 days, most of them within 30; clicks within minutes.
DEFAULTS = {
    "chargeback-30d": Maturity("chargeback", days=30, share=0.01),
    "click-30min": Maturity("click", days=30 / (24 * 60), share=0.1),
    "conversion-1d": Maturity("conversion", days=1, share=0.1),
}


class MaturityControl:
    """The policies in force: the defaults, and what `control` says beside and in place of them.

    A policy is of the answers that were given after it was set: a job that is behind, or reads all again, gives the
    examples of one that is not. Answers of before follow the default of that name.
    """

    def __init__(self) -> None:
        # By name: since when, and what.
        self._set: dict[str, tuple[int, Maturity]] = {}

    def apply(self, record: ControlRecord) -> None:
        """Take one control record in; other kinds are passed over, a deletion brings back the default.

        Raises InvalidError, and then nothing has changed.
        """
        if record.kind != "maturity":
            return
        payload = control.payload(record)
        self._set.pop(record.name, None)
        if isinstance(payload, Maturity):
            self._set[record.name] = record.event_time_ms, payload

    def waiting_for(self, source: LabelSource, given_ms: int) -> list[tuple[str, Maturity]]:
        """The policies that wait for labels of that source on an answer given then, by name."""
        set_then = {name: policy for name, (since_ms, policy) in self._set.items() if since_ms <= given_ms}
        policies = sorted((DEFAULTS | set_then).items())
        return [(name, policy) for name, policy in policies if policy.source == source]


def is_sampled(policy: Maturity, name: str, example_id: str) -> bool:
    """Whether the answer is in the policy's sample; the same answer always by the same chance."""
    return _number(f"{name}\0{example_id}") < policy.share


def timeout_id(name: str, example_id: str) -> str:
    """The event id of the time-out that a policy gives to an example."""
    return blake2b(f"timeout\0{name}\0{example_id}".encode(), digest_size=16).hexdigest()


def _number(text: str) -> float:
    """A number in [0, 1) that follows from the text."""
    return int.from_bytes(blake2b(text.encode(), digest_size=7).digest(), "big") / 2.0**56
