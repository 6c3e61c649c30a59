"""How continuous actions are explored: deterministic controllers with noise, and random steps before a policy acts."""

import math

import torch

from cohort.components.distributions import Point, SquashedGaussian
from cohort.controllers.epsilon import EpsilonSettings
from cohort.controllers.gaussian_noise import GaussianNoise, GaussianNoiseSettings
from cohort.controllers.random_steps import RandomStepsSettings
from cohort.controllers.sampling import RandomThenSampling
from cohort.controllers.uniform_mixture import UniformMixture
from cohort.envs.base import Observation
from tests.builders import PLANE, make_learner

T = 10  # steps of an episode: 10,000 episodes are 100,000 steps
SETTINGS = EpsilonSettings(epsilon_start=1.0, epsilon_finish=0.1, epsilon_anneal_time=10_000 * T)


def explored(actions: torch.Tensor, episode: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return UniformMixture(SETTINGS).select(Point(actions), episode * T, generator)


def test_the_weight_of_the_noise_falls_over_ten_thousand_episodes():
    for episode, weight in ((0, 1.0), (5_000, 0.55), (10_000, 0.1), (40_000, 0.1)):
        assert abs(UniformMixture(SETTINGS).metrics(episode * T)["epsilon"] - weight) < 1e-12


def test_at_first_actions_are_noise_alone():
    one, other = (explored(torch.full((500, 3, 2), value), 0) for value in (-1.0, 1.0))
    assert torch.equal(one, other)
    assert abs(float(one.mean())) < 0.04  # a standard error is 0.011
    assert abs(float(one.var()) - 1 / 3) < 0.02


def test_later_actions_are_a_mixture_within_bounds():
    for value in (-1.0, 0.3, 1.0):
        actions = torch.full((2000, 3, 2), value)
        for episode, weight in ((5_000, 0.55), (20_000, 0.1)):
            mixed = explored(actions, episode)
            assert mixed.abs().max() <= 1
            noise = (mixed - (1 - weight) * actions) / weight
            assert noise.abs().max() <= 1 + 1e-5
            assert abs(float(noise.mean())) < 0.04
            assert len(mixed.unique()) > 0.99 * mixed.numel(), "fresh for every agent, axis and step"


def test_without_a_generator_actions_are_the_policys():
    policy = make_learner("maddpg_fixed_lr", spec=PLANE, env="cooperative_navigation").policy
    sight = Observation(torch.randn(4, 3, 5), torch.randn(4, 6), torch.ones(4, 3, 0, dtype=torch.bool))
    actions, memory, extras = policy.act(sight, policy.initial_memory(4), 0, None)
    assert memory == (None, None)
    assert extras == {}
    assert torch.allclose(actions, policy(sight.obs))
    assert actions.shape == (4, 3, 2)
    assert not actions.requires_grad


def test_each_agent_acts_on_its_own_sight_with_its_own_network():
    policy = make_learner("maddpg_fixed_lr", spec=PLANE, env="cooperative_navigation").policy
    obs = torch.randn(1, 3, 5)
    same = policy(obs[:, :1].expand(-1, 3, -1))[0]
    assert len(same.unique(dim=0)) == 3, "networks are not shared"
    changed = obs.clone()
    changed[0, 1] += 1
    moved = (policy(changed) - policy(obs)).abs().sum(-1)[0] > 0
    assert moved.tolist() == [False, True, False]


def test_gaussian_noise_is_random_at_first_and_then_the_policys_action_cut_to_the_box():
    selector = GaussianNoise(GaussianNoiseSettings(exploration_noise=0.1, random_steps=100))
    actions = torch.tensor([-1.0, 0.3, 0.95]).view(3, 1).expand(20_000, 3, 1)

    def drawn(t_env: int) -> torch.Tensor:
        return selector.select(Point(actions), t_env, torch.Generator().manual_seed(0))

    early, late = drawn(99), drawn(100)
    assert abs(float(early.mean())) < 0.01
    assert abs(float(early.var()) - 1 / 3) < 0.01
    assert early.abs().max() <= 1
    assert late.abs().max() <= 1
    noise = late[:, 1] - 0.3
    assert abs(float(noise.mean())) < 0.003  # a standard error is 0.0007
    assert abs(float(noise.std()) - 0.1) < 0.003
    assert abs(float((late[:, 0] == -1).double().mean()) - 0.5) < 0.02
    assert torch.equal(drawn(100), late)
    assert selector.metrics(0) == {}


def test_a_stochastic_policy_acts_after_the_random_steps_and_is_what_learners_ask_for_from_the_first():
    selector = RandomThenSampling(RandomStepsSettings(random_steps=100))
    decision = SquashedGaussian(torch.full((20_000, 1), 2.0), torch.full((20_000, 1), -3.0))

    def drawn(t_env: int) -> torch.Tensor:
        return selector.select(decision, t_env, torch.Generator().manual_seed(0))

    early, late = drawn(99), drawn(100)
    assert abs(float(early.mean())) < 0.02  # a standard error is 0.004
    assert abs(float(early.var()) - 1 / 3) < 0.01
    assert early.abs().max() <= 1
    assert abs(float(late.mean()) - math.tanh(2)) < 0.01
    assert torch.equal(late, decision.sample(torch.Generator().manual_seed(0)))
    assert selector.behaviour(decision, 0) is decision
