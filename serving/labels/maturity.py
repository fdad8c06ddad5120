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
    """The policies in force: the defaults, and what `control` says beside and in place of them."""

    def __init__(self) -> None:
        self.policies = dict(DEFAULTS)

    def apply(self, record: ControlRecord) -> None:
        """Take one control record in; other kinds are passed over, a deletion brings back the default.

        Raises InvalidError, and then nothing has changed.
        """
        if record.kind != "maturity":
            return
        payload = control.payload(record)
        policies = dict(self.policies)
        policies.pop(record.name, None)
        if isinstance(payload, Maturity):
            policies[record.name] = payload
        elif record.name in DEFAULTS:
            policies[record.name] = DEFAULTS[record.name]
        self.policies = dict(sorted(policies.items()))

    def waiting_for(self, source: LabelSource) -> list[tuple[str, Maturity]]:
        """The policies that wait for labels of that source."""
        return [(name, policy) for name, policy in self.policies.items() if policy.source == source]


def is_sampled(policy: Maturity, name: str, example_id: str) -> bool:
    """Whether the answer is in the policy's sample; the same answer always by the same chance."""
    return _number(f"{name}\0{example_id}") < policy.share


def timeout_id(name: str, example_id: str) -> str:
    """The event id of the time-out that a policy gives to an example."""
    return blake2b(f"timeout\0{name}\0{example_id}".encode(), digest_size=16).hexdigest()


def _number(text: str) -> float:
    """A number in [0, 1) that follows from the text."""
    return int.from_bytes(blake2b(text.encode(), digest_size=7).digest(), "big") / 2.0**56
