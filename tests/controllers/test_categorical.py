"""Categorical policies: what they may choose, how they are normalised, and that agents share nothing."""

import math

import pytest
import torch
from torch import nn

from cohort.controllers.heads import CategoricalHead
from cohort.controllers.sampling import Sampling
from cohort.controllers.team_policy import TeamPolicy, TeamPolicySettings
from cohort.envs.base import Observation
from cohort.modules.agents.own_mlp import OwnMLPAgents, OwnMLPAgentsSettings
from cohort.modules.agents.own_normed_mlp import NormedOwnMLPAgents
from cohort.settings import NoSettings
from tests import harness

SPEC = harness.spec()  # two agents, three actions, four features
LAYERS = OwnMLPAgentsSettings(agent_hidden_dims=(8, 8), agent_activation="leaky_relu")


def controller(network=NormedOwnMLPAgents, seed: int = 0) -> TeamPolicy:
    torch.manual_seed(seed)

    def agent(**sizes):
        return network(LAYERS, **sizes)

    return TeamPolicy(
        TeamPolicySettings(obs_last_action=False, obs_agent_id=False),
        spec=SPEC,
        agent=agent,
        head=CategoricalHead(NoSettings(), spec=SPEC),
        action_selector=Sampling(NoSettings()),
    )


def seen(obs: torch.Tensor, available: torch.Tensor | None = None) -> Observation:
    mask = torch.ones(*obs.shape[:2], 3, dtype=torch.bool) if available is None else available
    return Observation(obs, obs.new_zeros(len(obs), 5), mask)


def batch(rows: int, seed: int = 0) -> torch.Tensor:
    scale = torch.tensor([[1.0, 10.0, 0.1, 1.0], [3.0, 1.0, 1.0, 1.0]])
    return 4 + scale * torch.randn(rows, 2, 4, generator=torch.Generator().manual_seed(seed))


def plain(team: TeamPolicy, agent: int, rows: torch.Tensor) -> torch.Tensor:
    """One agent's perceptron behind the normalisation, layer by layer."""
    for number, layer in enumerate(team.network.networks.layers):
        rows = rows @ layer.weight[agent] + layer.bias[agent, 0]
        if number < 2:
            rows = torch.where(rows > 0, rows, 0.01 * rows)
    return rows


def test_learning_normalises_by_the_batch_and_acting_by_the_running_statistics():
    team = controller()
    norms = [nn.BatchNorm1d(4, affine=False) for _ in range(2)]
    for seed in range(3):
        obs = batch(50, seed)
        logits = team(obs)
        expected = torch.stack([plain(team, i, norms[i](obs[:, i])) for i in range(2)], dim=1)
        torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-5)
    new = batch(5, seed=9)
    for norm in norms:
        norm.eval()
    expected = torch.stack([plain(team, i, norms[i](new[:, i])) for i in range(2)], dim=1)
    torch.testing.assert_close(team.network.step(new, None)[0], expected, rtol=1e-4, atol=1e-5)
    greedy, _, _ = team.act(seen(new), team.initial_memory(5), 0, None)
    assert torch.equal(greedy, expected.argmax(-1))


def test_acting_changes_no_statistics_and_rows_do_not_mix():
    team = controller()
    team(batch(50))
    before = {name: value.clone() for name, value in team.state_dict().items()}
    obs = batch(6, seed=3)
    together = team.network.step(obs, None)[0]
    alone = torch.cat([team.network.step(obs[i : i + 1], None)[0] for i in range(6)])
    torch.testing.assert_close(together, alone)
    team.act(seen(obs), team.initial_memory(6), 0, torch.Generator().manual_seed(0))
    assert all(torch.equal(value, before[name]) for name, value in team.state_dict().items())


@pytest.mark.parametrize("network", [OwnMLPAgents, NormedOwnMLPAgents])
def test_actions_are_drawn_by_their_chances_among_those_available(network):
    draws = 40_000
    team = controller(network)
    with torch.no_grad():
        team.network.networks.layers[-1].weight.mul_(5)
    obs = batch(1, seed=4).expand(draws, 2, 4)
    mask = torch.tensor([[True, True, False], [False, True, True]]).expand(draws, 2, 3)
    actions, _, _ = team.act(
        seen(obs, mask), team.initial_memory(len(obs)), 0, torch.Generator().manual_seed(1)
    )
    logits = team.network.step(obs[:1], None)[0][0].detach().double()
    for agent in range(2):
        weights = [math.exp(logits[agent, a]) * bool(mask[0, agent, a]) for a in range(3)]
        for action, weight in enumerate(weights):
            share = float((actions[:, agent] == action).double().mean())
            assert abs(share - weight / sum(weights)) < 5 * math.sqrt(0.25 / draws)
            assert share == 0 or mask[0, agent, action]
    assert abs(float(torch.corrcoef(actions.double().t())[0, 1])) < 0.03


def test_evaluation_takes_the_likeliest_available_action_and_draws_nothing():
    team = controller(OwnMLPAgents)
    obs, before = batch(200), torch.get_rng_state()
    mask = torch.rand(200, 2, 3, generator=torch.Generator().manual_seed(2)) < 0.5
    mask[..., 2] |= ~mask.any(-1)
    actions, _, _ = team.act(seen(obs, mask), team.initial_memory(len(obs)), 0, None)
    assert torch.equal(actions, team(obs).masked_fill(~mask, -math.inf).argmax(-1))
    assert torch.equal(torch.get_rng_state(), before)
    assert team.action_selector.metrics(0) == {}


def test_agents_share_no_weights():
    team = controller()
    for parameter in team.parameters():
        assert parameter.shape[0] == SPEC.n_agents
    (gradient,) = torch.autograd.grad(team(batch(9))[:, 1].sum(), [team.network.networks.layers[0].weight])
    assert not gradient[0].any()
    assert gradient[1].any()


def test_continuous_actions_are_refused():
    with pytest.raises(ValueError, match="head=categorical chooses among discrete actions"):
        CategoricalHead(NoSettings(), spec=harness.spec(n_actions=0, action_dim=2))
