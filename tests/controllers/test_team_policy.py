"""What every kind of policy has in common: acting is unrolling, and what acting knew stays in the record."""

import pytest
import torch

from cohort.controllers.continuous_heads import SquashedGaussianHead, SquashedGaussianHeadSettings
from cohort.controllers.heads import CategoricalHead
from cohort.controllers.sampling import Sampling
from cohort.controllers.team_policy import TeamPolicy, TeamPolicySettings
from cohort.envs.base import Observation
from cohort.modules.agents.mlp import MLPAgent, MLPAgentSettings
from cohort.modules.agents.own_mlp import OwnMLPAgents, OwnMLPAgentsSettings
from cohort.modules.agents.own_rnn import OwnRNNAgents
from cohort.modules.agents.rnn import RNNAgent, RNNAgentSettings
from cohort.settings import NoSettings
from tests import harness
from tests.builders import random_episodes

DISCRETE = harness.spec(n_agents=3, n_actions=4, obs_dim=5, state_dim=6)
PLANE = harness.spec(n_agents=3, n_actions=0, action_dim=2, obs_dim=5, state_dim=6)
NETWORKS = {
    "rnn": lambda **sizes: RNNAgent(RNNAgentSettings(rnn_hidden_dim=8), **sizes),
    "own_rnn": lambda **sizes: OwnRNNAgents(RNNAgentSettings(rnn_hidden_dim=8), **sizes),
    "mlp": lambda **sizes: MLPAgent(MLPAgentSettings(agent_hidden_dims=(8,)), **sizes),
}


def policy(network: str, spec, state_dependent: bool = False) -> TeamPolicy:
    torch.manual_seed(0)
    if spec.action_dim:
        settings = SquashedGaussianHeadSettings(
            log_std_min=-1.0, log_std_max=0.5, state_dependent_std=state_dependent, log_std_init=-0.7
        )
        head = SquashedGaussianHead(settings, spec=spec)
    else:
        head = CategoricalHead(NoSettings(), spec=spec)
    return TeamPolicy(
        TeamPolicySettings(obs_last_action=True, obs_agent_id=True), spec=spec, agent=NETWORKS[network], head=head,
        action_selector=Sampling(NoSettings()), extras=("log_prob",),
    )  # fmt: skip


def policy_with(network, output_init_scale: float | None) -> TeamPolicy:
    """A soft actor-critic's policy whose last layer begins as asked."""
    settings = SquashedGaussianHeadSettings(
        log_std_min=-5.0, log_std_max=2.0, state_dependent_std=True, log_std_init=-0.7,
        output_init_scale=output_init_scale,
    )  # fmt: skip
    return TeamPolicy(
        TeamPolicySettings(obs_last_action=True, obs_agent_id=True), spec=PLANE, agent=network,
        head=SquashedGaussianHead(settings, spec=PLANE), action_selector=Sampling(NoSettings()),
    )  # fmt: skip


@pytest.mark.parametrize("spec", [DISCRETE, PLANE], ids=["discrete", "continuous"])
@pytest.mark.parametrize("network", NETWORKS)
def test_the_recorded_probabilities_are_those_of_the_unrolled_policy(network, spec):
    """Last actions, discrete or continuous, are part of what recurrent policies see."""
    team, games, steps = policy(network, spec), 4, 6
    drawn = random_episodes([steps] * games)
    available = drawn.available_actions if not spec.action_dim else torch.ones(games, steps + 1, 3, 0).bool()
    memory, draws = team.initial_memory(games), torch.Generator().manual_seed(1)
    actions, recorded = [], []
    for t in range(steps):
        act = team.act(Observation(drawn.obs[:, t], drawn.state[:, t], available[:, t]), memory, 0, draws)
        memory = act.memory
        actions.append(act.actions)
        recorded.append(act.extras["log_prob"])
    played = drawn.map(lambda each: each)
    played = type(drawn)(
        **{**vars(played), "actions": torch.stack(actions, 1), "available_actions": available}
    )
    decision = team.decide(team.unroll(team.inputs(played), played), available)
    sequences = torch.cat([played.actions, played.actions[:, -1:]], dim=1)
    torch.testing.assert_close(
        decision.log_prob(sequences)[:, :-1], torch.stack(recorded, 1), rtol=1e-4, atol=1e-5
    )
    assert team.extra_shapes == {"log_prob": (3,)}


