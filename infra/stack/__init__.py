"""The local stack: real Kafka, Flink, Redis, Cassandra, Prometheus and Alertmanager on loopback, without containers."""

from infra.stack.launcher import down, start_part, stop_part, up

__all__ = ["down", "start_part", "stop_part", "up"]
