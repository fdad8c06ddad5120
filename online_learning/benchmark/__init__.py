"""Learners as they are measured on published data sets, beside those that others published."""
