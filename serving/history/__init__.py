"""Files of the past as events: any CSV or Parquet file, through a mapping, in order of event time."""
