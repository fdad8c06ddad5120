"""The demos: the whole system at work on generated payments, or shoppers, for a minute, before your eyes."""
