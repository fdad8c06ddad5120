"""Payments of generated customers, with frauds among them and labels after them."""
