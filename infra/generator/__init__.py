"""Generated events, seeded: the same configuration gives the same bytes."""
