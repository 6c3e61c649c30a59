"""LICA against loops over episodes, steps and agents, and what its critic may express."""

import dataclasses
import math

import pytest
import torch
from torch.nn import functional as F

from cohort.components.clock import Clock
from tests.builders import SMALL, make_learner, random_episodes

LENGTHS = [3, 8, 1, 5]  # episodes 0 and 2 end, 1 and 3 are cut off


def value_of(critic, chances, state):
    """Q of one moment, chances [N, A], each weight by itself."""
    first = critic.hyper_w1(state).view(SMALL.n_agents * SMALL.n_actions, -1)
    hidden = [
        torch.relu(sum(p * w for p, w in zip(chances.flatten(), column, strict=True)) + bias)
        for column, bias in zip(first.T, critic.hyper_b1(state), strict=True)
    ]
    return sum(h * w for h, w in zip(hidden, critic.hyper_w2(state), strict=True)) + critic.value(state)[0]


def one_hot(actions):
    return F.one_hot(actions, SMALL.n_actions).float()


def test_targets_are_lambda_returns_of_the_target_critic_and_drawn_where_an_episode_was_cut():
    learner, episodes = make_learner("lica", td_lambda=0.7), random_episodes(LENGTHS)
    for parameter in learner.targets.networks.parameters():
        parameter.add_(0.1 * torch.randn_like(parameter))
    state = learner.generator.get_state()
    target = learner.prepare(episodes).extras["value_target"]
    learner.generator.set_state(state)
    actions = learner.actions_after(episodes)
    assert torch.equal(actions[:, :-1][episodes.mask], episodes.actions[episodes.mask])
    assert episodes.available_actions.gather(-1, actions.unsqueeze(-1)).all()
    critic = learner.targets["critic"]
    with torch.no_grad():
        for b, length in enumerate(LENGTHS):
            following = 0.0
            for t in reversed(range(length)):
                after = value_of(critic, one_hot(actions[b, t + 1]), episodes.state[b, t + 1])
                last = t == length - 1
                ahead = after if last else 0.3 * after + 0.7 * following
                following = episodes.reward[b, t] + (0.0 if last and b % 2 == 0 else 0.99 * ahead)
                assert float(target[b, t, 0]) == pytest.approx(float(following), abs=1e-4)
    assert not target[~episodes.mask].any()


def test_the_critics_loss_is_the_squared_error_at_the_played_actions():
    learner, episodes = make_learner("lica"), random_episodes(LENGTHS)
    prepared = learner.prepare(episodes)
    errors = [
        value_of(learner.critic, one_hot(episodes.actions[b, t]), episodes.state[b, t])
        - prepared.extras["value_target"][b, t, 0]
        for b, length in enumerate(LENGTHS)
        for t in range(length)
    ]
    expected = torch.stack(errors).square().mean()
    torch.testing.assert_close(learner.critic_loss(prepared).value, expected, rtol=1e-4, atol=1e-6)


def test_the_actors_climb_the_critic_of_their_chances_and_the_adaptive_entropy():
    learner, episodes = make_learner("lica", entropy_coef=0.2), random_episodes(LENGTHS)
    logits = learner.policy.unroll(learner.policy.inputs(episodes), episodes)
    values, entropies = [], []
    for b, length in enumerate(LENGTHS):
        for t in range(length):
            rows = []
            for i in range(3):
                available = episodes.available_actions[b, t, i].nonzero()[:, 0]
                chances = logits[b, t, i, available].softmax(0)
                rows.append(torch.zeros(SMALL.n_actions).index_put((available,), chances))
                entropies.append(-(chances * chances.log()).sum())
            values.append(value_of(learner.critic, torch.stack(rows), episodes.state[b, t]))
    entropy = torch.stack(entropies).mean()
    expected = -torch.stack(values).mean() - 0.2 / entropy.item() * entropy
    loss = learner.actor_loss(episodes).value
    torch.testing.assert_close(loss, expected, rtol=1e-4, atol=1e-6)
    parameters = list(learner.policy.parameters())
    for one, other in zip(
        torch.autograd.grad(loss, parameters), torch.autograd.grad(expected, parameters), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-6)


def test_the_critic_may_fall_with_an_agents_chance():
    """What no monotonic mixer can: dQ/dp below 0, above 0, and of a sign that turns with the others' chances."""
    critic = make_learner("lica").critic
    state = torch.randn(500, SMALL.state_dim)
    chances = torch.rand(2, 500, SMALL.n_agents, SMALL.n_actions).softmax(-1).requires_grad_()
    (slope,) = torch.autograd.grad(critic(chances, state).sum(), chances)
    assert (slope < 0).any()
    assert (slope > 0).any()
    critic.hyper_w1[-1].weight.data.mul_(20)  # so that the hidden layer bends
    wide = (8 * torch.randn(2, 500, SMALL.n_agents, SMALL.n_actions)).softmax(-1).requires_grad_()
    (slope,) = torch.autograd.grad(critic(wide, state).sum(), wide)
    assert (slope[0] * slope[1] < 0).any()


def test_the_pull_of_the_entropy_has_one_length_whatever_the_entropy():
    """d/dH of c / H.detach() H is c / H: twice as strong at half the entropy, and finite at none."""
    learner, episodes = make_learner("lica", entropy_coef=0.2), random_episodes(LENGTHS)
    for parameter in learner.policy.network.head.parameters():
        parameter.data.mul_(1e4)
    loss = learner.actor_loss(episodes)
    found = torch.autograd.grad(loss.value, list(learner.policy.parameters()))
    assert float(loss.metrics["entropy"]) < 0.05
    assert all(each.isfinite().all() for each in found)
    only_first = torch.zeros_like(episodes.available_actions)
    only_first[..., 0] = True
    sure = dataclasses.replace(episodes, available_actions=only_first)
    loss = learner.actor_loss(sure)
    assert float(loss.metrics["entropy"]) == 0
    assert not any(each.any() for each in torch.autograd.grad(loss.value, list(learner.policy.parameters())))


def test_padding_enters_nothing_even_if_it_is_nan():
    learner, found = make_learner("lica"), []
    for padding in (0.0, math.nan):
        learner.generator.manual_seed(3)
        prepared = learner.prepare(random_episodes(LENGTHS, padding=padding))
        losses = learner.critic_loss(prepared), learner.actor_loss(prepared)
        found.append(
            [
                prepared.extras["value_target"],
                *(loss.value for loss in losses),
                *torch.autograd.grad(losses[0].value, list(learner.critic.parameters())),
                *torch.autograd.grad(losses[1].value, list(learner.policy.parameters())),
            ]
        )
    assert all(map(torch.equal, *found))


def test_the_target_follows_by_updates_and_agents_rewards_are_refused():
    learner, episodes = make_learner("lica", target_update_updates=2), random_episodes(LENGTHS)
    before = [each.clone() for each in learner.targets.networks.parameters()]
    learner.update(learner.prepare(episodes), Clock())
    assert all(map(torch.equal, before, learner.targets.networks.parameters()))
    learner.update(learner.prepare(episodes), Clock())
    assert all(map(torch.equal, learner.critic.parameters(), learner.targets.networks.parameters()))
    with pytest.raises(ValueError, match="common reward"):
        make_learner("lica", dataclasses.replace(SMALL, common_reward=False))
