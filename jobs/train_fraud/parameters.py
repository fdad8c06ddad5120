"""How the trees are grown: FRD-4 unless a TOML file says otherwise."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from schemas.errors import SettingsError
from serving.features.catalogue import CALENDAR, NAMES

SHIPPED = Path(__file__).parent

Share = Annotated[float, Meta(gt=0, le=1)]
NotNegative = Annotated[float, Meta(ge=0)]


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """XGBoost's own names. `scale_pos_weight` "balanced" is negatives / positives of the training window (X12).

    `features` are the inputs, empty for the whole catalogue but what follows from the date.
    """

    n_estimators: Annotated[int, Meta(ge=1, le=5000)] = 500
    max_depth: Annotated[int, Meta(ge=1, le=16)] = 8
    learning_rate: Annotated[float, Meta(gt=0, le=1)] = 0.05
    subsample: Share = 0.8
    colsample_bytree: Share = 0.8
    colsample_bynode: Share = 1.0
    min_child_weight: NotNegative = 1.0
    gamma: NotNegative = 0.0
    reg_lambda: NotNegative = 1.0
    scale_pos_weight: Annotated[float, Meta(gt=0)] | Literal["balanced"] = "balanced"
    seed: Annotated[int, Meta(ge=0, lt=2**31)] = 1
    features: list[str] = []

    def __post_init__(self) -> None:
        unknown = [name for name in self.features if name not in NAMES]
        if unknown:
            raise ValueError(f"no feature {unknown[0]!r}; docs/features.md lists them")
        if len(set(self.features)) < len(self.features):
            raise ValueError("a feature is listed twice")

    @property
    def inputs(self) -> list[str]:
        """The features the model is given, in vector order."""
        return [name for name in NAMES if (name in self.features if self.features else name not in CALENDAR)]


def shipped() -> list[str]:
    """The names of the parameter files that come with Sluice."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def read(given: Path | None) -> Parameters:
    """The parameters of a TOML file or of a shipped name, the defaults without one.

    Raises SettingsError that names file and key.
    """
    if given is None:
        return Parameters()
    path = SHIPPED / f"{given}.toml" if str(given) in shipped() else given
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Parameters)
    except OSError as error:
        raise SettingsError(
            f"parameters {path}: {error.strerror}; give a file or one of {', '.join(shipped())}"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        known = ", ".join(Parameters.__struct_fields__)
        raise SettingsError(f"parameters {path}: {error}; keys are {known}") from error
