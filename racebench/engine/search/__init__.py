"""Chooses which schedule comes next, and knows when all have been run."""