@pytest.mark.parametrize("state_dependent", [False, True])
def test_deviations_are_parameters_or_outputs_within_limits(state_dependent):
    team = policy("mlp", PLANE, state_dependent)
    episodes = random_episodes([3, 3])
    episodes = type(episodes)(**{**vars(episodes), "actions": torch.zeros(2, 3, 3, 2)})
    decision = team.decide(team.unroll(team.inputs(episodes), episodes), episodes.available_actions)
    varies = bool(decision.log_std.std() > 1e-6)
    assert varies == state_dependent
    if not state_dependent:
        assert (decision.log_std == -0.7).all()
        with torch.no_grad():
            team.head.log_std.fill_(9.0)
        again = team.decide(team.unroll(team.inputs(episodes), episodes), episodes.available_actions)
        assert (again.log_std == 0.5).all()


def test_own_recurrent_networks_are_single_ones_side_by_side():
    torch.manual_seed(0)
    own = NETWORKS["own_rnn"](input_dim=5, output_dim=4, n_agents=3)
    inputs, lengths = torch.randn(2, 6, 3, 5), torch.tensor([6, 3])
    together = own(inputs, lengths)
    for i, network in enumerate(own.networks):
        torch.testing.assert_close(together[:, :, i : i + 1], network(inputs[:, :, i : i + 1], lengths))
    hidden, steps = None, []
    for t in range(6):
        outputs, hidden = own.step(inputs[:, t], hidden)
        steps.append(outputs)
    torch.testing.assert_close(torch.stack(steps, 1)[0], together[0], rtol=1e-5, atol=1e-6)


def test_a_fresh_policy_is_of_the_same_kind_with_weights_of_its_own():
    team = policy("rnn", DISCRETE)
    other = team.fresh()
    for (name, one), (same_name, two) in zip(team.named_parameters(), other.named_parameters(), strict=True):
        assert name == same_name
        assert one.shape == two.shape
        assert not torch.equal(one, two)
    assert other.settings is team.settings


def test_continuous_policies_may_begin_near_zero_with_any_network():
    """The last layer alone is scaled, its biases are 0, and deviations begin where they are told."""
    observation = Observation(torch.randn(4, 3, 5), torch.randn(4, 6), torch.ones(4, 3, 0).bool())
    networks = NETWORKS | {
        "own_mlp": lambda **sizes: OwnMLPAgents(
            OwnMLPAgentsSettings(agent_hidden_dims=(8,), agent_activation="relu"), **sizes
        )
    }
    for name, network in networks.items():
        torch.manual_seed(0)
        plain = policy_with(network, None)
        torch.manual_seed(0)
        begun = policy_with(network, 0.01)
        differing = [
            key
            for key, value in plain.state_dict().items()
            if not torch.equal(value, begun.state_dict()[key])
        ]
        layers = len(begun.network.last_layers)
        assert len(differing) == 2 * layers, name
        for layer, before in zip(begun.network.last_layers, plain.network.last_layers, strict=True):
            torch.testing.assert_close(layer.weight, 0.01 * before.weight)
        memory = begun.initial_memory(4)
        outputs, _ = begun.network.step(begun._inputs(observation.obs, memory.last_actions), memory.hidden)
        decision = begun.decide(begun.head(outputs), observation.available_actions)
        assert decision.mode.abs().max() < 0.03
        torch.testing.assert_close(decision.log_std, torch.full((4, 3, 2), -0.7), atol=0.03, rtol=0)
