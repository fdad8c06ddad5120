"""The model card (REG-10): what a model is, what it was made from, how good it is, and where not to trust it."""

from __future__ import annotations

from schemas.instants import minute
from schemas.models import Metrics, Signature
from serving.thresholds import effects

SHOWN_THRESHOLDS = [0.95, 0.9, 0.85, 0.8, 0.7, 0.5]
SHOWN_FEATURES = 15


def card(signature: Signature, metrics: Metrics, delay_days: float) -> str:
    """The card as Markdown."""
    parameters = ", ".join(f"{name} {value}" for name, value in signature.parameters.items())
    fraud_share = signature.training_frauds / signature.training_rows
    rows = "\n".join(
        f"| > {e.threshold:g} | {e.false_positive_rate:.3%} | {e.catch:.1%} | {e.fraud_blocked:,.0f} "
        f"| {e.revenue_lost:,.0f} |"
        for e in effects(metrics.curve, SHOWN_THRESHOLDS)
    )
    features = "\n".join(
        f"| `{name}` | {share:.1%} |" for name, share in list(metrics.importance.items())[:SHOWN_FEATURES]
    )
    return f"""# {signature.name}@{signature.version}

## Details
{signature.framework}, feature set {signature.feature_set}, {len(signature.inputs)} inputs.
Code {signature.code_version}. Parameters: {parameters}.

## Intended use
The probability that a card payment is fraud, inline, before it is approved. Decisions follow from thresholds on the
control topic; rules may raise them. It is not meant to judge people, merchants or anything but the payment.

## Data
{signature.training_data}. Trained on {signature.training_rows:,} payments, {signature.training_frauds:,} known frauds
({fraud_share:.2%}), {minute(signature.trained_from_ms)} to {minute(signature.trained_to_ms)}; calibrated on the days
after it; then {delay_days:g} days for labels to come in. Features were computed by the scoring step itself.

## Performance
On {metrics.rows:,} later payments with {metrics.frauds:,} frauds, {minute(metrics.from_ms)} to {minute(metrics.to_ms)}:

| Metric | Value |
|---|---|
| Average precision | {metrics.average_precision:.4f} |
| Recall at 1 % false positives | {metrics.recall_at_1pct_fpr:.4f} |
| AUC ROC | {metrics.roc_auc:.4f} |
| Brier score, before and after calibration | {metrics.brier_raw:.5f}, {metrics.brier:.5f} |
| Expected calibration error, before and after | {metrics.calibration_error_raw:.5f}, {metrics.calibration_error:.5f} |
| Largest difference of ONNX Runtime and XGBoost | {metrics.onnx_difference:.1e} |

| Threshold | False positives | Caught | Fraud blocked | Revenue lost |
|---|---|---|---|---|
{rows}

| Feature | Share of the gain |
|---|---|
{features}

## Ethics
A false alarm turns a person away from a purchase: keep the false positive rate under watch for each segment. No
input names age, sex, origin or the like; place, hour and device may still stand in for them.

## Caveats
Payments whose fraud became known after the label delay were learned as good ones. New users and merchants have no
history, and their features are defaults. Fraud changes: retrain weekly, and watch drift against `reference.json`.
"""
