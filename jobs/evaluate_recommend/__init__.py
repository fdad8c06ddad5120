"""Measures recommendations: by published protocols, and off-policy from logs with propensities."""
