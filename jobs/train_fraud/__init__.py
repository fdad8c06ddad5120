"""Trains the fraud model: history through the scoring step, split by time, XGBoost, calibration, registry."""
