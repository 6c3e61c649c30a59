"""DOP against loops over episodes, steps, agents and joint actions."""

import dataclasses
import itertools
import math

import pytest
import torch

from cohort.components.clock import Clock
from cohort.components.mixed_batch import MixedBatch
from tests.builders import SMALL, make_learner, random_episodes

LENGTHS = [3, 8, 1, 5]  # episodes 0 and 2 end, 1 and 3 are cut off
JOINT = list(itertools.product(range(SMALL.n_actions), repeat=SMALL.n_agents))
LOG_CHANCE = math.log(0.25)


def played(seed=0, padding=0.0):
    """Random episodes whose actions had chances of 0.25: [B, T, N] in the record."""
    episodes = random_episodes(LENGTHS, seed=seed, padding=padding)
    log_prob = torch.full(episodes.actions.shape, LOG_CHANCE)
    return episodes.with_extras(log_prob=log_prob.masked_fill(~episodes.mask.unsqueeze(-1), padding))


def learner_with_other_targets(**typed):
    learner = make_learner("dop", **typed)
    for parameter in learner.targets.networks.parameters():
        parameter.add_(0.2 * torch.randn_like(parameter))
    return learner


@torch.no_grad()
def policies(learner, episodes):
    """The policies of each moment, nested lists of chances: [B][T+1][N][A]."""
    logits = learner.policy.unroll(learner.policy.inputs(episodes), episodes)
    available = episodes.available_actions
    pi = logits.masked_fill(~available, -math.inf).softmax(dim=-1)
    if learner.settings.epsilon_in_policy:
        pi = 0.5 * pi + 0.5 * available / available.sum(dim=-1, keepdim=True)  # epsilon at the first step
    return pi.tolist()


@torch.no_grad()
def joint_value(networks, obs, state, actions):
    """sum_i k_i Q_i of one moment, for the critic and mixer of the live networks or the targets."""
    utilities, weights = networks["critic"](obs, state), networks["mixer"].weights(state)
    return sum(float(weights[i]) * float(utilities[i, a]) for i, a in enumerate(actions))


def expected_value(networks, obs, state, pi):
    """E_pi Q_tot, every joint action by itself."""
    chance = [math.prod(pi[i][a] for i, a in enumerate(joint)) for joint in JOINT]
    return sum(
        c * joint_value(networks, obs, state, joint) for c, joint in zip(chance, JOINT, strict=True) if c
    )


def moment(episodes, b, t):
    return episodes.obs[b, t], episodes.state[b, t]


@pytest.mark.parametrize("mixture", [True, False])
def test_tree_backups_are_those_of_enumerated_joint_actions(mixture):
    typed = {"tree_lambda": 0.9, "tree_steps": 3, "epsilon_in_policy": mixture}
    learner, episodes = learner_with_other_targets(**typed), played()
    moments = learner.moments(episodes)
    found, pi = learner.tree_backup_targets(moments).detach(), policies(learner, episodes)
    targets = learner.targets
    for b, length in enumerate(LENGTHS):
        actions = episodes.actions[b].tolist()
        value = [joint_value(targets, *moment(episodes, b, t), actions[t]) for t in range(length)]
        error = []
        for t in range(length):
            ends = t == length - 1 and b % 2 == 0
            after = 0.0 if ends else expected_value(targets, *moment(episodes, b, t + 1), pi[b][t + 1])
            error.append(float(episodes.reward[b, t]) + 0.99 * after - value[t])
        for t in range(length):
            expected, weight = value[t], 1.0
            for ahead in range(t, min(t + 3, length)):
                if ahead > t:
                    weight *= 0.99 * 0.9 * math.prod(pi[b][ahead][i][actions[ahead][i]] for i in range(3))
                expected += weight * error[ahead]
            assert float(found[b, t, 0]) == pytest.approx(expected, abs=1e-5)


