"""Measures what the watch of drift finds on streams whose drifts are known."""
