"""MADDPG for discrete actions against one agent after another, and a game whose dominant actions are known."""

import dataclasses

import pytest
import torch
from torch.nn import functional as F

from cohort.components.clock import Clock
from cohort.components.distributions import Categorical
from tests import harness
from tests.builders import PLANE, SMALL, make_learner, random_transitions, with_other_targets

SIZES = {"agent_hidden_dims": [8, 7], "critic_hidden_dims": [9, 6]}
OWN_REWARDS = dataclasses.replace(SMALL, common_reward=False)
SPECS = [SMALL, OWN_REWARDS]
NOW = Clock(episodes=0)


def learner(spec=SMALL, **typed):
    """In double precision, with targets unlike the live networks."""
    return with_other_targets(make_learner("maddpg", spec, **(SIZES | typed)), by=0.3)


def double(spec=SMALL, count: int = 30, seed: int = 0):
    return random_transitions(count, spec, seed, torch.float64)


def normed(rows):
    return (rows - rows.mean(0)) / torch.sqrt(rows.var(0, correction=0) + 1e-5)


def perceptron(layers, agent, rows):
    """One agent's network, layer by layer."""
    *hidden, last = layers
    for layer in hidden:
        rows = F.leaky_relu(rows @ layer.weight[agent] + layer.bias[agent, 0], 0.01)
    return rows @ last.weight[agent] + last.bias[agent, 0]


def logits_of(networks, agent, obs):
    return perceptron(networks["policy"].network.networks.layers, agent, normed(obs[:, agent]))


def value_of(networks, agent, obs, actions):
    """Q_i of lists: a row of chances for each agent."""
    seen = [normed(obs[:, j]) for j in range(obs.shape[1])]
    layers = [networks["critic"].first, *networks["critic"].rest.layers]
    return perceptron(layers, agent, torch.cat([*seen, *actions], dim=1))[:, 0]


def rows_of(actions):
    return [F.one_hot(actions[:, j], SMALL.n_actions).double() for j in range(actions.shape[1])]


def slow_target(ours, batch, agent):
    """y_i, one sample at a time."""
    best = []
    for j in range(SMALL.n_agents):
        logits = logits_of(ours.targets, j, batch.next_obs)
        best.append(logits.masked_fill(~batch.next_available_actions[:, j], -1e9).argmax(1))
    after = value_of(ours.targets, agent, batch.next_obs, rows_of(torch.stack(best, 1)))
    found = []
    for b in range(batch.batch_size):
        reward = batch.reward[b, agent] if batch.reward.dim() == 2 else batch.reward[b]
        found.append(reward + (0.0 if batch.terminated[b] else 0.99 * after[b]))
    return torch.stack(found).detach()


def assert_own_rows(gradient, expected, agent):
    """The agent's rows are as expected, and the loss that they come from reaches no other's."""
    for one, other in zip(gradient, expected, strict=True):
        torch.testing.assert_close(one[agent], other[agent], rtol=1e-9, atol=1e-12)
        assert not torch.cat([other[:agent], other[agent + 1 :]]).any()


@pytest.mark.parametrize("spec", SPECS)
def test_every_critic_follows_its_own_target(spec):
    ours, batch = learner(spec), double(spec)
    assert batch.terminated.any()
    assert batch.truncated.any()
    loss = ours.critic_loss(batch).value
    gradient = torch.autograd.grad(loss, ours.critic_parameters)
    total = 0.0
    for agent in range(spec.n_agents):
        chosen = value_of(ours.networks, agent, batch.obs, rows_of(batch.actions))
        error = (chosen - slow_target(ours, batch, agent)).square().mean()
        assert_own_rows(gradient, torch.autograd.grad(error, ours.critic_parameters), agent)
        total += float(error.detach())
    assert float(loss.detach()) == pytest.approx(total, rel=1e-10)


@pytest.mark.parametrize("spec", SPECS)
def test_every_actor_climbs_its_own_critic_straight_through_its_sample(spec):
    """The sample's row stands in for the softmax of the same noise: d soft / d logits = diag(soft) - soft soft'.

    What the critic says of the own action is differentiated by finite differences.
    """
    ours, batch = learner(spec, policy_penalty=0.3), double(spec)
    state = ours.generator.get_state()
    loss = ours.actor_loss(batch)
    gradient = torch.autograd.grad(loss.value, ours.actor_parameters)
    ours.generator.set_state(state)
    noise = torch.empty(batch.available_actions.shape, dtype=torch.float64)
    noise = -noise.exponential_(generator=ours.generator).log()
    total, count = 0.0, batch.batch_size
    for agent in range(spec.n_agents):
        logits = logits_of(ours.networks, agent, batch.obs)
        available = batch.available_actions[:, agent]
        with torch.no_grad():
            soft = (logits + noise[:, agent]).masked_fill(~available, -torch.inf).softmax(1)
            own = F.one_hot(soft.argmax(1), spec.n_actions).double()
            assert available.gather(1, soft.argmax(1, keepdim=True)).all()

            def value(row, agent=agent):
                rows = rows_of(batch.actions)
                rows[agent] = row
                return value_of(ours.networks, agent, batch.obs, rows)

            slope = torch.zeros_like(soft)
            for action in range(spec.n_actions):
                bump = torch.zeros_like(own)
                bump[:, action] = 1e-6
                slope[:, action] = (value(own + bump) - value(own - bump)) / 2e-6
            pull = -(soft * slope - soft * (soft * slope).sum(1, keepdim=True)) / count
            pull += 0.3 * 2 * logits / logits.numel()
            total += float(0.3 * logits.square().mean() - value(own).mean())
        expected = torch.autograd.grad(logits, ours.actor_parameters, grad_outputs=pull)
        for one, other in zip(gradient, expected, strict=True):
            torch.testing.assert_close(one[agent], other[agent], rtol=1e-5, atol=1e-9)
    assert float(loss.value.detach()) == pytest.approx(total, rel=1e-9)


