"""The contracts of Sluice: events, topics, control records, settings, errors. Imports nothing of ours."""
