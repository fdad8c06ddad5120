"""Labels meet the logged decision or list that they are about."""
