"""The free-running engine: nothing holds the threads back."""
