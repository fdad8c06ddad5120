"""The error tree: one root, one suffix, and each class says who must act.

SluiceError
├── InputError            the person at the keyboard: a flag, a file, a setting
│   ├── SettingsError
│   ├── MappingError
│   └── NotFoundError
├── EventError            the producer of an event; carries the dead-letter reason
│   ├── UnreadableError
│   ├── InvalidError
│   └── UnknownVersionError
├── ModelError            the owner of a model
│   ├── SignatureError
│   └── GateError
└── OperatorError         the person on call: a part is missing or down
    ├── MissingPartError
    ├── PortInUseError
    ├── PartFailedError
    ├── UnansweredError
    ├── StoreError
    ├── StateVersionError
    └── LogGapError
"""


class SluiceError(Exception):
    """Anything Sluice raises on purpose. The message is one line: what is wrong, and the way out."""


class InputError(SluiceError):
    """What a person typed or wrote in a file can not be used."""


class SettingsError(InputError):
    """A settings file has an unknown key or a bad value."""


class MappingError(InputError):
    """A replay mapping does not fit its file or its event type."""


class NotFoundError(InputError):
    """A named thing (model, version, job, decision) does not exist."""


class EventError(SluiceError):
    """An event that can not be processed; `reason` is the dead-letter reason, a short stable code."""

    reason = "invalid"

    def __init__(self, message: str, reason: str | None = None) -> None:
        super().__init__(message)
        if reason is not None:
            self.reason = reason


class UnreadableError(EventError):
    """The bytes are no JSON object of the event's shape."""

    reason = "unreadable"


class InvalidError(EventError):
    """The event is readable, but a value is outside its contract."""


class UnknownVersionError(EventError):
    """The event names a schema version that this release does not know."""

    reason = "unknown_version"


class ModelError(SluiceError):
    """A model artifact can not be used."""


class SignatureError(ModelError):
    """An artifact's hash, inputs or outputs differ from its signature."""


class GateError(ModelError):
    """A model did not pass the gate of the stage it was to enter."""


class OperatorError(SluiceError):
    """The environment is broken: a part is missing, down, or refuses."""


class MissingPartError(OperatorError):
    """A program, jar or folder that is needed is not there."""


class PortInUseError(OperatorError):
    """A port of the local stack is taken by another process."""


class PartFailedError(OperatorError):
    """A part of the stack did not become healthy, or died."""


class UnansweredError(OperatorError):
    """A part did not answer in time; it may do so when it is asked again."""


class StoreError(OperatorError):
    """Redis or Cassandra refused or did not answer."""


class StateVersionError(OperatorError):
    """State bytes were written by a version that this release can not read."""


class LogGapError(OperatorError):
    """What a reader has to read next is not in the log any more."""
