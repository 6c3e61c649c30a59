"""Runners: they drive environments with a controller and return `Episodes`."""

from cohort.registry import Registry

RUNNERS = Registry("runner", {"in_process": "cohort.runners.in_process:InProcessRunner"})
