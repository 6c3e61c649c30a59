"""Exploration of categorical policies: (1 - epsilon) pi + epsilon uniform over what is available."""

import math

import pytest
import torch

from cohort.components.distributions import Categorical
from cohort.controllers.epsilon import EpsilonSettings
from cohort.controllers.epsilon_sampling import EpsilonSampling
from cohort.controllers.heads import CategoricalHead
from cohort.controllers.team_policy import TeamPolicy, TeamPolicySettings
from cohort.envs.base import Observation
from cohort.modules.agents.mlp import MLPAgent, MLPAgentSettings
from cohort.settings import NoSettings
from tests import harness

AVAILABLE = torch.tensor([[True, True, True, False], [True, False, False, False], [True, True, True, True]])
TIMES = (0, 500, 990, 1000, 5000)  # epsilon 0.5, 0.3, 0.104, 0.1, 0.1


def selector(start: float = 0.5, finish: float = 0.1) -> EpsilonSampling:
    return EpsilonSampling(
        EpsilonSettings(epsilon_start=start, epsilon_finish=finish, epsilon_anneal_time=1000)
    )


def logits(rows: int = 1, seed: int = 0) -> torch.Tensor:
    return 2 * torch.randn(rows, 3, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def mixture(values: torch.Tensor, available: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Action by action."""
    chances = torch.zeros_like(values)
    for agent in range(len(values)):
        may = [action for action in range(values.shape[1]) if available[agent, action]]
        total = sum(math.exp(values[agent, action]) for action in may)
        for action in may:
            pi = math.exp(values[agent, action]) / total
            chances[agent, action] = (1 - epsilon) * pi + epsilon / len(may)
    return chances


@pytest.mark.parametrize("t_env", TIMES)
def test_chances_are_the_mixture_over_what_is_available(t_env):
    values, epsilon = logits(), selector().metrics(t_env)["epsilon"]
    behaviour = selector().behaviour(Categorical(values, AVAILABLE), t_env)
    expected = mixture(values[0], AVAILABLE, epsilon)
    assert torch.allclose(behaviour.log_probs.exp()[0], expected, atol=1e-12)
    assert (behaviour.log_probs.exp()[0][~AVAILABLE] == 0).all()
    assert torch.equal(behaviour.mode, Categorical(values, AVAILABLE).mode)


@pytest.mark.parametrize(("epsilon", "certain"), [(1.0, False), (0.0, False), (1.0, True), (0.3, True)])
def test_at_both_ends_it_is_uniform_and_the_policy(epsilon, certain):
    values = logits() * (1e4 if certain else 1)  # chances that underflow
    behaviour = selector(epsilon, epsilon).behaviour(Categorical(values, AVAILABLE), 0)
    policy = Categorical(values, AVAILABLE).log_probs.exp()
    uniform = AVAILABLE / AVAILABLE.sum(-1, keepdim=True)
    assert torch.allclose(behaviour.log_probs.exp(), (1 - epsilon) * policy + epsilon * uniform, atol=1e-12)


def test_samples_come_as_often_as_they_should():
    values, draws = logits(), 40_000
    decision = Categorical(values.expand(draws, -1, -1), AVAILABLE.expand(draws, -1, -1))
    actions = selector().select(decision, 500, torch.Generator().manual_seed(1))
    often = torch.nn.functional.one_hot(actions, 4).double().mean(dim=0)
    expected = mixture(values[0], AVAILABLE, 0.3)
    error = (expected * (1 - expected) / draws).sqrt()
    assert ((often - expected).abs() <= 4 * error).all()
    assert (often[~AVAILABLE] == 0).all()


def test_gradients_are_those_of_the_mixture_and_finite_where_nothing_is_available():
    values = logits().requires_grad_()

    def chance(values: torch.Tensor) -> torch.Tensor:
        return selector().behaviour(Categorical(values, AVAILABLE), 500).log_probs[0, [0, 2], [1, 3]]

    assert torch.autograd.gradcheck(chance, (values,))
    padded = torch.cat([AVAILABLE, torch.zeros(1, 4, dtype=torch.bool)])
    inputs = torch.cat([values.detach()[0], torch.full((1, 4), math.nan)]).requires_grad_()
    chances = selector().behaviour(Categorical(inputs, padded), 0).log_probs.exp()
    (gradient,) = torch.autograd.grad(chances[0, 0] + chances[3].nan_to_num().sum(), inputs)
    assert gradient[:3].isfinite().all()
    assert (gradient[0, 3], float(gradient[1].abs().sum())) == (0, 0)
    uniform = selector(1.0, 1.0).behaviour(Categorical(values, AVAILABLE), 0)  # the policy has no say
    (gradient,) = torch.autograd.grad(uniform.log_probs[0, :, 0].sum(), values)
    assert not gradient.any()


def test_what_acting_records_is_the_mixtures_chance():
    spec = harness.spec()  # three actions, four features
    torch.manual_seed(0)
    team = TeamPolicy(
        TeamPolicySettings(obs_last_action=False, obs_agent_id=True),
        spec=spec,
        agent=lambda **sizes: MLPAgent(MLPAgentSettings(agent_hidden_dims=(8,)), **sizes),
        head=CategoricalHead(NoSettings(), spec=spec),
        action_selector=selector(),
        extras=("log_prob",),
    )
    available = torch.tensor([[True, True, False], [True, True, True]]).expand(5, -1, -1)
    obs = 3 * torch.randn(5, 2, 4)
    memory = team.initial_memory(5)
    sight = Observation(obs, obs.new_zeros(5, 5), available)
    actions, _, extras = team.act(sight, memory, 500, torch.Generator().manual_seed(0))
    for game in range(5):
        chances = mixture(team(obs)[game].detach(), available[game], 0.3)
        expected = chances.gather(-1, actions[game].unsqueeze(-1))[:, 0].log()
        assert torch.allclose(extras["log_prob"][game], expected, atol=1e-5)
    greedy = team.act(sight, memory, 500, None).actions
    assert torch.equal(greedy, Categorical(team(obs), available).mode)
