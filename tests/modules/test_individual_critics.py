"""Critics of single agents: one row for each agent, read through the same weights."""

import pytest
import torch

from cohort.modules.critics.individual import (
    IndividualActionCritic,
    IndividualCritic,
    IndividualCriticSettings,
    IndividualStateCritic,
)
from tests.builders import SMALL


def by_hand(network, row):
    """The network's layers on one agent's row, one after the other."""
    linear = [each for each in network.layers if isinstance(each, torch.nn.Linear)]
    for layer in linear[:-1]:
        row = torch.relu(layer.weight @ row + layer.bias)
    return linear[-1].weight @ row + linear[-1].bias


@pytest.mark.parametrize("sees_id", [True, False])
def test_each_agents_row_goes_through_the_shared_network(sees_id):
    spec = SMALL
    settings = IndividualCriticSettings(critic_hidden_dims=(7, 5), critic_agent_id=sees_id)
    critic = IndividualCritic(settings, spec=spec)
    obs = torch.randn(2, 3, spec.n_agents, spec.obs_dim)
    values = critic(obs)
    assert values.shape == (2, 3, spec.n_agents, spec.n_actions)
    for agent in range(spec.n_agents):
        number = torch.eye(spec.n_agents)[agent] if sees_id else torch.empty(0)
        expected = by_hand(critic.network.network, torch.cat([obs[1, 2, agent], number]))
        torch.testing.assert_close(values[1, 2, agent], expected)


def test_an_agents_action_enters_its_own_value_alone():
    spec = SMALL
    settings = IndividualCriticSettings(critic_hidden_dims=(7,), critic_agent_id=True)
    critic = IndividualActionCritic(settings, spec=spec)
    obs = torch.randn(4, spec.n_agents, spec.obs_dim)
    actions = torch.rand(4, spec.n_agents, spec.n_actions, requires_grad=True)
    values = critic(obs, actions)
    assert values.shape == (4, spec.n_agents)
    (gradient,) = torch.autograd.grad(values[:, 0].sum(), actions)
    assert gradient[:, 0].abs().sum() > 0
    assert not gradient[:, 1:].any()


def test_values_in_states_are_advantages_and_one_value_read_off_state_observation_and_number():
    spec = SMALL
    settings = IndividualCriticSettings(critic_hidden_dims=(7, 5), critic_agent_id=True)
    critic = IndividualStateCritic(settings, spec=spec)
    obs, state = torch.randn(2, 3, spec.n_agents, spec.obs_dim), torch.randn(2, 3, spec.state_dim)
    values = critic(obs, state)
    assert values.shape == (2, 3, spec.n_agents, spec.n_actions)
    for agent in range(spec.n_agents):
        row = torch.cat([state[1, 2], obs[1, 2, agent], torch.eye(spec.n_agents)[agent]])
        outputs = by_hand(critic.network.network, row)
        assert len(outputs) == spec.n_actions + 1
        torch.testing.assert_close(values[1, 2, agent], outputs[:-1] + outputs[-1])
