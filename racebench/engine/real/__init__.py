"""Support for code that does not know RaceBench: in a run it gets our ``threading``, ``queue``, ``time``."""
