"""From stored results to something that a person reads.

Everything here works from plain JSON values and runs nothing.
"""
