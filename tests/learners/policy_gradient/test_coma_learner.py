"""COMA against loops over episodes, steps, agents and actions."""

import pytest
import torch
from torch.nn import functional as F

from cohort.components.clock import Clock
from tests.builders import SMALL, make_learner, random_episodes

LENGTHS = [3, 8, 1, 5]  # episodes 0 and 2 end, 1 and 3 are cut off


def values_of(critic, state, obs, actions, agent):
    """Q of one agent's actions in one step, its input put together piece by piece."""
    others = [F.one_hot(actions[j], 4).float() * (j != agent) for j in range(3)]
    own = F.one_hot(torch.tensor(agent), 3).float()
    return critic.network.layers(torch.cat([state, obs[agent], *others, own]))


def test_the_critic_values_every_action_while_the_others_are_given():
    critic, episodes = make_learner("coma").critic, random_episodes(LENGTHS)
    found = critic(episodes.state[:, :-1], episodes.obs[:, :-1], episodes.actions)
    for b, t, i in ((0, 0, 0), (1, 7, 2), (3, 4, 1)):
        expected = values_of(critic, episodes.state[b, t], episodes.obs[b, t], episodes.actions[b, t], i)
        torch.testing.assert_close(found[b, t, i], expected, rtol=1e-5, atol=1e-6)
    changed = episodes.actions.clone()
    changed[..., 1] = (changed[..., 1] + 1) % 4
    again = critic(episodes.state[:, :-1], episodes.obs[:, :-1], changed)
    assert torch.equal(again[:, :, 1], found[:, :, 1]), "its own action does not enter"
    assert not torch.equal(again[:, :, 0], found[:, :, 0])


def test_targets_are_lambda_returns_of_the_target_critic():
    learner, episodes = make_learner("coma", td_lambda=0.7), random_episodes(LENGTHS)
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
            for i in range(3):
                following = 0.0
                for t in reversed(range(length)):
                    now = actions[b, t + 1]
                    after = values_of(critic, episodes.state[b, t + 1], episodes.obs[b, t + 1], now, i)[
                        now[i]
                    ]
                    last = t == length - 1
                    ahead = after if last else 0.3 * after + 0.7 * following
                    following = episodes.reward[b, t] + (0.0 if last and b % 2 == 0 else 0.99 * ahead)
                    assert float(target[b, t, i]) == pytest.approx(float(following), abs=1e-4)


def test_the_actors_gradient_is_that_of_counterfactual_advantages():
    learner, episodes = make_learner("coma", entropy_coef=0.2), random_episodes(LENGTHS)
    values = learner.action_values(episodes).detach()
    logits = learner.policy.unroll(learner.policy.inputs(episodes), episodes)
    terms, entropies = [], []
    for b, length in enumerate(LENGTHS):
        for t in range(length):
            for i in range(3):
                available = episodes.available_actions[b, t, i].nonzero()[:, 0].tolist()
                log_probs = dict(zip(available, logits[b, t, i, available].log_softmax(0), strict=True))
                action = int(episodes.actions[b, t, i])
                expected = sum(float(p.detach().exp()) * values[b, t, i, a] for a, p in log_probs.items())
                terms.append((values[b, t, i, action] - expected) * log_probs[action])
                entropies.append(-sum(p.exp() * p for p in log_probs.values()))
    expected = -torch.stack(terms).mean() - 0.2 * torch.stack(entropies).mean()
    loss = learner.actor_loss(episodes).value
    torch.testing.assert_close(loss, expected, rtol=1e-4, atol=1e-6)
    parameters = list(learner.policy.parameters())
    for one, other in zip(
        torch.autograd.grad(loss, parameters), torch.autograd.grad(expected, parameters), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-6)


def test_the_critic_learns_several_steps_and_its_target_follows_by_updates():
    learner, episodes = (
        make_learner("coma", critic_updates=3, target_update_updates=2),
        random_episodes(LENGTHS, SMALL),
    )
    before = [each.clone() for each in learner.targets.networks.parameters()]
    learner.update(learner.prepare(episodes), Clock())
    assert all(map(torch.equal, before, learner.targets.networks.parameters()))
    learner.update(learner.prepare(episodes), Clock())
    assert all(map(torch.equal, learner.critic.parameters(), learner.targets.networks.parameters()))
    steps = learner.optimisers["critic"].state[next(learner.critic.parameters())]["step"]
    assert int(steps) == 2 * 3


def test_exploration_of_the_selector_is_part_of_the_policy_as_in_pymarl():
    """There chances are mixed with equal ones for what is available, and the mixture both acts and is improved."""
    kind = {
        "action_selector": "epsilon_sampling",
        "epsilon_start": 0.4,
        "epsilon_finish": 0.0,
        "epsilon_anneal_time": 100,
    }
    plain, mixed = make_learner("coma", entropy_coef=0.0), make_learner("coma", entropy_coef=0.0, **kind)
    episodes = random_episodes(LENGTHS)
    available = episodes.available_actions.float()
    mixed.t_env = 50
    chances = 0.8 * plain.decisions(episodes).log_probs.exp() + 0.2 * available / available.sum(
        -1, keepdim=True
    )
    torch.testing.assert_close(mixed.decisions(episodes).log_probs.exp(), chances)

    with torch.no_grad():
        q = mixed.action_values(episodes)
    baseline = (chances[:, :-1] * q).sum(-1).detach()
    actions = episodes.actions.unsqueeze(-1)
    advantage = q.gather(-1, actions).squeeze(-1) - baseline
    score = chances[:, :-1].gather(-1, actions).squeeze(-1).log() * advantage
    mask = episodes.mask.unsqueeze(-1).expand_as(score)
    expected = torch.autograd.grad(-score[mask].mean(), list(plain.policy.parameters()))
    found = torch.autograd.grad(mixed.actor_loss(episodes).value, list(mixed.policy.parameters()))
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)
