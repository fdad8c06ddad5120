"""The one place that names the versions of the parts: the jars, the packages and the images follow it."""

KAFKA = "4.3.1"
CASSANDRA = "5.0.9"
FLINK = "2.3.0"
FLINK_KAFKA_CONNECTOR = "5.0.0-2.2"
REDIS = "7.0"
PROMETHEUS = "2.42.0"
ALERTMANAGER = "0.25.0"
JAVA = "17"
# In docker-compose.yml alone: the local stack has the console.
GRAFANA = "11.6.0"

# Properties that infra/pom.xml expects.
MAVEN = {
    "kafka.version": KAFKA,
    "cassandra.version": CASSANDRA,
    "connector.version": FLINK_KAFKA_CONNECTOR,
}
