"""Fixtures of the commands that read runs."""

from tests.mongod import database, mongod, server
from tests.run_folders import results, write_run

__all__ = ["database", "mongod", "results", "server", "write_run"]
