"""Code that knows nothing of RaceBench: ``threading``, ``queue`` and ``time`` are ours for it while a run lasts."""
