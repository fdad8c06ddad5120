"""The recommender: interactions and items in, a fresh list for each interaction out. Pure."""
