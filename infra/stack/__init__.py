"""The local stack: real Kafka, Flink, Redis, Cassandra, Prometheus and Alertmanager on loopback, without containers."""

from infra.stack.launcher import down, renew, start_part, stop_part, up

__all__ = ["down", "renew", "start_part", "stop_part", "up"]
