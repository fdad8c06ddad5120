"""What drift reports measure, by subject, and the limits that requirements give: writers and alerts agree on these."""

from __future__ import annotations

from schemas.watching import DriftSubject

# X10: caught are BLOCK, CHALLENGE and REVIEW, of good payments only BLOCK and CHALLENGE count. Target, then alert.
CATCH_RATE, CATCH_TARGET, CATCH_LOW = "catch_rate", 0.80, 0.75
FALSE_POSITIVES, FALSE_TARGET, FALSE_HIGH = "false_positive_rate", 0.01, 0.015
POSITIVE_SHARE = "positive_share"

FIGURES = ("roc_auc", "average_precision", "precision", "recall", "positive_rate", "f1", "accuracy")
# What scores alone make of a figure, before labels come.
ESTIMATES = tuple(f"{figure}_estimated" for figure in FIGURES)
CALIBRATION_ERROR = "calibration_error"
# What the job says of a model's errors; learners name what their detectors measure themselves.
ERRORS, ERROR_SHARE = "errors", "error_share"
DISTANCES = ("psi", "kullback_leibler", "jensen_shannon", "wasserstein", "chi_square", "kolmogorov_smirnov")
# None: what detects names itself, by a learner's definition.
MEASURES: dict[DriftSubject, tuple[str, ...] | None] = {
    "feature": (*DISTANCES, "null_share", "outside_share", "range_ratio", "unread_share"),
    "score": None,
    "decisions": ("psi",),
    "error": None,
    "label": (POSITIVE_SHARE,),
    "skew": ("mismatch_share",),
    "multivariate": ("psi",),
    "performance": (
        *FIGURES,
        *ESTIMATES,
        CALIBRATION_ERROR,
        CATCH_RATE,
        FALSE_POSITIVES,
    ),
}
