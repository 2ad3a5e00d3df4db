"""Which schedule comes next, and when all have been seen."""
