"""The LSTM over sequences: values and two derivatives against cell by cell and finite differences."""

import pytest
import torch

from benchmarks.per_step_lstm import PerStepPolicy, per_step_memories
from cohort.modules.lstm import lstm_sequence
from cohort.modules.policies import pick, thresholds
from cohort.modules.policies.lstm import LSTMNetwork, LSTMPolicy
from cohort.modules.policies.table import TablePolicy


def sizes(chains: int = 2, steps: int = 5, rows: int = 3, size: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(chains, steps, 4 * size, rows, dtype=torch.float64, generator=generator)
    weight = torch.randn(chains, 4 * size, size, dtype=torch.float64, generator=generator)
    return inputs.requires_grad_(), weight.requires_grad_()


def test_values_are_those_of_torchs_cell():
    inputs, weight = sizes()
    cell = torch.nn.LSTMCell(16, 4, bias=False).double()
    cell.weight_ih.data = torch.eye(16, dtype=torch.float64)
    for chain in range(2):
        cell.weight_hh.data = weight[chain].detach()
        state = None
        for step in range(5):
            state = cell(inputs[chain, step].t(), state)
            torch.testing.assert_close(state[0].t(), lstm_sequence(inputs, weight)[chain, step])


def test_both_derivatives_are_those_of_finite_differences():
    inputs, weight = sizes(steps=4, size=2)
    assert torch.autograd.gradcheck(lstm_sequence, (inputs, weight))
    assert torch.autograd.gradgradcheck(lstm_sequence, (inputs, weight))


def test_both_derivatives_are_those_of_autograd_step_by_step():
    found = []
    for function in (lstm_sequence, per_step_memories):
        inputs, weight = sizes(steps=20)
        memories = function(inputs, weight)
        first = torch.autograd.grad((memories**3).sum(), (inputs, weight), create_graph=True)
        second = torch.autograd.grad(sum((each**2).sum() for each in first), (inputs, weight))
        found.append([memories, *first, *second])
    for ours, plain in zip(*found, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-10, atol=1e-11)


def test_steps_in_blocks_as_on_a_gpu_come_to_the_same(monkeypatch):
    found = []
    for block in (1, 20):
        monkeypatch.setattr("cohort.modules.lstm._block", lambda sequence, block=block: block)
        inputs, weight = sizes(steps=20)
        first = torch.autograd.grad(
            (lstm_sequence(inputs, weight) ** 3).sum(), (inputs, weight), create_graph=True
        )
        found.append([*first, *torch.autograd.grad(sum((each**2).sum() for each in first), (inputs, weight))])
    for one_by_one, together in zip(*found, strict=True):
        torch.testing.assert_close(one_by_one, together, rtol=1e-12, atol=1e-12)


def test_a_third_derivative_is_refused():
    inputs, weight = sizes(steps=2, size=1)
    (first,) = torch.autograd.grad(lstm_sequence(inputs, weight).sum(), weight, create_graph=True)
    (second,) = torch.autograd.grad((first**2).sum(), weight, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        second.sum().backward()


@pytest.mark.parametrize(
    ("n_states", "n_outputs", "count"), [(5, 2, 33_794), (5, 1, 33_729), (10, 3, 34_179)]
)
def test_networks_have_the_papers_size_and_the_authors_initial_spread(n_states, n_outputs, count):
    params = LSTMNetwork(n_states, n_outputs, 64).initial(torch.Generator().manual_seed(0))
    assert sum(each.numel() for each in params.values()) == count
    assert float(params["w_hh"].std()) == pytest.approx(0.079, abs=0.002)
    assert all(float(params[name].abs().max()) == 0 for name in ("b_in", "b_ih", "b_hh", "b_out"))


def policies(chains: int) -> list[tuple]:
    generator = torch.Generator().manual_seed(1)
    made = []
    for policy in (LSTMPolicy(5, 3, 8), PerStepPolicy(5, 3, 8), TablePolicy(5, 3)):
        sets = [policy.initial(generator) for _ in range(chains)]
        made.append((policy, {name: torch.stack([one[name] for one in sets]) for name in sets[0]}))
    return made


def test_a_player_plays_what_its_distribution_says():
    """Frequencies over many matches, state by state, in each of two chains."""
    generator = torch.Generator().manual_seed(2)
    states = torch.randint(0, 5, (2, 1, 6), generator=generator).expand(-1, 4000, -1)
    for policy, params in policies(chains=2):
        player = policy.player(params, 4000, 6)
        expected = policy.distribution(params, states).log_probs.exp()
        torch.testing.assert_close(expected.sum(-1), torch.ones(2, 4000, 6))
        for step in range(6):
            actions = player(states[..., step], torch.rand(2, 4000, generator=generator))
            for chain in range(2):
                frequency = actions[chain].bincount(minlength=3) / 4000
                torch.testing.assert_close(frequency, expected[chain, 0, step], atol=0.03, rtol=0)


def test_distributions_go_on_from_what_a_player_left():
    """Values, and gradients of values and of gradients, with the player's trace and without."""
    policy, params = policies(chains=2)[0]
    params = {name: each.double().requires_grad_() for name, each in params.items()}
    states = torch.randint(0, 5, (2, 7, 9), generator=torch.Generator().manual_seed(4))
    player = policy.player(params, 7, 9)
    for step in range(9):
        player(states[..., step], torch.zeros(2, 7, dtype=torch.float64))
    found = []
    for trace in (player.trace, None):
        values = policy.distribution(params, states, trace).log_probs
        first = torch.autograd.grad((values**2).sum(), list(params.values()), create_graph=True)
        second = torch.autograd.grad(sum((each**2).sum() for each in first), list(params.values()))
        found.append([values, *first, *second])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=1e-11, rtol=1e-9)


def test_the_sequence_policy_is_the_plain_policy():
    (ours, params), (plain, _), _ = policies(chains=3)
    states = torch.randint(0, 5, (3, 7, 11), generator=torch.Generator().manual_seed(3))
    found = [each.distribution(params, states).log_probs for each in (ours, plain)]
    torch.testing.assert_close(*found)


def test_picking_covers_the_unit_interval():
    probabilities = torch.tensor([0.2, 0.5, 0.3])
    uniform = torch.tensor([0.0, 0.19, 0.21, 0.69, 0.71, 0.9999])
    assert pick(thresholds(probabilities.expand(6, 3)), uniform).tolist() == [0, 0, 1, 1, 2, 2]
    two = torch.tensor([0.2, 0.8])
    assert pick(thresholds(two.expand(6, 2)), uniform).tolist() == [0, 0, 1, 1, 1, 1]
