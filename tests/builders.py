"""Small learners and random batches for tests."""

import torch

from cohort.assembly import build_learner
from cohort.components.episodes import Episodes
from cohort.components.transitions import Transitions
from cohort.configuration.plan import Sources, make_plan
from cohort.envs.base import EnvSpec
from cohort.learners.base import Learner

SPEC_3M = EnvSpec(n_agents=3, n_actions=9, obs_dim=30, state_dim=48, episode_limit=60)
PLANE = EnvSpec(n_agents=3, n_actions=0, obs_dim=5, state_dim=6, episode_limit=8, action_dim=2)
SMALL = EnvSpec(n_agents=3, n_actions=4, obs_dim=5, state_dim=6, episode_limit=8)


def make_learner(
    algorithm: str, spec: EnvSpec = SMALL, seed: int = 0, env: str = "matrix_games", **typed
) -> Learner:
    """The learner of one algorithm's configuration, for an environment of any size; `env` gives its files' keys."""
    torch.manual_seed(seed)
    plan = make_plan(Sources.read(algorithm, env, {"seed": seed, **typed}))
    return build_learner(plan, spec, torch.device("cpu"))[1]


def with_other_targets(learner: Learner, by: float) -> Learner:
    """The learner in double precision, its targets moved at random, so that they are unlike the live networks."""
    learner.networks.double()
    learner.targets.networks.double()
    draw = torch.Generator().manual_seed(3)
    for parameter in learner.targets.networks.parameters():
        parameter.data += by * torch.randn(parameter.shape, generator=draw)
    return learner


def random_episodes(
    lengths: list[int], spec: EnvSpec = SMALL, seed: int = 0, padding: float = 0.0
) -> Episodes:
    """Random episodes of these lengths; every second one is cut off instead of ending. `padding` fills the rest."""
    draw = torch.Generator().manual_seed(seed)
    batch, steps = len(lengths), max(lengths)
    length = torch.tensor(lengths)
    after = torch.arange(steps + 1) > length[:, None]
    idle = (torch.arange(steps + 1) >= length[:, None])[:, :-1]
    last = torch.arange(steps) == length[:, None] - 1

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(batch, *shape, generator=draw)

    available = torch.rand(batch, steps + 1, spec.n_agents, spec.n_actions, generator=draw) < 0.7
    available[..., 0] = True
    scores = torch.rand(available.shape, generator=draw).masked_fill(~available, -1)
    return Episodes(
        obs=normal(steps + 1, spec.n_agents, spec.obs_dim).masked_fill(after[..., None, None], padding),
        state=normal(steps + 1, spec.state_dim).masked_fill(after[..., None], padding),
        available_actions=available.masked_fill(after[..., None, None], True),
        actions=scores[:, :-1].argmax(dim=-1).masked_fill(idle[..., None], 0),
        reward=normal(steps).masked_fill(idle, padding),
        terminated=last & (torch.arange(batch) % 2 == 0)[:, None],
        truncated=last & (torch.arange(batch) % 2 == 1)[:, None],
        length=length,
    )


def random_transitions(
    batch: int, spec: EnvSpec = PLANE, seed: int = 0, dtype: torch.dtype = torch.float32
) -> Transitions:
    """Random transitions with the actions and rewards of `spec`; some end their game, others are only cut off."""
    draw = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(batch, *shape, generator=draw, dtype=dtype)

    def available() -> torch.Tensor:
        mask = torch.rand(batch, spec.n_agents, spec.n_actions, generator=draw) < 0.7
        mask[..., :1] = True
        return mask

    before, after = available(), available()
    if spec.action_dim:
        actions = normal(spec.n_agents, spec.action_dim).tanh()
    else:
        actions = torch.rand(before.shape, generator=draw).masked_fill(~before, -1).argmax(dim=-1)
    ends, cut = (torch.rand(batch, generator=draw) < share for share in (0.2, 0.3))
    obs, next_obs = normal(spec.n_agents, spec.obs_dim), normal(spec.n_agents, spec.obs_dim)
    reward = normal() if spec.common_reward else normal(spec.n_agents)
    return Transitions(
        obs=obs,
        next_obs=next_obs,
        state=normal(spec.state_dim),
        next_state=normal(spec.state_dim),
        available_actions=before,
        next_available_actions=after,
        actions=actions,
        reward=reward,
        terminated=ends,
        truncated=cut & ~ends,
    )
