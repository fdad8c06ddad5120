"""The features: one file a group, put in order by the catalogue."""
