"""Payments in, fraud decisions out."""
