"""Every episode of a small matrix game, and what a learner makes of them."""

import itertools

import torch

from cohort.components.clock import Clock
from cohort.components.episodes import Episodes
from cohort.configuration.plan import Sources, make_plan
from cohort.experiment import Experiment


def experiment(algorithm: str, map_name: str, **typed) -> Experiment:
    typed = {"epsilon_finish": 1.0, "env_args": {"map_name": map_name}, **typed}
    return Experiment(make_plan(Sources.read(algorithm, "matrix_games", typed)), lambda line: None)


def every_episode(trained: Experiment) -> Episodes:
    """One episode of each sequence of joint actions, in the order of `itertools.product`."""
    spec = trained.trainer.test_runner.env.spec
    choices = spec.n_agents * spec.episode_limit
    rows = torch.tensor(list(itertools.product(range(spec.n_actions), repeat=choices)))
    actions = rows.view(len(rows), spec.episode_limit, spec.n_agents)
    env = trained.plan["env"].create(batch_size=len(rows), seed=0)
    seen, paid, over = [env.reset()], [], []
    for t in range(spec.episode_limit):
        transition = env.step(actions[:, t])
        seen.append(transition.observation)
        paid.append(transition.reward)
        over.append(transition.terminated)
    return Episodes(
        obs=torch.stack([each.obs for each in seen], dim=1),
        state=torch.stack([each.state for each in seen], dim=1),
        available_actions=torch.stack([each.available_actions for each in seen], dim=1),
        actions=actions,
        reward=torch.stack(paid, dim=1),
        terminated=torch.stack(over, dim=1),
        truncated=torch.zeros(len(rows), spec.episode_limit, dtype=torch.bool),
        length=torch.full((len(rows),), spec.episode_limit),
    )


def fit(trained: Experiment, updates: int) -> Episodes:
    """Full-batch learning on every episode, uniformly: what full exploration converges to. Rate falls at the end."""
    episodes = every_episode(trained)
    (group,) = trained.learner.optimisers["td"].param_groups
    rate = group["lr"]
    for update in range(updates):
        group["lr"] = rate * min(1.0, 4 * (1 - update / updates))
        trained.learner.update(episodes, Clock(episodes=update))
    return episodes


@torch.no_grad()
def joint_values(trained: Experiment, episodes: Episodes) -> torch.Tensor:
    """Q_tot of the actions taken: [B, T]."""
    chosen, _, inputs = trained.learner.utilities(episodes)
    return trained.learner.mixing.joint(trained.learner.networks, chosen, episodes, inputs).squeeze(-1)
