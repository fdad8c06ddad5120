"""The names of the jobs, for a command line that must not import Flink to know them. A test compares the catalogue."""

JOB_NAMES = SCORE, MATERIALIZE, RECOMMEND, JOIN, WATCH_DRIFT = (
    "score_transactions",
    "materialize",
    "recommend",
    "join_labels",
    "watch_drift",
)
# What it takes from a payment to its decision in the stores: what the demo and the bench run.
FRAUD_JOBS = (SCORE, MATERIALIZE)

# Submitted by `sluice bench` alone, and ended by it.
BENCH_JOB_NAMES = ("bench_reference",)
