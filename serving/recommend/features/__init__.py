"""What the ranker looks at, one group a file."""
