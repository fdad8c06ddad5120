"""Measures recommendations: by published protocols, in order of time, and off-policy from logs with propensities."""
