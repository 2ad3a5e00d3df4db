"""The controlled engine: real OS threads that run one at a time."""
