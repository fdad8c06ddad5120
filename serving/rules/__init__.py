"""The rules: one file a kind, listed in the catalogue; limits arrive as control data."""
