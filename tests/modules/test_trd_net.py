"""TRD-Net: against loops over samples and agents, who depends on whom, its slope in the trust regions."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cohort.modules.trd_net import TRDNet, TRDNetSettings, adjacency
from tests import harness

ROWS, AGENTS, HIDDEN = 6, 3, 8
KINDS = [("concat", "log"), ("product", "log"), ("concat", "raw"), ("product", "raw")]


def net(combine: str = "concat", delta_input: str = "log") -> TRDNet:
    torch.manual_seed(0)
    settings = TRDNetSettings(trd_hidden_dim=HIDDEN, combine=combine, delta_input=delta_input)
    return TRDNet(settings, spec=harness.spec(n_agents=AGENTS)).double()


def inputs(seed: int = 1):
    """obs [R, N, 4], one-hot actions [R, N, 3], C [R, N, N], sizes [N]."""
    draw = torch.Generator().manual_seed(seed)
    obs = torch.randn(ROWS, AGENTS, 4, generator=draw).double()
    actions = F.one_hot(torch.randint(3, (ROWS, AGENTS), generator=draw), 3).double()
    weights = torch.rand(ROWS, AGENTS, AGENTS, generator=draw).double()
    weights = weights.masked_fill(torch.eye(AGENTS, dtype=torch.bool), 0.0)
    return obs, actions, weights, torch.tensor([0.5, 2.0, 30.0]).double()


def by_loops(subject: TRDNet, obs, actions, weights, sizes) -> torch.Tensor:
    def layer(stacked, i, rows):
        return rows @ stacked.weight[i] + stacked.bias[i, 0]

    def branch(one, i, rows):
        u = torch.log(sizes[i]) / math.log(100) if subject.delta_input == "log" else sizes[i]
        size = u.view(1)
        for each in one.size:
            size = F.leaky_relu(layer(each, i, size))
        seen = F.leaky_relu(layer(one.seen, i, rows))
        return F.leaky_relu(layer(one.both, i, torch.cat([seen, size.expand(ROWS, -1)], 1)))

    norm = nn.BatchNorm1d(7, affine=False).double()
    rows = [norm(torch.cat([obs[:, i], actions[:, i]], 1)) for i in range(AGENTS)]
    joined = [branch(subject.joined, i, rows[i]) for i in range(AGENTS)]
    apart = [branch(subject.apart, i, rows[i]) for i in range(AGENTS)]
    found = torch.zeros(ROWS, AGENTS).double()
    for b in range(ROWS):
        links = [
            [(weights[b, i, j] + weights[b, j, i]) / 2 + float(i == j) for j in range(AGENTS)]
            for i in range(AGENTS)
        ]
        degree = [sum(row) for row in links]
        for i in range(AGENTS):
            message = sum(
                links[i][j] / (degree[i] * degree[j]).sqrt() * subject.graph(joined[j][b])
                for j in range(AGENTS)
            )
            message = F.leaky_relu(message)
            if subject.combine == "concat":
                both = F.leaky_relu(layer(subject.encoder, i, torch.cat([message, apart[i][b]])))
                found[b, i] = F.softplus(layer(subject.heads[0], i, both))
            else:
                found[b, i] = F.softplus(layer(subject.heads[0], i, message)) * F.softplus(
                    layer(subject.heads[1], i, apart[i][b])
                )
    return found


@pytest.mark.parametrize(("combine", "delta_input"), KINDS)
def test_estimates_equal_loops_over_samples_and_agents(combine, delta_input):
    subject, given = net(combine, delta_input), inputs()
    found = subject(*given)
    torch.testing.assert_close(found, by_loops(subject, *given), rtol=1e-11, atol=1e-12)
    assert (found > 0).all()


def dependence(subject: TRDNet, weights: torch.Tensor) -> torch.Tensor:
    """Whether agent i's estimate changes with agent j's observation, which keeps its mean and deviation: [N, N]."""
    obs, actions, _, sizes = inputs()
    before, found = subject(obs, actions, weights, sizes), torch.zeros(AGENTS, AGENTS, dtype=torch.bool)
    for j in range(AGENTS):
        other = obs.clone()
        other[:, j] = obs[:, j].flip(0)  # the batch's statistics stay
        found[:, j] = (subject(other, actions, weights, sizes) - before).abs().amax(0) > 1e-9
    return found


def test_without_coordination_nobody_depends_on_another():
    assert torch.equal(
        dependence(net(), torch.zeros(ROWS, AGENTS, AGENTS).double()), torch.eye(AGENTS).bool()
    )


def test_an_edge_lets_two_depend_on_one_another_and_no_third():
    weights = torch.zeros(ROWS, AGENTS, AGENTS).double()
    weights[:, 0, 1] = 0.6  # the graph is undirected
    expected = torch.tensor([[1, 1, 0], [1, 1, 0], [0, 0, 1]]).bool()
    assert torch.equal(dependence(net(), weights), expected)


def test_the_adjacency_is_symmetric_with_a_spectral_radius_of_one():
    found = adjacency(inputs()[2])
    torch.testing.assert_close(found, found.transpose(1, 2))
    torch.testing.assert_close(torch.linalg.eigvalsh(found).abs().amax(-1), torch.ones(ROWS).double())
    assert torch.equal(adjacency(torch.zeros(2, 3, 3)), torch.eye(3).expand(2, 3, 3))


@pytest.mark.parametrize(("combine", "delta_input"), KINDS)
def test_the_slope_in_the_trust_regions_equals_differences(combine, delta_input):
    subject, (obs, actions, weights, sizes) = net(combine, delta_input), inputs()
    sizes.requires_grad_()
    (slope,) = torch.autograd.grad(subject(obs, actions, weights, sizes).sum(), sizes)
    step = 1e-4  # central differences
    for i in range(AGENTS):
        along = F.one_hot(torch.tensor(i), AGENTS).double()
        moved = [sizes.detach() + sign * step * along for sign in (1, -1)]
        ends = [float(subject(obs, actions, weights, each).sum().detach()) for each in moved]
        assert float(slope[i]) == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=0, abs=1e-10)
    assert slope.abs().min() > 1e-8


def test_it_fits_a_smooth_target():
    subject, (obs, actions, weights, sizes) = net(), inputs()
    target = 1 + obs[..., 0].sin() * obs[..., 1].cos()
    adam = torch.optim.Adam(subject.parameters(), lr=0.01)
    for _ in range(300):
        loss = (subject(obs, actions, weights, sizes) - target).square().mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    assert float(loss.detach()) < 1e-3
