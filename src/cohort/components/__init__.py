"""Parts that runners, learners and trainers share."""

from cohort.registry import Registry

MEMORIES = Registry(
    "memory",
    {
        "episode_replay": "cohort.components.replay:EpisodeReplay",
        "transition_replay": "cohort.components.transition_replay:TransitionReplay",
    },
)