def test_targets_of_recent_episodes_are_lambda_returns_of_what_was_done():
    learner, episodes = learner_with_other_targets(td_lambda=0.7), played()
    found, pi = learner.td_lambda_targets(learner.moments(episodes)).detach(), policies(learner, episodes)
    for b, length in enumerate(LENGTHS):
        following = 0.0
        for t in reversed(range(length)):
            last, there = t == length - 1, moment(episodes, b, t + 1)
            if last:  # nothing was done there
                ahead = expected_value(learner.targets, *there, pi[b][t + 1])
            else:
                after = joint_value(learner.targets, *there, episodes.actions[b, t + 1].tolist())
                ahead = 0.3 * after + 0.7 * following
            following = float(episodes.reward[b, t]) + (0.0 if last and b % 2 == 0 else 0.99 * ahead)
            assert float(found[b, t, 0]) == pytest.approx(following, abs=1e-5)


def test_the_critic_learns_replayed_steps_by_tree_backup_and_recent_ones_by_lambda_returns():
    learner, replayed, recent = learner_with_other_targets(), played(seed=1), played(seed=2)
    obs, state, actions, target = learner.critic_rows(MixedBatch(replayed, recent, latest=recent))
    assert len(obs) == 2 * sum(LENGTHS)
    tree = learner.tree_backup_targets(learner.moments(replayed)).detach()
    returns = learner.td_lambda_targets(learner.moments(recent)).detach()
    wanted = {
        tuple(episodes.state[b, t].tolist()): float(targets[b, t, 0])
        for episodes, targets in ((replayed, tree), (recent, returns))
        for b, length in enumerate(LENGTHS)
        for t in range(length)
    }
    errors = []
    for row in range(len(obs)):
        assert float(target[row]) == pytest.approx(wanted.pop(tuple(state[row].tolist())), abs=1e-6)
        found = joint_value(learner.networks, obs[row], state[row], actions[row].tolist())
        errors.append((found - float(target[row])) ** 2)
    assert not wanted
    loss = learner.critic_loss(obs, state, actions, target).value
    assert float(loss.detach()) == pytest.approx(sum(errors) / len(errors), rel=1e-4)


def test_each_share_of_the_steps_is_learned_once(monkeypatch):
    learner, episodes = make_learner("dop", critic_updates=5), played()
    seen, whole = [], learner.critic_loss
    monkeypatch.setattr(learner, "critic_loss", lambda *rows: seen.append(rows[1]) or whole(*rows))
    learner.step(MixedBatch(episodes, played(seed=1), episodes))
    assert [len(each) for each in seen] == [7, 7, 7, 7, 6]
    assert len({tuple(row) for each in seen for row in each.tolist()}) == 2 * sum(LENGTHS)


@pytest.mark.parametrize("epsilon", [0.0, 0.5])
def test_the_actors_gradient_is_that_of_loops(epsilon):
    learner, episodes = make_learner("dop", epsilon_in_policy=epsilon > 0), played()
    logits = learner.policy.unroll(learner.policy.inputs(episodes), episodes)
    terms = []
    for b, length in enumerate(LENGTHS):
        for t in range(length):
            obs, state = moment(episodes, b, t)
            with torch.no_grad():
                utilities = learner.networks["critic"](obs, state)
                weights = learner.networks["mixer"].weights(state)
            for i in range(3):
                available = episodes.available_actions[b, t, i].nonzero()[:, 0].tolist()
                pi = logits[b, t, i, available].softmax(0)
                chances = dict(zip(available, (1 - epsilon) * pi + epsilon / len(pi), strict=True))
                action = int(episodes.actions[b, t, i])
                mean = sum(p.item() * float(utilities[i, a]) for a, p in chances.items())
                advantage = float(weights[i]) * (float(utilities[i, action]) - mean)
                terms.append(advantage * chances[action] / 0.25)
    expected = -torch.stack(terms).mean()
    loss = learner.actor_loss(episodes).value
    torch.testing.assert_close(loss, expected, rtol=1e-4, atol=1e-6)
    parameters = list(learner.policy.parameters())
    for one, other in zip(
        torch.autograd.grad(loss, parameters), torch.autograd.grad(expected, parameters), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-6)


