"""What the console shows: bounded views of topics, metrics and the registry, and the edges that fill them."""
