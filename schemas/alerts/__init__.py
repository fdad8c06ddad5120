"""The alerts there are: what sets each off, how severe it is, whose it is, and what to read then."""
