"""The names of the jobs, for a command line that must not import Flink to know them. A test compares the catalogue."""

JOB_NAMES = SCORE, MATERIALIZE = ("score_transactions", "materialize")

# Submitted by `sluice bench` alone, and ended by it.
BENCH_JOB_NAMES = ("bench_reference",)
