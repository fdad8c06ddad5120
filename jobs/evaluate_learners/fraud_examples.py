"""The payments of fraud-handbook with the features of the stream, kept in a folder between runs."""

from __future__ import annotations

import hashlib
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from jobs.evaluate_fraud.evaluate import FILE, MAPPING
from jobs.evaluate_learners.outlet import check_writable
from jobs.train_fraud.backfill import Progress, backfill
from jobs.train_fraud.examples import Examples
from jobs.train_fraud.split import by_days
from schemas.errors import InputError
from schemas.instants import milliseconds
from schemas.units import DAY_MS
from serving.features.catalogue import FEATURE_SET
from serving.history import reader
from serving.history.mapping import load

LABEL_DELAY_MS = 7 * DAY_MS


# A month of history comes before the first example.
FROM_MS, TO_MS = milliseconds("2018-05-01"), milliseconds("2018-09-30")
# Training until here, two weeks of calibration, a week of waiting for labels: the champion could be made at CUT_MS.
SPLIT = by_days(FROM_MS, milliseconds("2018-06-17"), calibrate_days=14, delay_days=7, validate_days=14)
CUT_MS = SPLIT.cut_ms


def examples(folder: Path, cache: Path | None, tell: Progress) -> Examples:
    """All payments of the protocol with the features that the step computes.

    Raises InputError for a cache that is of other payments, is broken, or can not be written.
    """
    kept = None if cache is None else cache / f"fraud-handbook-{FEATURE_SET}.npz"
    sha256 = "" if kept is None else _sha256(folder / FILE)
    if kept is not None and kept.exists():
        return _read(kept, sha256)
    if kept is not None:
        check_writable(kept, "--cache")
    events = reader.events(folder / FILE, load(MAPPING), until_ms=TO_MS + LABEL_DELAY_MS + DAY_MS)
    found = backfill(events, since_ms=FROM_MS, until_ms=TO_MS, progress=tell)
    if kept is not None:
        _keep(kept, found, sha256)
    return found


def _keep(kept: Path, found: Examples, sha256: str) -> None:
    """Write a new file and put it into its place, so that a file there is whole."""
    fresh = kept.with_suffix(".new")
    try:
        with fresh.open("wb") as file:
            np.savez(
                file,
                vectors=found.vectors,
                times_ms=found.times_ms,
                amounts=found.amounts,
                users=np.array(found.users),
                ids=np.array(found.ids),
                verdict_rows=found.verdict_rows,
                known_ms=found.known_ms,
                verdicts=found.verdicts,
                sha256=np.array(sha256),
            )
        fresh.replace(kept)
    except OSError as error:
        raise InputError(f"cache {kept}: {error.strerror}; give another --cache") from error


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as held:
            return hashlib.file_digest(held, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}; give the folder of fraud-handbook") from error


def _read(kept: Path, sha256: str) -> Examples:
    try:
        with np.load(kept) as held:
            if str(held["sha256"]) != sha256:
                raise InputError(f"cache {kept} is of another {FILE}; delete the file")
            return Examples(
                vectors=held["vectors"],
                times_ms=held["times_ms"],
                amounts=held["amounts"],
                users=held["users"].tolist(),
                ids=held["ids"].tolist(),
                verdict_rows=held["verdict_rows"],
                known_ms=held["known_ms"],
                verdicts=held["verdicts"],
            )
    except (OSError, EOFError, KeyError, ValueError, BadZipFile) as error:
        raise InputError(f"cache {kept}: {error}; delete the file") from error
