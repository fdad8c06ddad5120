"""Drift reports of the topic as a table and as one page."""
