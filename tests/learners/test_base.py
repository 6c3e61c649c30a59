"""Losses and targets by name, against torch's own tools."""

import copy
import math

import pytest
import torch
from torch import nn

from cohort.components.clock import Clock
from cohort.learners.base import DiscountSettings, Learner, Loss, Minimiser
from cohort.learners.targets import Average, HardUpdate, SoftUpdate, Targets


def networks() -> nn.ModuleDict:
    torch.manual_seed(0)
    return nn.ModuleDict({"a": nn.Linear(2, 2), "b": nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))})


def move(live: nn.Module) -> None:
    with torch.no_grad():
        for parameter in live.parameters():
            parameter.add_(1.0)


def equal(one: nn.Module, other: nn.Module) -> bool:
    return all(map(torch.equal, one.state_dict().values(), other.state_dict().values()))


@pytest.mark.parametrize(
    ("unit", "clocks"),
    [
        ("episodes", [Clock(9, 2, 9), Clock(9, 3, 9), Clock(9, 5, 9), Clock(9, 6, 9)]),
        ("steps", [Clock(2, 9, 9), Clock(3, 9, 9), Clock(5, 9, 9), Clock(7, 9, 9)]),
        ("updates", [Clock(9, 9, 2), Clock(9, 9, 3), Clock(9, 9, 5), Clock(9, 9, 6)]),
    ],
)
def test_hard_targets_are_copied_every_so_often_in_their_own_unit(unit, clocks):
    live = networks()
    targets = Targets(live, {"a": HardUpdate(3, unit)})
    followed = []
    for clock in clocks:
        move(live["a"])
        targets.follow(clock)
        followed.append(equal(targets["a"], live["a"]))
    assert followed == [False, True, False, True]


def test_soft_targets_go_a_part_of_the_way_and_keep_their_own_statistics():
    live = networks()
    targets = Targets(live, {"b": SoftUpdate(0.25)})
    before, statistics = copy.deepcopy(targets["b"]), copy.deepcopy(live["b"][1].running_mean)
    live["b"](torch.randn(8, 2))
    move(live["b"])
    targets.follow(Clock())
    for old, new, goal in zip(
        before.parameters(), targets["b"].parameters(), live["b"].parameters(), strict=True
    ):
        torch.testing.assert_close(new, 0.75 * old + 0.25 * goal)
    assert torch.equal(targets["b"][1].running_mean, statistics)
    assert not torch.equal(live["b"][1].running_mean, statistics)


def test_an_average_weighs_the_past_by_its_warmed_up_decay_and_copies_statistics():
    """Against the closed form: the weight of the network of update u is (1 - d_u) d_(u+1) ... d_U."""
    live, decay, updates = networks(), 0.4, 12
    targets = Targets(live, {"mean": Average(decay, of="b")})
    seen = [copy.deepcopy(list(live["b"].parameters()))]
    for update in range(1, updates + 1):
        live["b"](torch.randn(8, 2))
        move(live["b"])
        seen.append(copy.deepcopy(list(live["b"].parameters())))
        targets.follow(Clock(updates=update))
    decays = [min(decay, (1 + u) / (10 + u)) for u in range(1, updates + 1)]
    assert decays[0] < decay == decays[-1]
    weights = [math.prod(decays)]
    weights += [(1 - decays[u]) * math.prod(decays[u + 1 :]) for u in range(updates)]
    assert sum(weights) == pytest.approx(1)
    for place, mean in enumerate(targets["mean"].parameters()):
        expected = sum(weight * each[place] for weight, each in zip(weights, seen, strict=True))
        torch.testing.assert_close(mean, expected.detach())
    assert torch.equal(targets["mean"][1].running_mean, live["b"][1].running_mean)
    assert targets["mean"][1].num_batches_tracked == updates


def test_one_network_can_have_targets_of_several_kinds_and_another_none():
    live = networks()
    targets = Targets(live, {"a": SoftUpdate(0.5), "old_a": HardUpdate(2, "updates", of="a")})
    first = copy.deepcopy(live["a"])
    move(live["a"])
    targets.follow(Clock(updates=1))
    assert equal(targets["old_a"], first)
    assert not equal(targets["a"], first)
    targets.follow(Clock(updates=2))
    assert equal(targets["old_a"], live["a"])
    with pytest.raises(KeyError):
        targets["b"]
    assert not any(parameter.requires_grad for parameter in targets.networks.parameters())


