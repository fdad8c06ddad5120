"""Answers each interaction with the user's new list."""
