"""The seeded generator: customers, merchants, fraud patterns and late labels. Pure: seed and time in, events out."""
