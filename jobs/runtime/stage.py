"""What a job's stage is to the runtime: plain Python that never sees Flink."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jobs.runtime.metrics import JobMetrics
from schemas.settings import Settings
from schemas.topics import Topic
from serving.entity_cache import Writes
from serving.inflight import Message, Record

# Longer than the longest window (30 days and the label delay): what is dropped could not change a feature.
STATE_DAYS = 40


@dataclass(frozen=True)
class Door:
    """What the runtime hands to a stage when it opens.

    `read` gives the state bytes of a key, of the bucket that is being worked on; the clocks are the machine's.
    """

    read: Callable[[str], bytes | None]
    metrics: JobMetrics
    settings: Settings
    clock_us: Callable[[], int]
    now_ms: Callable[[], int]


class Stage(ABC):
    """One keyed stage of a job. It is pickled to the cluster before it is opened, so it holds settings only.

    `uid` names the stage's operator for good: state is found again by it.
    """

    uid: str

    @abstractmethod
    def open(self, door: Door) -> None:
        """Called once in the process that runs the stage, before the first batch."""

    @abstractmethod
    def step(self, batch: Sequence[Record] | Sequence[Message]) -> Sequence[Message]:
        """Work on one batch of one bucket: records in the first stage, messages of the one before in the others."""

    def route(self, message: Message) -> str:  # noqa: ARG002  stages that are not the last read it
        """The id whose bucket the message goes to next."""
        raise TypeError(f"{self.uid} is a last stage: nothing goes on from it")

    def wake_ms(self) -> int | None:
        """When this bucket is to be woken although nothing comes, in the machine's time; asked after each batch.

        None = not. Only the stage of a flow that has no other is woken.
        """
        return None

    def wake(self) -> Sequence[Message]:
        """Work on what became due in this bucket."""
        return ()

    def take_writes(self) -> Writes:
        """State that changed since the last call; the runtime puts it into Flink's state before anything leaves."""
        return {}

    def close(self) -> None:
        """Called once when the process lets the stage go; most hold nothing that must be let go."""
        return


def everything(_: Settings) -> int:
    """Every key."""
    return 1000


@dataclass(frozen=True)
class Flow:
    """A chain of stages: where its records come from, what happens to them, and which topics it may write.

    The flows of a job share no stream: one that fails or waits holds up no other. `batch_ms` is the width of its
    micro-batches, None = the setting. `buckets` is for a flow whose keys can not be told apart, None = the setting.
    `permille` says how many of a thousand keys it reads, all topics the same ones; at 0 there is no such flow.
    `niceness` is how far its threads in Python stand back from other flows of the job (jobs/runtime/priority.py).
    """

    name: str
    sources: tuple[Topic, ...]
    stages: tuple[Stage, ...]
    outputs: tuple[Topic, ...]
    batch_ms: int | None = None
    buckets: int | None = None
    permille: Callable[[Settings], int] = everything
    niceness: int = 0


@dataclass(frozen=True)
class Job:
    """What is submitted, stopped and resumed as one.

    `keeps_state` is False where no stage keeps any: then only what waits for the end of its micro-batch is state.
    State goes `state_days` after its last change. `niceness` is how far the process that runs it stands back from
    others of the machine, 0 = not at all: a TaskManager takes it from the job that was opened in it last.
    """

    name: str
    flows: tuple[Flow, ...]
    keeps_state: bool = True
    state_days: int = STATE_DAYS
    niceness: int = 0

    def consumer_group(self, flow: Flow, settings: Settings) -> str:
        """The name under which a flow commits the offsets that its checkpoints cover."""
        return f"sluice-{self.name}-{flow.name}{settings.job.group_suffix}"
