"""Turn stored results into reports for people.

Everything here works from plain JSON values and runs nothing.
"""
