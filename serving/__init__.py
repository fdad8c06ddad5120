"""Everything that computes an answer, pure and free of frameworks; its doors are `stores/` and `api/`."""
