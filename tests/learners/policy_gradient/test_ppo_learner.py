"""MAPPO and IPPO against loops over episodes, steps and agents."""

import math
from dataclasses import replace

import pytest
import torch

from cohort.components.clock import Clock
from cohort.learners.policy_gradient.value_norm import ValueNorm
from tests.builders import PLANE, SMALL, make_learner, random_episodes

LENGTHS = [3, 8, 1, 5]  # episodes 0 and 2 end, 1 and 3 are cut off
EPSILON, LIMIT = 0.2, 0.2


def learner(algorithm="mappo", spec=SMALL, **typed):
    made = make_learner(
        algorithm, spec, env="cooperative_navigation" if spec.action_dim else "matrix_games", **typed
    )
    made.networks.double()
    return made


def double(episodes):
    return episodes.map(lambda each: each.double() if each.is_floating_point() else each)


def batch(spec=SMALL, seed=0, padding=0.0):
    """Episodes with old probabilities that are off by so much that ratios are clipped on both sides."""
    episodes = double(random_episodes(LENGTHS, spec, seed=seed, padding=padding))
    draw = torch.Generator().manual_seed(seed + 50)

    def noise(*shape):
        values = torch.randn(len(LENGTHS), max(LENGTHS), *shape, generator=draw, dtype=torch.float64)
        return values.masked_fill(~episodes.mask.view(*episodes.mask.shape, *[1] * len(shape)), padding)

    extras = {name: noise(spec.n_agents) for name in ("log_prob", "advantage", "old_value", "value_target")}
    extras["log_prob"] = 0.5 * extras["log_prob"] - 1.4
    return episodes.with_extras(**extras)


def steps(episodes):
    """(b, t) of every real step."""
    return [(b, t) for b, length in enumerate(episodes.length.tolist()) for t in range(length)]


def own_log_probs(ours, episodes):
    """log pi of every available action, from plain softmaxes over the available ones alone."""
    logits = ours.policy.unroll(ours.policy.inputs(episodes), episodes)
    found = {}
    for b, t in steps(episodes):
        for i in range(SMALL.n_agents):
            available = episodes.available_actions[b, t, i].nonzero()[:, 0]
            found[b, t, i] = dict(
                zip(available.tolist(), torch.log_softmax(logits[b, t, i, available], dim=0), strict=True)
            )
    return found