def test_weighted_by_chances_the_actors_gradient_is_that_of_the_expected_joint_value():
    """Over all joint actions by the chances they had, sum_i k_i A_i d pi / mu is d E_pi Q_tot, whatever mu."""
    learner = make_learner("dop", epsilon_in_policy=False)
    one = random_episodes([1], seed=4)
    available = torch.ones_like(one.available_actions)
    mu = torch.rand(SMALL.n_agents, SMALL.n_actions).add(0.1)
    mu = mu / mu.sum(dim=-1, keepdim=True)
    parameters = list(learner.policy.parameters())
    total = [torch.zeros_like(each) for each in parameters]
    for joint in JOINT:
        actions = torch.tensor(joint).view(1, 1, -1)
        log_prob = torch.stack([mu[i, a].log() for i, a in enumerate(joint)]).view(1, 1, -1)
        episodes = dataclasses.replace(one, actions=actions, available_actions=available)
        loss = learner.actor_loss(episodes.with_extras(log_prob=log_prob)).value
        for into, gradient in zip(total, torch.autograd.grad(loss, parameters), strict=True):
            into += float(log_prob.sum().exp()) * gradient
    values = learner.policy.unroll(learner.policy.inputs(one), one)[0, 0]
    utilities = learner.networks["critic"](*moment(one, 0, 0)).detach()
    state = one.state[0, 0]
    joint_mean = learner.networks["mixer"]((values.softmax(dim=-1) * utilities).sum(dim=-1), state)
    wanted = torch.autograd.grad(-joint_mean.sum() / SMALL.n_agents, parameters)
    for found, expected in zip(total, wanted, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-6)


def test_padding_enters_nothing_even_if_it_is_nan():
    learner, found = make_learner("dop"), []
    for padding in (0.0, math.nan):
        batch = MixedBatch(*(played(seed=seed, padding=padding) for seed in range(3)))
        rows = learner.critic_rows(batch)
        loss = learner.actor_loss(batch.latest).value
        found.append([*rows, loss, *torch.autograd.grad(loss, list(learner.policy.parameters()))])
    assert all(map(torch.equal, *found))


def test_unavailable_actions_have_no_gradient_and_no_weight():
    learner, episodes = make_learner("dop"), played()
    only_first = torch.zeros_like(episodes.available_actions)
    only_first[..., 0] = True
    episodes = dataclasses.replace(
        episodes, available_actions=only_first, actions=torch.zeros_like(episodes.actions)
    )
    gradients = torch.autograd.grad(learner.actor_loss(episodes).value, list(learner.policy.parameters()))
    assert all(each.isfinite().all() for each in gradients)
    assert not any(each.any() for each in gradients), "one action that is sure cannot be learned"
    moments = learner.moments(episodes)
    value, expected = learner.target_values(moments)
    follows = episodes.mask[:, 1:]
    torch.testing.assert_close(value[:, 1:][follows], expected[:, :-1][follows])


def test_epsilon_is_that_of_the_clock():
    learner = make_learner("dop", epsilon_start=0.8, epsilon_finish=0.2, epsilon_anneal_time=100)
    batch = MixedBatch(*(played(seed=seed) for seed in range(3)))
    learner.update(batch, Clock(steps=50))
    episodes = batch.replayed
    pi = learner.policy.unroll(learner.policy.inputs(episodes), episodes)
    pi = pi.masked_fill(~episodes.available_actions, -math.inf).softmax(dim=-1)
    moments = learner.moments(episodes)
    even = episodes.available_actions / episodes.available_actions.sum(dim=-1, keepdim=True)
    expected = moments.packing.of_moments(0.5 * pi + 0.5 * even)
    torch.testing.assert_close(moments.decision.log_probs.exp(), expected)


def test_targets_follow_by_updates_and_what_was_drawn_is_kept():
    learner = make_learner("dop", target_update_updates=2, critic_updates=3)
    batch = MixedBatch(*(played(seed=seed) for seed in range(3)))
    before = [each.clone() for each in learner.targets.networks.parameters()]
    metrics = learner.update(batch, Clock())
    assert all(value.isfinite() for value in metrics.values())
    assert all(map(torch.equal, before, learner.targets.networks.parameters()))
    learner.update(batch, Clock())
    for name in ("critic", "mixer"):
        live, target = learner.networks[name], learner.targets[name]
        assert all(map(torch.equal, live.parameters(), target.parameters()))
    other = make_learner("dop", seed=7, target_update_updates=2, critic_updates=3)
    other.load_state_dict(learner.state_dict())
    assert learner.update(batch, Clock()) == other.update(batch, Clock())


def test_rewards_of_agents_are_refused():
    with pytest.raises(ValueError, match="common reward"):
        make_learner("dop", dataclasses.replace(SMALL, common_reward=False))