def test_others_actions_are_the_replayed_ones():
    """A new action of agent 1 moves what agents 0 and 2 climb, and not what agent 1 climbs."""
    ours, batch = learner(), double()
    own = Categorical(torch.zeros_like(batch.available_actions, dtype=torch.float64), batch.available_actions)
    own = own.straight_through(ours.generator)
    replayed = ours.one_hot(batch.actions)
    other = replayed.clone()
    other[:, 1] = replayed[:, 1].roll(1, dims=-1)
    first, second = (ours.critic.exchanging_own(batch.obs, each, own) for each in (replayed, other))
    assert (first != second).any(dim=0).tolist() == [True, False, True]


def test_an_exchanged_own_action_is_a_joint_action_like_any_other():
    ours, batch = learner(), double()
    replayed, own = ours.one_hot(batch.actions), ours.one_hot(batch.actions.roll(1, dims=0))
    found = ours.critic.exchanging_own(batch.obs, replayed, own)
    for agent in range(3):
        joint = replayed.clone()
        joint[:, agent] = own[:, agent]
        torch.testing.assert_close(found[:, agent], ours.critic(batch.obs, joint)[:, agent])


def test_unavailable_actions_are_never_drawn_and_have_no_gradient():
    ours, batch = learner(policy_penalty=0.0), double()
    only = torch.zeros_like(batch.available_actions)
    only[..., 2] = True
    batch = dataclasses.replace(
        batch, available_actions=only, next_available_actions=only, actions=torch.full_like(batch.actions, 2)
    )
    gradient = torch.autograd.grad(ours.actor_loss(batch).value, ours.actor_parameters)
    assert all(not each.any() for each in gradient)
    metrics = ours.update(batch, NOW)
    assert float(metrics["entropy"]) == 0
    assert all(torch.isfinite(each).all() for each in ours.networks.parameters())


def test_targets_go_a_share_of_the_way():
    ours, batch = learner(target_update_rate=0.01), double()
    before = [each.clone() for each in ours.targets.networks.parameters()]
    ours.update(batch, NOW)
    for old, target, live in zip(
        before, ours.targets.networks.parameters(), ours.networks.parameters(), strict=True
    ):
        torch.testing.assert_close(target, 0.99 * old + 0.01 * live)


def test_adam_and_its_limits_are_table_5s():
    ours = make_learner("maddpg")
    for name, decay in (("critic", 0.001), ("actor", 0.0)):
        (group,) = ours.optimisers[name].param_groups
        assert (group["lr"], group["eps"], group["betas"][0], group["weight_decay"]) == (
            0.001,
            1e-7,
            0.9,
            decay,
        )
    assert ours.settings.target_update_rate == 0.001
    layers = (ours.critic.first, *ours.critic.rest.layers)
    assert [layer.weight.shape[-1] for layer in layers] == [128, 128, 1]
    assert ours._minimisers["critic"].limit == 30
    assert ours._minimisers["actor"].limit == 0.5


def test_a_restored_learner_goes_on_the_same():
    ours, again = learner(OWN_REWARDS), learner(OWN_REWARDS, seed=5)
    for seed in range(2):
        ours.update(double(OWN_REWARDS, seed=seed), NOW)
    again.load_state_dict(ours.state_dict())
    for seed in range(2, 4):
        one, other = (each.update(double(OWN_REWARDS, seed=seed), NOW) for each in (ours, again))
        assert {name: float(value) for name, value in one.items()} == {
            name: float(value) for name, value in other.items()
        }
    for name, value in ours.networks.state_dict().items():
        assert torch.equal(value, again.networks.state_dict()[name])


@pytest.mark.parametrize("algorithm", harness.REPLAYED_ACTORS)
def test_each_plays_for_its_own_reward(algorithm):
    """In a prisoner's dilemma of two steps both defect (-2 in all); a team would cooperate (+2)."""
    text = (
        "env_args.episode_limit=2 batch_size_run=8 batch_size=128 buffer_size=4000 updates_per_step=0.1 "
        "critic_lr=0.01 actor_lr=0.01 target_update_rate=0.05 agent_hidden_dims=[16] critic_hidden_dims=[16] seed=2"
    )
    subject = harness.experiment(algorithm, "ipd", text)
    for _ in range(200):
        subject.trainer.iterate()
    assert subject.evaluate()["test_return_mean"] == -2
    assert subject.trainer.metrics()["entropy"] < 0.3


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("target_update_rate=0", "target_update_rate"),
        ("critic_lr=-1", "critic_lr"),
        ("actor_grad_norm_clip=0", "actor_grad_norm_clip"),
        ("critic_hidden_dims=[]", "critic_hidden_dims"),
        ("reward_scale=100", "reward_scale"),
        ("critic=attention", r"critic can be: own_joint_mlp"),
        ("agent=mlp", "agent can be: own_"),
        ("updates_per_episode=1", "updates_per_step"),
    ],
)
def test_what_it_cannot_read_is_refused(typed, message):
    with pytest.raises(Exception, match=message):
        harness.plan("maddpg", "matrix_games", typed)


def test_continuous_actions_are_refused_in_words():
    with pytest.raises(ValueError, match="continuous: choose an algorithm for continuous actions"):
        make_learner("maddpg", PLANE)
