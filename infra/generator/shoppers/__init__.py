"""What generated shoppers do with a generated catalogue."""
