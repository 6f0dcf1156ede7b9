"""Fuzzing: bytes and texts that nobody meant, at every place where the lab reads any.

`python -m tests.fuzz --minutes 60` runs for as long as you like; `test_fuzz.py` runs for a moment
with every test run, and tries the inputs in `corpus/`, which failed once, first.
"""