def test_targets_are_restored_with_their_counts_and_restarted_without():
    live = networks()
    one, other = (Targets(live, {"a": HardUpdate(10)}) for _ in range(2))
    move(live["a"])
    one.follow(Clock(episodes=12))
    other.load_state_dict(one.state_dict())
    assert equal(other["a"], live["a"])
    move(live["a"])
    other.follow(Clock(episodes=21))
    assert not equal(other["a"], live["a"])
    other.restart()
    other.follow(Clock(episodes=10))
    assert equal(other["a"], live["a"])


@pytest.mark.parametrize("clip", [None, 0.1, 1e6])
def test_a_minimisers_step_is_torchs(clip):
    ours, theirs = nn.Linear(3, 2), nn.Linear(3, 2)
    theirs.load_state_dict(ours.state_dict())
    inputs = torch.randn(5, 3)
    step = Minimiser(list(ours.parameters()), torch.optim.SGD(ours.parameters(), lr=0.5), grad_norm_clip=clip)
    norm = step.step(step.gradient(ours(inputs).square().mean()))
    optimiser = torch.optim.SGD(theirs.parameters(), lr=0.5)
    theirs(inputs).square().mean().backward()
    expected = nn.utils.clip_grad_norm_(theirs.parameters(), clip or float("inf"))
    optimiser.step()
    assert float(norm) == pytest.approx(float(expected))
    assert equal(ours, theirs)


def test_each_agents_gradient_can_be_clipped_by_itself():
    weight = nn.Parameter(torch.zeros(2, 3))  # two agents
    goal = torch.tensor([[30.0, 0.0, 40.0], [0.003, 0.0, 0.004]])
    step = Minimiser([weight], torch.optim.SGD([weight], lr=1.0), grad_norm_clip=0.5, per_agent=True)
    norm = step.step(step.gradient(-(weight * goal).sum()))
    torch.testing.assert_close(weight.detach(), torch.stack([goal[0] / 100, goal[1]]), rtol=1e-4, atol=0)
    assert float(norm) == pytest.approx((50 + 0.005) / 2)


class TwoLosses(Learner):
    """Pulls two networks apart, each by a loss of its own."""

    policy_kind = "utilities"

    def __init__(self) -> None:
        super().__init__(DiscountSettings(gamma=0.9), networks(), {"a": HardUpdate(1, "updates")})
        for name, rate in (("a", 0.1), ("b", 0.01)):
            parameters = list(self.networks[name].parameters())
            self.add_loss(name, parameters, torch.optim.Adam(parameters, lr=rate), grad_norm_clip=None)
        self.draws = torch.Generator().manual_seed(3)
        self.keep(draws=self.draws)

    def step(self, batch):
        noise = torch.randn(4, 2, generator=self.draws)
        loss = Loss((self.networks["a"](noise) - self.networks["b"](noise)).square().mean(), {})
        return self.minimise("a", loss)


def test_a_loss_moves_its_own_networks_alone():
    learner = TwoLosses()
    before = copy.deepcopy(learner.networks)
    metrics = learner.update(None, Clock())
    assert set(metrics) == {"a_loss", "a_grad_norm"}
    assert not equal(learner.networks["a"], before["a"])
    assert all(map(torch.equal, learner.networks["b"].parameters(), before["b"].parameters()))
    assert equal(learner.targets["a"], learner.networks["a"]), "this update is counted when targets follow"


def test_a_restored_learner_goes_on_with_its_optimisers_and_draws():
    one, other = TwoLosses(), TwoLosses()
    for _ in range(3):
        one.update(None, Clock())
    other.load_state_dict(copy.deepcopy(one.state_dict()))
    for each in (one, other):
        each.update(None, Clock())
    assert equal(one.networks["a"], other.networks["a"])
    assert one.updates == other.updates == 4


class FadingGradient(TwoLosses):
    """Its gradient is smaller than any normal number."""

    def step(self, batch):
        weight = self.networks["a"].weight
        (gradient,) = torch.autograd.grad((weight * 1e-20 * 1e-20).sum(), weight)
        return {"gradient": gradient.abs().max()}


def test_an_update_counts_gradients_that_fade_out_as_none():
    if not torch.set_flush_denormal(False):
        pytest.skip("this processor cannot count subnormal numbers as zeros")
    assert float(FadingGradient().update(None, Clock())["gradient"]) == 0
    assert float(FadingGradient().step(None)["gradient"]) > 0, "all else computes as IEEE 754 has it"
