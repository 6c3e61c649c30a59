"""Single-critic MADDPG against separate networks and plain loops, and against torch's own optimisers."""

import dataclasses

import pytest
import torch
from torch import nn

from cohort.components.clock import Clock
from cohort.envs.base import EnvSpec
from tests.builders import PLANE, make_learner, random_transitions
from tests.modules.test_stacked import one_by_one

RUN = {"spec": PLANE, "env": "cooperative_navigation"}  # gamma 0.9


class SlowReference:
    """One actor after another, one sample after another; the paper's section 3.1 word by word."""

    def __init__(self, learner) -> None:
        self.actors = one_by_one(learner.policy.network.networks, "relu")
        self.old_actors = one_by_one(learner.targets["policy"].network.networks, "relu")
        self.critic, self.old_critic = (
            self._critic(networks["critic"]) for networks in (learner.networks, learner.targets)
        )

    @staticmethod
    def _critic(critic) -> nn.Sequential:
        parts: list[nn.Module] = []
        for layer in critic.layers:
            parts += [nn.Linear(layer.in_features, layer.out_features), nn.ReLU()]
            parts[-2].load_state_dict(layer.state_dict())
        return nn.Sequential(*parts[:-1])

    @staticmethod
    def act(actors, obs) -> torch.Tensor:
        return torch.stack([torch.tanh(actor(own)) for actor, own in zip(actors, obs, strict=True)])

    @staticmethod
    def value(critic, obs, actions) -> torch.Tensor:
        return critic(torch.cat([*obs, *actions]))[0]

    def losses(self, batch, gamma: float, mask_horizon: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
        """delta and J."""
        errors, values = [], []
        for b in range(batch.batch_size):
            with torch.no_grad():
                later = self.value(
                    self.old_critic, batch.next_obs[b], self.act(self.old_actors, batch.next_obs[b])
                )
            over = bool(batch.terminated[b]) or (mask_horizon and bool(batch.truncated[b]))
            target = batch.reward[b] + (0.0 if over else gamma * later)
            errors.append((self.value(self.critic, batch.obs[b], batch.actions[b]) - target) ** 2)
            values.append(self.value(self.critic, batch.obs[b], self.act(self.actors, batch.obs[b])))
        return torch.stack(errors).mean(), torch.stack(values).mean()


def transposed(parameter: torch.Tensor) -> torch.Tensor:
    """A stacked layer's [in, out] or [1, out] as `nn.Linear` has it."""
    return parameter[0] if len(parameter) == 1 else parameter.T


@pytest.fixture
def learner():
    """Targets that differ from the live networks, so that mistaking one for the other shows."""
    made = make_learner("maddpg_fixed_lr", **RUN)
    torch.manual_seed(5)
    for parameter in made.targets.networks.parameters():
        parameter.add_(0.1 * torch.randn_like(parameter))
    return made


@pytest.mark.parametrize("mask_horizon", [False, True])
def test_loss_value_and_gradients_are_those_of_plain_loops(mask_horizon):
    learner = make_learner("maddpg_fixed_lr", **RUN, mask_horizon=mask_horizon)
    torch.manual_seed(5)
    for parameter in learner.targets.networks.parameters():
        parameter.add_(0.1 * torch.randn_like(parameter))
    batch = random_transitions(16)
    assert batch.terminated.any()
    assert batch.truncated.any()
    reference = SlowReference(learner)
    loss, value = reference.losses(batch, gamma=0.9, mask_horizon=mask_horizon)
    descent, ascent = learner.critic_gradient(batch), learner.actor_gradient(batch)
    assert float(descent.loss) == pytest.approx(float(loss.detach()), rel=1e-5)
    assert float(ascent.value) == pytest.approx(float(value.detach()), rel=1e-5)
    expected = torch.autograd.grad(loss, list(reference.critic.parameters()))
    for found, one in zip(descent.gradient, expected, strict=True):
        assert torch.allclose(found, one, atol=1e-5)
    for n, actor in enumerate(reference.actors):
        own = torch.autograd.grad(value, list(actor.parameters()), retain_graph=True)
        for found, one in zip(ascent.gradient, own, strict=True):
            assert torch.allclose(transposed(found[n]), one, atol=1e-6)


def test_an_update_is_one_step_of_torchs_sgd(learner):
    """One group per actor, each with a rate of its own, and one for the critic."""
    batch = random_transitions(32)
    learner.rates.actors = torch.tensor([0.001, 0.02, 0.3], dtype=torch.float64)
    reference = SlowReference(learner)
    loss, value = reference.losses(batch, gamma=0.9)
    critic = list(reference.critic.parameters())
    down = torch.optim.SGD(critic, lr=float(learner.rates.critic))
    groups = [
        {"params": list(actor.parameters()), "lr": rate}
        for actor, rate in zip(reference.actors, learner.rates.actors.tolist(), strict=True)
    ]
    up = torch.optim.SGD(groups, lr=0.0, maximize=True)
    for parameter, gradient in zip(critic, torch.autograd.grad(loss, critic), strict=True):
        parameter.grad = gradient
    theirs = [each for group in groups for each in group["params"]]
    for parameter, gradient in zip(theirs, torch.autograd.grad(value, theirs), strict=True):
        parameter.grad = gradient
    down.step()
    up.step()
    learner.step(batch)
    for found, one in zip(learner.critic_parameters, critic, strict=True):
        assert torch.allclose(found, one, atol=1e-6)
    for n, actor in enumerate(reference.actors):
        for found, one in zip(learner.actor_parameters, actor.parameters(), strict=True):
            assert torch.allclose(transposed(found[n]), one, atol=1e-6)


def test_adagrad_divides_by_the_root_of_the_sum_of_squares():
    learner = make_learner("maddpg_adagrad", **RUN, critic_lr=0.01, actor_lr_norm=0.03)
    before = [each.detach().clone() for each in (*learner.critic_parameters, *learner.actor_parameters)]
    squares = [torch.zeros_like(each) for each in before]
    for number in range(3):
        batch = random_transitions(32, seed=number)
        gradients = [*learner.critic_gradient(batch).gradient, *learner.actor_gradient(batch).gradient]
        learner.step(batch)
        critics = len(learner.critic_parameters)
        for place, gradient in enumerate(gradients):
            squares[place] += gradient**2
            rate = -0.01 if place < critics else 0.03 / 3**0.5
            before[place] += rate * gradient / (squares[place].sqrt() + 1e-10)
    after = (*learner.critic_parameters, *learner.actor_parameters)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(after, before, strict=True))


