"""Decisions and features into Redis and Cassandra."""
