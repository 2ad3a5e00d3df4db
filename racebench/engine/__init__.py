"""The engines: run a Program freely, under control, or along a recording.

Its users import what they need from the module that has it: a process that only watches, or shows
results, loads nothing that runs programs.
"""
