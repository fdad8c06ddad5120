"""Measures the recommender on real data sets, by published protocols and in order of time."""
