"""Measures the fraud model by the protocol of the fraud detection handbook."""
