"""What every job shares: micro-batches in, keyed stages over packed state, records out."""
