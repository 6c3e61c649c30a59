"""Parts that runners, learners and trainers share."""

from cohort.registry import Registry

MEMORIES = Registry("memory", {"replay": "cohort.components.replay:Replay"})
