"""Parts that runners, learners and trainers share."""

from src.registry import Registry

MEMORIES = Registry(
    "memory",
    {
        "episode_replay": "src.components.replay:EpisodeReplay",
        "transition_replay": "src.components.transition_replay:TransitionReplay",
    },
)
