"""The loop: records of the log through the course of every learner, and what they tell of out again.

At least once: what is told goes out before the checkpoint that knows of it is saved, so that after a crash some of it
is told again, under the same ids. A learner that starts over keeps silent until it has seen what was there when it
started, then tells of its model: readers must not fall back to models of its youth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from online_learning.checkpoint import CheckpointFile, Saved
from online_learning.course import Course
from online_learning.definition import Definition
from online_learning.limits import Limits
from online_learning.merge import Held, Position, Record, earliest
from schemas import codec
from schemas.errors import EventError, LogGapError
from schemas.events import DeadLetter, Event, LabelledExample, Snapshot, SourcePosition
from schemas.letters import letter
from schemas.settings import Promotion
from schemas.topics import LABELLED_EXAMPLES

JOB = "learn"


class _Student:
    """A learner's course, and how far it is in the log."""

    def __init__(
        self, file: CheckpointFile, course: Course, positions: dict[int, Position], partitions: int = 0
    ) -> None:
        self.file = file
        self.course = course
        self.positions = positions
        # How many the log had when the checkpoint was saved; 0 where there is none.
        self.partitions = partitions

    def take(self, record: Record, example: LabelledExample) -> list[Event]:
        """Learn from a record, unless that was done before."""
        if record.offset < self.positions.get(record.partition, Position()).offset:
            return []
        told = self.course.take(example)
        return [] if self.course.silent else told

    def passed(self, record: Record) -> None:
        """The record is behind us, whatever became of it."""
        if record.offset >= self.positions.get(record.partition, Position()).offset:
            self.positions[record.partition] = Position(record.offset + 1, record.stamp_ms)


class Loop:
    """Some learners of one process, each with a checkpoint in `folder`.

    `names` are the features of each feature set, in vector order. Learners in `afresh` begin at the log's beginning.
    Raises what CheckpointFile.load raises.
    """

    def __init__(
        self,
        definitions: Sequence[Definition],
        names: Mapping[str, Sequence[str]],
        folder: Path,
        *,
        afresh: bool = False,
        promotion: Promotion = Promotion(),  # noqa: B008  frozen
        limits: Limits = Limits(),  # noqa: B008  frozen
    ) -> None:
        self.students: list[_Student] = []
        self.counts: Counter[str] = Counter()
        for definition in definitions:
            file = CheckpointFile(folder, definition.name)
            vector = tuple(names[definition.feature_set])
            kept = None if afresh else file.load(definition, vector)
            saved = kept or Saved(Course(definition, vector, promotion=promotion), {}, 0)
            saved.course.challenge.judge_by(promotion)
            saved.course.limit_by(limits)
            self.students.append(_Student(file, *saved))

    @property
    def silent(self) -> bool:
        """Whether a learner keeps silent."""
        return any(course.silent for course in self.courses)

    @property
    def courses(self) -> list[Course]:
        """The course of each learner."""
        return [student.course for student in self.students]

    @property
    def relimited(self) -> list[str]:
        """Learners that have learned by other limits than those of now."""
        return [course.definition.name for course in self.courses if course.relimited]

    def start(self, partitions: Sequence[int], held: Mapping[int, Held] | None = None) -> dict[int, Position]:
        """Where the log has to be read from; `held` is what it holds by partition.

        Raises LogGapError when a learner has to go on at a record that is not there: Kafka would go on at its first
        one, and the model would never be what a replay gives. So it would where the log has other partitions by now:
        their examples come in another order.
        """
        for student in self.students:
            if student.partitions not in {0, len(partitions)}:
                raise LogGapError(
                    f"{student.course.definition.name} learned from {student.partitions} partitions of "
                    f"{LABELLED_EXAMPLES.name}, which has {len(partitions)} now; "
                    f"learn what is there with `sluice learn {student.course.definition.name} --from-beginning`"
                )
            student.partitions = len(partitions)
            for partition, at in student.positions.items():
                first, end = (held or {}).get(partition, (0, at.offset))
                if not first <= at.offset <= end:
                    raise LogGapError(
                        f"{student.course.definition.name} goes on at offset {at.offset} of partition {partition} of "
                        f"{LABELLED_EXAMPLES.name}, which holds {first} to {end}; "
                        f"learn what is there with `sluice learn {student.course.definition.name} --from-beginning`"
                    )
        return earliest([student.positions for student in self.students], partitions)

    def take(self, records: Sequence[Record]) -> list[Event]:
        """Learn from records; what follows, for the topics."""
        told: list[Event] = []
        for record in records:
            self.counts["records"] += 1
            try:
                example = codec.decode(LabelledExample, record.value)
            except EventError as error:
                self.counts["unreadable"] += 1
                told.append(_letter(record, error))
            else:
                for student in self.students:
                    told += student.take(record, example)
            for student in self.students:
                student.passed(record)
        return told

    def caught_up(self) -> list[Event]:
        """Learners that kept silent speak from now on, first of their model."""
        told: list[Event] = []
        for course in self.courses:
            if course.silent and course.last_good_examples:
                told.append(course.snapshot())
            course.silent = False
        return told

    def save(self) -> None:
        """Keep every learner's state and place."""
        for student in self.students:
            student.file.save(student.course, student.positions, student.partitions)


def newest(told: Sequence[Event]) -> list[Event]:
    """What of `told` is worth telling at once: of several snapshots of a learner only the newest."""
    last = {event.learner: event for event in told if isinstance(event, Snapshot)}
    return [event for event in told if not isinstance(event, Snapshot) or last[event.learner] is event]


def _letter(record: Record, error: EventError) -> DeadLetter:
    return letter(
        SourcePosition(LABELLED_EXAMPLES.name, record.partition, record.offset),
        record.stamp_ms,
        record.key,
        record.value,
        error,
        job=JOB,
        event_id=f"learn-{record.partition}-{record.offset}",
    )
