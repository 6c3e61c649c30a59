"""Measurements; run them as modules, e.g. `python -m benchmarks.throughput`."""
