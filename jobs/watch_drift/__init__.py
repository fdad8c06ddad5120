"""Watches answers: drift, performance, train-serve skew, business figures and what is unusual in them."""
