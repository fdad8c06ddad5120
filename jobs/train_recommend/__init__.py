"""Trains the recommender: item model and ranker, on features that the step itself computes."""
