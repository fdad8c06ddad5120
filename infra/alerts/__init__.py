"""From a signal to a person: rules for Prometheus, the router of notifications, their deliveries, and responses."""
