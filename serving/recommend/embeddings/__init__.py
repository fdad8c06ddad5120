"""Embeddings: where the vectors of items and users come from; one file a kind."""
