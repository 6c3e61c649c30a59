"""OW-QMIX and CW-QMIX against loops over episodes, steps and agents (arXiv:2006.10800, section 4)."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from cohort.components.clock import Clock
from tests.builders import SMALL, make_learner, random_episodes

LENGTHS = [3, 5, 1, 8]  # episodes 0 and 2 end, 1 and 3 are cut off and bootstrap
ALGORITHMS = ["ow_qmix", "cw_qmix"]
CENTRAL, TEAM = ("central_policy", "central_mixer"), ("policy", "mixer")


def weighted(algorithm: str, **typed):
    """A learner whose targets differ from its live networks."""
    learner = make_learner(algorithm, central_mixing_embed_dim=8, rnn_hidden_dim=8, **typed)
    draw = torch.Generator().manual_seed(3)
    for parameter in learner.targets.networks.parameters():
        with torch.no_grad():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=draw))
    return learner


def slow_loss(learner, episodes):
    """The loss, and the weight of every step, one episode and step at a time."""
    live, old = learner.networks, learner.targets
    settings = learner.settings
    losses, weights = [], []
    for b, length in enumerate(episodes.length.tolist()):
        alone = episodes.rows(slice(b, b + 1))
        inputs = learner.policy.inputs(alone)
        utilities = learner.policy.unroll(inputs, alone)[0]  # [T+1, N, A]
        central = live["central_policy"].unroll(inputs, alone)[0]
        central_old = old["central_policy"].unroll(inputs, alone)[0].detach()

        def value(mixer, values, t, actions, b=b):
            chosen = torch.stack([values[t, i, actions[i]] for i in range(len(actions))])
            return mixer(chosen.view(1, 1, -1), episodes.state[b, t].view(1, 1, -1)).squeeze()

        def best(t, utilities=utilities, b=b):
            found = []
            for i in range(utilities.shape[1]):
                allowed = episodes.available_actions[b, t, i].nonzero()[:, 0].tolist()
                found.append(max(allowed, key=lambda a, i=i: float(utilities[t, i, a].detach())))
            return found

        for t in range(length):
            did = episodes.actions[b, t].tolist()
            y = float(episodes.reward[b, t])
            if not episodes.terminated[b, t]:
                y += settings.gamma * float(value(old["central_mixer"], central_old, t + 1, best(t + 1)))
            q_tot = value(live["mixer"], utilities, t, did)
            q_star = value(live["central_mixer"], central, t, did)
            if settings.weighting == "optimistic":
                favoured = float(q_tot.detach()) < y
            else:
                favoured = did == best(t) or y > float(value(old["central_mixer"], central_old, t, best(t)))
            weights.append(1.0 if favoured else settings.w)
            losses.append(weights[-1] * (q_tot - y) ** 2 + (q_star - y) ** 2)
    return torch.stack(losses).mean(), weights


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("mixer", ["qmix", "vdn"])
def test_loss_weights_and_gradient_are_those_of_plain_loops(algorithm, mixer):
    learner = weighted(algorithm, mixer=mixer, w=0.3)
    episodes = random_episodes(LENGTHS)
    assert episodes.terminated.any(dim=1).tolist() == [True, False, True, False]
    assert not episodes.available_actions.all()
    ours, (expected, weights) = learner.loss(episodes), slow_loss(learner, episodes)
    assert 0 < weights.count(0.3) < len(weights), "both weights occur"
    torch.testing.assert_close(ours.value, expected, rtol=1e-5, atol=1e-6)
    assert float(ours.metrics["weight_mean"]) == pytest.approx(sum(weights) / len(weights))
    parameters = list(learner.networks.parameters())
    for one, other in zip(
        torch.autograd.grad(ours.value, parameters), torch.autograd.grad(expected, parameters), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_gradient_by_finite_differences(algorithm):
    """Weights and the choice of the next action are constants of the gradient, though they depend on the networks."""
    learner = weighted(algorithm, w=0.3)
    learner.networks.double()
    learner.targets.networks.double()
    episodes = random_episodes(LENGTHS)
    exact = {name: getattr(episodes, name).double() for name in ("obs", "state", "reward")}
    episodes = replace(episodes, **exact)
    parameters = [each for each in learner.networks.parameters() if each.numel()]
    gradient = torch.autograd.grad(learner.loss(episodes).value, parameters)
    draw, step = torch.Generator().manual_seed(5), 1e-6
    for parameter, slope in zip(parameters, gradient, strict=True):
        way = torch.randn(parameter.shape, generator=draw, dtype=torch.float64)
        around = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter.add_(sign * step * way)
                around.append(learner.loss(episodes).value)
                parameter.sub_(sign * step * way)
        measured = (around[0] - around[1]) / (2 * step)
        torch.testing.assert_close(measured, (slope * way).sum(), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_each_error_moves_its_own_networks_and_no_target(algorithm):
    """w weighs the team's gradient alone; live central weights enter neither targets nor CW's weights."""

    def gradients(w: float, shift: float = 0.0):
        learner = weighted(algorithm, w=w)
        with torch.no_grad():
            for name in CENTRAL:
                for parameter in learner.networks[name].parameters():
                    parameter.add_(shift)
        learner.loss(random_episodes(LENGTHS)).value.backward()
        assert all(each.grad is None for each in learner.targets.networks.parameters())
        return {
            name: torch.cat([each.grad.flatten() for each in learner.networks[name].parameters()])
            for name in (*TEAM, *CENTRAL)
        }

    usual, light, shifted = gradients(0.5), gradients(0.1), gradients(0.5, shift=0.1)
    for name in CENTRAL:
        assert torch.equal(usual[name], light[name])
        assert not torch.equal(usual[name], shifted[name])
        assert usual[name].abs().max() > 0
    for name in TEAM:
        assert torch.equal(usual[name], shifted[name])
        assert not torch.equal(usual[name], light[name])


def test_with_weight_one_both_are_the_same_method():
    losses = [weighted(algorithm, w=1.0).loss(random_episodes(LENGTHS)).value for algorithm in ALGORITHMS]
    assert torch.equal(*losses)


def test_an_unavailable_action_is_never_the_next_one():
    """The best utility is unavailable everywhere: it must not enter, and its gradient is finite."""
    learner = weighted("cw_qmix")
    with torch.no_grad():
        learner.networks["policy"].network.head.bias[2] = 100.0
    episodes = random_episodes(LENGTHS)
    available = episodes.available_actions.clone()
    available[..., 2] = False
    actions = episodes.actions.masked_fill(episodes.actions == 2, 0)
    episodes = replace(episodes, available_actions=available, actions=actions)
    loss = learner.loss(episodes).value
    torch.testing.assert_close(loss, slow_loss(learner, episodes)[0], rtol=1e-5, atol=1e-6)
    loss.backward()
    assert all(each.grad.isfinite().all() for each in learner.networks.parameters())


def test_central_networks_are_the_teams_kind_with_weights_and_targets_of_their_own():
    learner = make_learner("cw_qmix")
    central, team = (list(learner.networks[name].parameters()) for name in ("central_policy", "policy"))
    assert [each.shape for each in central] == [each.shape for each in team]
    assert not any(torch.equal(*pair) for pair in zip(central, team, strict=True) if pair[0].dim() > 1)
    sizes = [
        each.out_features for each in learner.networks["central_mixer"].joint if isinstance(each, nn.Linear)
    ]
    assert sizes == [256, 256, 256, 1]
    before = [each.clone() for each in central]
    for update in range(2):
        learner.update(random_episodes([4, 6]), Clock(episodes=200 * update))
    assert not any(torch.equal(*pair) for pair in zip(before, central, strict=True) if pair[0].dim() > 1)
    for ours, copied in zip(
        learner.networks["central_policy"].parameters(),
        learner.targets["central_policy"].parameters(),
        strict=True,
    ):
        assert torch.equal(ours, copied), "copied with the clock's 200th episode"


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"mixer": "independent"}, "one joint value"),
        ({"w": 0.0}, "w"),
        ({"w": 1.5}, "w"),
        ({"weighting": "both"}, "weighting"),
        ({"double_q": False}, "double_q"),
        (
            {"mixer": "mnmpg", "hierarchy_dim": 3, "concat_ori_s": True, "decoder_bn": True},
            "Choose another mixer",
        ),
    ],
)
def test_what_it_cannot_learn_is_refused(typed, told):
    with pytest.raises(Exception, match=told):
        make_learner("cw_qmix", SMALL, **typed)
