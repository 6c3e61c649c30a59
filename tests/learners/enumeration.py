"""Every episode of a small matrix game, and what a learner makes of them."""

import itertools

import torch

from cohort.components.clock import Clock
from cohort.components.episodes import Episodes
from cohort.configuration.plan import Sources, make_plan
from cohort.experiment import Experiment
from cohort.learners.packed import PackedEpisodes

ANNEALING = 1000  # steps of the clock that `fit` makes of its last quarter


def experiment(algorithm: str, map_name: str, **typed) -> Experiment:
    annealed = {"lr_final": 0.0, "lr_anneal_time": ANNEALING}
    typed = {"epsilon_finish": 1.0, "env_args": {"map_name": map_name}, **annealed, **typed}
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
    for update in range(updates):
        steps = max(0, round(ANNEALING * (4 * update / updates - 3)))
        trained.learner.update(episodes, Clock(steps=steps, episodes=update))
    return episodes


@torch.no_grad()
def joint_values(trained: Experiment, episodes: Episodes) -> torch.Tensor:
    """Q_tot of the actions taken: [B, T]."""
    learner = trained.learner
    batch = PackedEpisodes.of(episodes, learner.policy)
    joint = learner.mixing.joint(learner.networks, learner.utilities(batch)[0], batch)
    return batch.packing.padded(joint).squeeze(-1)