def test_the_actors_loss_and_gradient_are_those_of_plain_loops():
    ours, episodes = learner(entropy_coef=0.3), batch()
    loss = ours.actor_loss(episodes)
    log_probs, gains, entropies, clipped = own_log_probs(ours, episodes), [], [], 0
    for (b, t, i), chances in log_probs.items():
        ratio = torch.exp(chances[int(episodes.actions[b, t, i])] - episodes.extras["log_prob"][b, t, i])
        advantage = episodes.extras["advantage"][b, t, i]
        limited = min(max(ratio, 1 - EPSILON), 1 + EPSILON)
        clipped += abs(float(ratio.detach()) - 1) > EPSILON
        gains.append(min(ratio * advantage, limited * advantage))
        entropies.append(-sum(each.exp() * each for each in chances.values()))
    expected = -torch.stack(gains).mean() - 0.3 * torch.stack(entropies).mean()
    assert 10 < clipped < len(gains) - 10, "some ratios are clipped and some are not"
    torch.testing.assert_close(loss.value, expected, rtol=1e-10, atol=1e-12)
    assert float(loss.metrics["clipped_share"]) == pytest.approx(clipped / len(gains))
    parameters = list(ours.policy.parameters())
    for one, other in zip(
        torch.autograd.grad(loss.value, parameters), torch.autograd.grad(expected, parameters), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("huber", [None, 0.5])
@pytest.mark.parametrize("limit", [None, LIMIT])
def test_the_critics_loss_is_the_larger_error_of_the_value_and_the_clipped_value(huber, limit):
    ours, episodes = learner(huber_delta=huber, value_clip_range=limit), batch()
    values = ours.critic(episodes)

    def error(value, target):
        gap = abs(value - target)
        if huber is None or gap <= huber:
            return 0.5 * gap**2
        return huber * (gap - 0.5 * huber)

    errors, bound = [], 0
    for b, t in steps(episodes):
        for i in range(SMALL.n_agents):
            value, old = values[b, t, i], episodes.extras["old_value"][b, t, i]
            target = episodes.extras["value_target"][b, t, i]
            each = error(value, target)
            if limit is not None:
                near = min(max(value, old - limit), old + limit)
                bound += bool(error(near, target) > each)
                each = max(each, error(near, target))
            errors.append(each)
    assert (bound > 10) == (limit is not None), "the limit binds"
    torch.testing.assert_close(
        ours.critic_loss(episodes).value, torch.stack(errors).mean(), rtol=1e-10, atol=0
    )


@pytest.mark.parametrize("own_rewards", [False, True])
def test_advantages_bootstrap_where_an_episode_is_cut_and_not_where_it_ends(own_rewards):
    spec = replace(SMALL, common_reward=not own_rewards)
    ours = learner(spec=spec, normalise_values=False, normalise_advantages=False)
    episodes = double(random_episodes(LENGTHS, SMALL))
    if own_rewards:
        weights = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
        episodes = replace(episodes, reward=episodes.reward.unsqueeze(-1) * weights)
    prepared = ours.prepare(episodes)
    values = ours.critic(episodes).detach()
    gamma, lam = 0.99, 0.95
    for b, length in enumerate(LENGTHS):
        for i in range(3):
            following = 0.0
            for t in reversed(range(length)):
                over = t == length - 1 and b % 2 == 0
                reward = episodes.reward[b, t, i] if own_rewards else episodes.reward[b, t]
                after = 0.0 if over else values[b, t + 1, i]
                following = reward + gamma * after - values[b, t, i] + gamma * lam * following
                assert float(prepared.extras["advantage"][b, t, i]) == pytest.approx(
                    float(following), abs=1e-10
                )
                target = float(following + values[b, t, i])
                assert float(prepared.extras["value_target"][b, t, i]) == pytest.approx(target, abs=1e-10)
    assert torch.equal(prepared.extras["old_value"], values[:, :-1])


def test_normalised_advantages_have_mean_0_and_deviation_1_over_real_steps():
    ours, episodes = learner(), double(random_episodes(LENGTHS))
    real = ours.prepare(episodes).extras["advantage"][episodes.mask]
    assert float(real.mean()) == pytest.approx(0, abs=1e-9)
    assert float(real.std(correction=0)) == pytest.approx(1, rel=1e-6)


def test_normalised_values_change_what_the_critic_learns_and_not_what_it_means():
    """The same returns, told in units of their deviation; advantages are of plain values."""
    ours = learner(normalise_advantages=False)
    episodes = double(random_episodes(LENGTHS))
    first = ours.prepare(episodes)  # nothing was seen before: values are taken as they are
    returns = (first.extras["advantage"] + ours.critic(episodes)[:, :-1].detach())[episodes.mask]
    mean, std = ours.value_norm.mean_and_std
    assert float(mean) == pytest.approx(float(returns.mean()), rel=1e-6)
    assert float(std) == pytest.approx(float(returns.std(correction=0)), rel=1e-6)
    targets = first.extras["value_target"][episodes.mask]
    assert float(targets.mean()) == pytest.approx(0, abs=1e-6)
    again = ours.prepare(episodes)
    value = ours.critic(episodes).detach() * std + mean
    error = (
        episodes.reward[1, 7] + 0.99 * value[1, 8] - value[1, 7]
    )  # the last step of an episode that was cut
    torch.testing.assert_close(again.extras["advantage"][1, 7], error, rtol=1e-6, atol=1e-8)


def test_the_statistics_are_means_in_which_older_batches_count_less():
    norm, decay = ValueNorm(0.8, torch.device("cpu")), 0.8
    batches = [torch.randn(3, 4, 2, dtype=torch.float64) * 5 + 3 for _ in range(4)]
    mask = torch.rand(3, 4, 1) < 0.7
    for each in batches:
        norm.update(each.masked_fill(~mask, torch.nan), mask)
    weights = [decay**age for age in (3, 2, 1, 0)]
    real = [each[mask.expand_as(each)] for each in batches]
    mean = sum(w * float(each.mean()) for w, each in zip(weights, real, strict=True)) / sum(weights)
    square = sum(w * float(each.square().mean()) for w, each in zip(weights, real, strict=True)) / sum(
        weights
    )
    found = norm.mean_and_std
    assert float(found[0]) == pytest.approx(mean)
    assert float(found[1]) == pytest.approx(math.sqrt(square - mean**2))
    torch.testing.assert_close(norm.denormalise(norm.normalise(batches[0])), batches[0])


@pytest.mark.parametrize("algorithm", ["mappo", "ippo", "coma"])
def test_padding_changes_nothing(algorithm):
    found = []
    for padding in (0.0, 30.0, float("nan")):
        ours = make_learner(algorithm)
        episodes = random_episodes([3, 5], padding=padding)
        draw = torch.Generator().manual_seed(1)
        old = torch.randn(2, 5, 3, generator=draw).masked_fill(~episodes.mask[..., None], padding)
        prepared = ours.prepare(episodes.with_extras(log_prob=old))
        losses = ours.actor_loss(prepared).value, ours.critic_loss(prepared).value
        gradients = [torch.autograd.grad(losses[0], list(ours.policy.parameters()), retain_graph=True)]
        gradients.append(torch.autograd.grad(losses[1], list(ours.critic.parameters())))
        found.append((losses, [torch.cat([each.flatten() for each in one]) for one in gradients]))
    (losses, gradients), (other_losses, other_gradients), (with_nan, _) = found
    for one, other in zip((*losses, *gradients), (*other_losses, *other_gradients), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(with_nan, losses, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("algorithm", ["mappo", "coma"])
def test_a_single_available_action_has_a_finite_gradient_and_no_entropy(algorithm):
    ours, episodes = make_learner(algorithm, entropy_coef=1.0), random_episodes([4, 2])
    only = torch.zeros_like(episodes.available_actions)
    only[..., 2] = True
    episodes = replace(episodes, available_actions=only, actions=torch.full_like(episodes.actions, 2))
    prepared = ours.prepare(episodes.with_extras(log_prob=torch.zeros(2, 4, 3)))
    loss = ours.actor_loss(prepared)
    gradient = torch.autograd.grad(loss.value, list(ours.policy.parameters()))
    assert all(not each.any() for each in gradient)  # finite, and nothing to choose
    assert float(loss.metrics["entropy"]) == 0


def test_the_central_critic_sees_the_state_and_the_independent_one_does_not():
    episodes = random_episodes([4, 6])
    other = replace(episodes, state=episodes.state + 1)
    central, alone = make_learner("mappo"), make_learner("ippo")
    assert not torch.equal(central.critic(episodes), central.critic(other))
    assert torch.equal(alone.critic(episodes), alone.critic(other))
    moved = replace(episodes, obs=episodes.obs.clone())
    moved.obs[:, :, 1] += 1
    changed = (alone.critic(moved) != alone.critic(episodes)).any(dim=1).any(dim=0)
    assert changed.tolist() == [False, True, False]


def test_continuous_actions_are_judged_by_the_density_of_their_squashed_gaussian():
    ours = learner(spec=PLANE, head="squashed_gaussian", agent="mlp", entropy_coef=0.0)
    episodes = double(random_episodes([3, 5], SMALL))
    draw = torch.Generator().manual_seed(3)
    episodes = replace(
        episodes,
        actions=torch.rand(2, 5, 3, 2, generator=draw, dtype=torch.float64) * 1.8 - 0.9,
        available_actions=torch.ones(2, 6, 3, 0, dtype=torch.bool),
    )
    values = ours.policy.unroll(ours.policy.inputs(episodes), episodes)[:, :-1]
    decision = ours.policy.decide(values, episodes.available_actions[:, :-1])
    normal = torch.distributions.Normal(decision.mean, decision.log_std.exp())
    squashed = torch.distributions.TransformedDistribution(normal, torch.distributions.TanhTransform())
    expected = squashed.log_prob(episodes.actions).sum(-1)
    torch.testing.assert_close(decision.log_prob(episodes.actions), expected, rtol=1e-7, atol=1e-7)
    old = expected.detach() - 0.05  # all ratios are e^0.05
    advantage = torch.ones_like(old)
    loss = ours.actor_loss(episodes.with_extras(log_prob=old, advantage=advantage))
    assert float(loss.value.detach()) == pytest.approx(-math.exp(0.05))
    assert ours.policy.head.log_std.requires_grad


def test_a_restored_learner_goes_on_the_same():
    ours, again = make_learner("mappo"), make_learner("mappo", seed=1)
    episodes = random_episodes([3, 5]).with_extras(log_prob=-torch.ones(2, 5, 3))
    for _ in range(3):
        ours.update(ours.prepare(episodes), Clock())
    again.load_state_dict(ours.state_dict())
    one, other = (each.update(each.prepare(episodes), Clock()) for each in (ours, again))
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    assert again.updates == 4
