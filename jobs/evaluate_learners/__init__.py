"""Measures learners prequentially on real data sets, beside published figures."""
