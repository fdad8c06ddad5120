"""The state of River's scalers as plain data."""

from __future__ import annotations

from collections.abc import Sequence

from river import preprocessing

from schemas.snapshots import Scaling


def adaptive_scaling(scaler: preprocessing.AdaptiveStandardScaler, features: Sequence[str]) -> Scaling:
    """Mean and deviation, both exponentially weighted; a feature that was never seen scales to 0."""
    shift, scale = [], []
    for name in features:
        seen = name in scaler.means
        variance = scaler.vars[name].get() if seen else 0.0
        shift.append(float(scaler.means[name].get()) if seen else 0.0)
        scale.append(float(variance**0.5) if variance > 0 else 0.0)
    return Scaling(shift, scale)


def range_scaling(scaler: preprocessing.MinMaxScaler, features: Sequence[str]) -> Scaling:
    """Lowest value and range; a feature that was never seen scales to 0."""
    shift, scale = [], []
    for name in features:
        seen = name in scaler.min
        low = float(scaler.min[name].get()) if seen else 0.0
        shift.append(low)
        scale.append(float(scaler.max[name].get()) - low if seen else 0.0)
    return Scaling(shift, scale)
