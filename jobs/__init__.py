"""The pure steps of `serving/` put on Flink: one folder a job, one shared runtime."""
