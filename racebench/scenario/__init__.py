"""Scenarios: what runs and what is expected; TOML or Python files, selection, users' files."""
