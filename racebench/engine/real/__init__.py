"""Code that does not know RaceBench: in a run it finds our ``threading``, ``queue`` and ``time``."""
