"""What may not stand in a list, one rule a file."""
