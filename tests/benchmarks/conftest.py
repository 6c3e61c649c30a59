"""Fixtures of the benchmarks that read runs."""

from tests.run_folders import results, write_run

__all__ = ["results", "write_run"]
