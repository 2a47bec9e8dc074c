"""A fault schedule with a fixed seed, against a real server.

`python -m tests.faults --seed 7 --faults 500`.
"""