def test_targets_follow_every_twentieth_episode():
    learner = make_learner("maddpg_fixed_lr", **RUN)

    def same() -> bool:
        pairs = zip(learner.networks.parameters(), learner.targets.networks.parameters(), strict=True)
        return all(torch.equal(live, target) for live, target in pairs)

    for episode in range(1, 22):
        learner.update(random_transitions(16, seed=episode), Clock(episodes=episode))
        assert same() == (episode == 20)


def test_rewards_of_every_agent_are_refused():
    spec = dataclasses.replace(PLANE, common_reward=False)
    with pytest.raises(ValueError, match="one critic learns the value of one reward"):
        make_learner("maddpg_fixed_lr", spec=spec, env="cooperative_navigation")


def test_discrete_actions_are_refused():
    spec = EnvSpec(n_agents=2, n_actions=3, obs_dim=4, state_dim=5, episode_limit=6)
    with pytest.raises(ValueError, match="this environment's are discrete"):
        make_learner("maddpg_fixed_lr", spec=spec)


@pytest.mark.parametrize("algorithm", ["maddpg_fixed_lr", "maddpg_adagrad"])
def test_a_restored_learner_goes_on_bit_for_bit(algorithm):
    learner, again = make_learner(algorithm, **RUN), make_learner(algorithm, **RUN, seed=7)
    learner.update(random_transitions(32), Clock(episodes=25))
    again.load_state_dict(learner.state_dict())
    for number in range(1, 4):
        batch = random_transitions(32, seed=number)
        one, other = (each.update(batch, Clock(episodes=25 + 10 * number)) for each in (learner, again))
        assert all(torch.equal(one[name], other[name]) for name in one)


PLANE_RUN = {"spec": PLANE, "env": "cooperative_navigation"}


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_the_critics_curvature_is_that_of_the_dense_hessian(activation):
    """Of delta over the latest batch, as a function of all the critic's parameters at once."""
    sizes = {"critic_hidden_dims": [6, 5], "critic_activation": activation, "curvature_steps": 200}
    learner = make_learner("maddpg_fixed_lr", **PLANE_RUN, **sizes)
    learner.networks.double()
    learner.targets.networks.double()
    assert learner.diagnostics(None) == {}, "no update yet"
    batch = random_transitions(64, dtype=torch.float64)
    learner.step(batch)
    names = [name for name, _ in learner.critic.named_parameters()]
    lengths = [each.numel() for each in learner.critic_parameters]
    next_value = learner.targets["critic"](batch.next_obs, learner.targets["policy"](batch.next_obs)).detach()
    target = batch.reward + learner.settings.gamma * next_value.masked_fill(batch.terminated, 0.0)

    def delta(flat):
        shaped = [
            part.view_as(each)
            for part, each in zip(flat.split(lengths), learner.critic_parameters, strict=True)
        ]
        values = torch.func.functional_call(
            learner.critic, dict(zip(names, shaped, strict=True)), (batch.obs, batch.actions)
        )
        return (values - target).square().mean()

    flat = torch.cat([each.detach().flatten() for each in learner.critic_parameters])
    largest = torch.linalg.eigvalsh(torch.autograd.functional.hessian(delta, flat))[-1]
    before = [each.clone() for each in learner.critic_parameters]
    found = learner.diagnostics(None)
    assert float(found["critic_curvature"]) == pytest.approx(float(largest), rel=0.02)
    assert float(found["critic_lr_curvature"]) == pytest.approx(
        learner.settings.critic_lr * float(found["critic_curvature"]), rel=1e-6
    )
    assert all(torch.equal(a, b) for a, b in zip(before, learner.critic_parameters, strict=True))
    assert "critic_lr_curvature" not in adagrad_diagnostics(batch)


@pytest.mark.parametrize(("pushed", "share"), [(0, 0.0), (1, 1 / 3), (3, 1.0)])
def test_actors_that_stand_at_the_border_of_their_actions_are_counted(pushed, share):
    learner = make_learner("maddpg_fixed_lr", **PLANE_RUN, curvature_steps=0)
    learner.step(random_transitions(16))
    bias = learner.policy.network.networks.layers[-1].bias
    with torch.no_grad():
        bias[:pushed] += 10.0  # tanh of it is 1
    assert learner.diagnostics(None) == {"actions_saturated": pytest.approx(share)}
    assert PLANE.n_agents == 3


def adagrad_diagnostics(batch):
    """AdaGrad has no one rate to multiply the curvature by."""
    learner = make_learner("maddpg_adagrad", **PLANE_RUN)
    learner.networks.double()
    learner.targets.networks.double()
    learner.step(batch)
    found = learner.diagnostics(None)
    assert found["critic_curvature"] > 0
    return found
