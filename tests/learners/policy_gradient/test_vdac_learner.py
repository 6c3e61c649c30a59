"""VDAC against loops over episodes, steps and agents; what its joint value may and may not read."""

import dataclasses
import math

import pytest
import torch

from cohort.components.clock import Clock
from tests import harness
from tests.builders import SMALL, make_learner, random_episodes

LENGTHS = [3, 8, 1, 5]  # episodes 0 and 2 end, 1 and 3 are cut off


def played(lengths=LENGTHS, **options):
    """Random episodes whose actions had chances of 0.25: [B, T, N] in the record."""
    episodes = random_episodes(lengths, **options)
    return episodes.with_extras(log_prob=torch.full(episodes.actions.shape, math.log(0.25)))


def mixed(mixer, values, state):
    """QMIX's network, line by line, for one moment."""
    w1 = mixer.hyper_w1(state).abs().view(3, -1)
    hidden = torch.nn.functional.elu(values @ w1 + mixer.hyper_b1(state))
    return hidden @ mixer.hyper_w2(state).abs() + mixer.value(state)[0]


def reference(learner, episodes, lengths=LENGTHS, td_lambda=0.7, value_coef=0.3, entropy_coef=0.2):
    """The loss, each term by itself."""
    values = learner.policy.unroll(learner.policy.inputs(episodes), episodes)  # [B, T+1, N, A+1]
    gains, errors, entropies = [], [], []
    for b, length in enumerate(lengths):
        joint = [mixed(learner.mixer, values[b, t, :, -1], episodes.state[b, t]) for t in range(length + 1)]
        following = 0.0
        for t in reversed(range(length)):
            last, after = t == length - 1, joint[t + 1].item()
            ahead = after if last else (1 - td_lambda) * after + td_lambda * following
            following = float(episodes.reward[b, t]) + (0.0 if last and b % 2 == 0 else 0.99 * ahead)
            errors.append((following - joint[t]).square())
            for i in range(3):
                available = episodes.available_actions[b, t, i].nonzero()[:, 0].tolist()
                chances = dict(zip(available, values[b, t, i, available].softmax(0), strict=True))
                chance = chances[int(episodes.actions[b, t, i])]
                gains.append(chance / 0.25 * (following - joint[t].item()))
                entropies.append(-sum(p * p.log() for p in chances.values()))
    gain, error, entropy = (torch.stack(each).mean() for each in (gains, errors, entropies))
    return value_coef * error - gain - entropy_coef * entropy


def gradients(loss, learner):
    return torch.autograd.grad(loss, [*learner.policy.parameters(), *learner.mixer.parameters()])


def test_the_loss_and_its_gradient_are_those_of_loops():
    learner = make_learner("vdac", td_lambda=0.7, value_coef=0.3, entropy_coef=0.2)
    episodes = played()
    loss, expected = learner.loss(episodes).value, reference(learner, episodes)
    torch.testing.assert_close(loss, expected, rtol=1e-4, atol=1e-5)
    for one, other in zip(gradients(loss, learner), gradients(expected, learner), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_the_actors_gradient_is_that_of_the_behaviour_but_for_its_share_of_uniform_actions():
    """sum_a mu(a) pi(a)/mu(a) A d log pi = 1/(1-epsilon) sum_a mu(a) A d log mu, and so for each action."""
    logits = torch.randn(5, dtype=torch.float64, requires_grad=True)
    epsilon = 0.3
    pi = logits.softmax(0)
    mu = (1 - epsilon) * pi + epsilon / 5
    for action in range(5):
        (ours,) = torch.autograd.grad(pi[action] / mu[action].detach(), logits, retain_graph=True)
        (theirs,) = torch.autograd.grad(mu[action].log(), logits, retain_graph=True)
        torch.testing.assert_close(ours * (1 - epsilon), theirs)


def test_the_record_holds_the_chances_of_the_mixture():
    subject = harness.experiment("vdac", "matrix_games", "epsilon_start=1.0 epsilon_finish=1.0")
    episodes = subject.trainer.runner.run(t_env=0, explore=True)
    actions = subject.trainer.runner.env.spec.n_actions
    expected = torch.full_like(episodes.extras["log_prob"], -math.log(actions))
    torch.testing.assert_close(episodes.extras["log_prob"], expected)


def test_the_joint_value_never_falls_with_a_local_one():
    learner = make_learner("vdac")
    values = torch.randn(200, 3, requires_grad=True)
    joint = learner.mixer(values, torch.randn(200, SMALL.state_dim))
    (slope,) = torch.autograd.grad(joint.sum(), values)
    assert (slope >= 0).all()
    assert (slope > 0).any()


def test_the_advantage_moves_logits_alone_and_the_error_values_alone():
    """With both heads on one body, what each term of the loss does to the other's output weights: nothing."""
    learner = make_learner("vdac")
    head, actions = learner.policy.network.head, SMALL.n_actions
    settings = learner.settings
    for kept, still in (("gain", slice(actions, None)), ("error", slice(None, actions))):
        coefficient = 0.0 if kept == "gain" else 1e8
        learner.settings = settings.model_copy(update={"value_coef": coefficient})
        (gradient,) = torch.autograd.grad(learner.loss(played()).value, head.weight)
        largest = gradient.abs().max()
        assert gradient[still].abs().max() <= 1e-6 * largest


def test_padding_enters_nothing_even_if_it_is_nan():
    learner = make_learner("vdac", entropy_coef=0.2)
    clean, dirty = played(), played(padding=math.nan)
    idle = ~dirty.mask.unsqueeze(-1)
    dirty = dirty.with_extras(log_prob=dirty.extras["log_prob"].masked_fill(idle, math.nan))
    one, other = learner.loss(clean).value, learner.loss(dirty).value
    assert torch.equal(one, other)
    assert all(map(torch.equal, gradients(one, learner), gradients(other, learner)))


def test_unavailable_actions_have_no_gradient_and_it_is_finite():
    learner, episodes = make_learner("vdac", entropy_coef=0.2), played()
    only_first = torch.zeros_like(episodes.available_actions)
    only_first[..., 0] = True
    episodes = dataclasses.replace(
        episodes, available_actions=only_first, actions=torch.zeros_like(episodes.actions)
    )
    found = gradients(learner.loss(episodes).value, learner)
    assert all(each.isfinite().all() for each in found)
    logits = torch.autograd.grad(learner.loss(episodes).value, learner.policy.network.head.weight)[0][:-1]
    assert not logits.any(), "one action that is sure cannot be learned"


@pytest.mark.parametrize("mixer", ["vdn", "independent"])
def test_the_sum_is_vdac_sum_and_no_mixer_independent_actor_critics(mixer):
    learner = make_learner("vdac", mixer=mixer)
    metrics = learner.update(played(), Clock())
    assert all(value.isfinite() for value in metrics.values())


def test_rewards_of_agents_need_values_of_agents():
    own = dataclasses.replace(SMALL, common_reward=False)
    with pytest.raises(ValueError, match="mixer=independent"):
        make_learner("vdac", own)
    learner, episodes = make_learner("vdac", own, mixer="independent"), played()
    rewards = torch.randn(episodes.actions.shape)
    assert learner.loss(dataclasses.replace(episodes, reward=rewards)).value.isfinite()
