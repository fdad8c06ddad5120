"""The doors to what lies outside a job: the online store (Redis) and the history store (Cassandra).

Each has a port, an in-memory twin and an adapter; one contract suite runs over twin and adapter.
"""
