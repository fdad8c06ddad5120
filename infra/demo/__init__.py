"""The demo: the whole system at work on generated payments, for a minute, before your eyes."""
