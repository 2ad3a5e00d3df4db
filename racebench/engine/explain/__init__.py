"""From a signature to a finding: shrink, replay, confirm, and find which locks are needed."""
