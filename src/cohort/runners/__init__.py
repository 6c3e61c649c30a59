"""Runners: they drive environments with a policy and return `Episodes`."""

from cohort.registry import Registry

RUNNERS = Registry(
    "runner",
    {
        "in_process": "cohort.runners.in_process:InProcessRunner",
        "refilling": "cohort.runners.refilling:RefillingRunner",
    },
)
