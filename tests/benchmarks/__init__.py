"""Benchmarks: each beside its peers or its floor in the same run. `python -m tests.benchmarks.wave_start --help`."""
