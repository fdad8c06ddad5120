"""Labels meet the logged answers that they are about: what becomes known, when it counts, what replaces what."""
