"""The agents' networks: a step is a step of the whole sequence, and padding neither enters nor comes out."""

import pytest
import torch
from torch.nn import functional as F

from cohort.components.packing import Packing
from cohort.modules.agents.mlp import MLPAgent, MLPAgentSettings
from cohort.modules.agents.own_layer_normed_mlp import LayerNormedOwnMLPAgents
from cohort.modules.agents.own_mlp import OwnMLPAgentsSettings
from cohort.modules.agents.own_rnn import OwnRNNAgents
from cohort.modules.agents.rnn import RNNAgent, RNNAgentSettings

B, T, N, INPUTS, ACTIONS = 4, 6, 2, 5, 3
LENGTHS = torch.tensor([6, 2, 5, 1])
MAKE = {
    "rnn": lambda: RNNAgent(
        RNNAgentSettings(rnn_hidden_dim=8), input_dim=INPUTS, output_dim=ACTIONS, n_agents=N
    ),
    "own_rnn": lambda: OwnRNNAgents(
        RNNAgentSettings(rnn_hidden_dim=8), input_dim=INPUTS, output_dim=ACTIONS, n_agents=N
    ),
    "own_layer_normed_mlp": lambda: LayerNormedOwnMLPAgents(
        OwnMLPAgentsSettings(agent_hidden_dims=(8, 7), agent_activation="tanh"),
        input_dim=INPUTS,
        output_dim=ACTIONS,
        n_agents=N,
    ),
    "mlp": lambda: MLPAgent(
        MLPAgentSettings(agent_hidden_dims=(8, 7)), input_dim=INPUTS, output_dim=ACTIONS, n_agents=N
    ),
}


@pytest.fixture(params=["rnn", "mlp", "own_layer_normed_mlp"])
def agent(request):
    torch.manual_seed(0)
    return MAKE[request.param]()


def test_one_step_after_another_equals_the_whole_sequence(agent):
    inputs = torch.randn(B, T, N, INPUTS)
    hidden, steps = None, []
    for t in range(T):
        utilities, hidden = agent.step(inputs[:, t], hidden)
        steps.append(utilities)
    torch.testing.assert_close(torch.stack(steps, dim=1), agent(inputs, torch.full((B,), T)))


def test_padding_neither_enters_nor_comes_out(agent):
    inputs = torch.randn(B, T, N, INPUTS)
    padding = torch.arange(T) >= LENGTHS[:, None]
    whole = agent(inputs, torch.full((B,), T))
    utilities = agent(inputs.masked_fill(padding[..., None, None], torch.nan), LENGTHS)
    torch.testing.assert_close(utilities, whole.masked_fill(padding[..., None, None], 0.0))
    utilities.square().sum().backward()
    assert all(each.grad.isfinite().all() and each.grad.any() for each in agent.parameters())


@pytest.mark.parametrize("kind", ["rnn", "own_rnn", "mlp"])
def test_packed_rows_are_those_of_the_padded_sequences(kind):
    torch.manual_seed(0)
    agent = MAKE[kind]()
    inputs = torch.randn(B, T, N, INPUTS)
    packing = Packing.of(LENGTHS - 1, T - 1)
    rows = agent.unroll(packing.of_moments(inputs), packing.sizes)
    torch.testing.assert_close(rows, packing.of_moments(agent(inputs, LENGTHS)))


def test_the_mlp_has_a_relu_behind_every_hidden_layer_and_none_behind_the_last():
    agent = MAKE["mlp"]()
    first, second, last = (layer for layer in agent.layers if isinstance(layer, torch.nn.Linear))
    inputs = torch.randn(B, N, INPUTS)
    expected = last(F.relu(second(F.relu(first(inputs)))))
    torch.testing.assert_close(agent.step(inputs, None)[0], expected)
    assert (first.out_features, second.out_features) == (8, 7)
