"""The facts of a game, whether it is played in this process or in a worker: nothing here needs torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class EnvSpec:
    """The facts of an environment that networks, memories and runners are sized by.

    Attributes:
        n_agents: N.
        n_actions: A, the number of discrete actions of each agent; 0 where actions are continuous.
        obs_dim: O, the size of one agent's observation.
        state_dim: S, the size of the global state, which only training may look at.
        episode_limit: the most steps an episode can have.
        info_keys: names of the episode's outcomes in `Transition.info`, logged as `<name>_mean`.
        action_dim: U, the size of each agent's continuous action in [-1, 1]; 0 where actions are discrete.
        common_reward: whether the team shares one reward; else every agent has its own.
        picture: height, width and channels where observations are pictures of bytes, flat; O is their product.
        state_in_bytes: whether the state is bytes too.
        agent_names: what the game calls its agents, in order; none where they have only numbers.
    """

    n_agents: int
    n_actions: int
    obs_dim: int
    state_dim: int
    episode_limit: int
    info_keys: tuple[str, ...] = ()
    action_dim: int = 0
    common_reward: bool = True
    picture: tuple[int, int, int] | None = None
    state_in_bytes: bool = False
    agent_names: tuple[str, ...] = ()
