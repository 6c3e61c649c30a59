"""Runners: they drive environments with a controller and return `Episodes`."""

from src.registry import Registry

RUNNERS = Registry("runner", {"in_process": "src.runners.in_process:InProcessRunner"})
