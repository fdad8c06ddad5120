"""The HTTP door: read features and decisions, score on demand, see health. Status codes exist only here."""
