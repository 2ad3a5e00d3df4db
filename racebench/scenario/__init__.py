"""What runs and what is expected of it: TOML or Python files, selection, a user's own files."""
