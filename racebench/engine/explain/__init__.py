"""From a signature to a finding: shrink, replay, confirm, and which lock is needed."""
