"""The pair's policy gradient: by hand, and in a game with a known optimum."""

import copy

import torch

from cohort.learners.meta.joint_policy_gradient_learner import (
    JointPolicyGradientLearner,
    JointPolicyGradientLearnerSettings,
)
from tests.chains.pushes import Pushes

MATCHES, STEPS, GAMMA = 4, 6, 0.9


def towards_one_and_minus_two(mine: torch.Tensor, other: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    paid = -((mine - 1) ** 2) - (other + 2) ** 2
    return paid, paid


def make(**changes) -> JointPolicyGradientLearner:
    values = {"trajectories": MATCHES, "rnn_hidden_dim": 5, "gamma": GAMMA, "gae_lambda": 1.0}
    values |= {"entropy_weight": 0.0, "lr": 0.01, "grad_norm_clip": 10.0}
    steps = changes.pop("steps", STEPS)
    return JointPolicyGradientLearner(
        JointPolicyGradientLearnerSettings(**(values | changes)),
        game=Pushes(towards_one_and_minus_two, torch.float32),
        steps=steps,
        device=torch.device("cpu"),
        seed=1,
    )


def test_the_gradient_is_that_of_scores_times_advantages():
    """Against torch's own densities; with a value of zero and lambda 1 advantages are returns."""
    learner = make()
    with torch.no_grad():
        for each in learner.critic.values():
            each.zero_()
    stage = learner.stage(learner.draws)
    loss, metrics = learner.loss(stage)
    reward, following, returns = stage.matches.reward[0, ..., 0], torch.zeros(MATCHES), []
    for step in reversed(range(STEPS)):
        following = reward[:, step] + GAMMA * following
        returns.insert(0, following)
    returns = torch.stack(returns, dim=1)
    advantage = (returns - returns.mean()) / returns.std()
    expected = 0.0
    for agent in range(2):
        mean, log_std = stage.distribution(agent)
        densities = torch.distributions.Normal(mean, log_std.exp())
        score = densities.log_prob(stage.matches.actions[:, :, :, agent]).sum(-1)[0]
        expected = expected - (score * advantage).mean()
    torch.testing.assert_close(metrics["policy_loss"], expected.detach())
    torch.testing.assert_close(metrics["value_loss"], returns.square().mean())
    for agent in range(2):
        (found,) = torch.autograd.grad(loss, learner.actors[agent]["w_out"], retain_graph=True)
        (plain,) = torch.autograd.grad(expected, learner.actors[agent]["w_out"], retain_graph=True)
        torch.testing.assert_close(found, plain)


def test_the_entropy_of_both_agents_is_weighted():
    plain, weighted = make(), make(entropy_weight=0.5)
    losses = [each.loss(each.stage(each.draws))[0] for each in (plain, weighted)]
    entropy = torch.distributions.Normal(0.0, 1.0).entropy()
    torch.testing.assert_close(losses[0] - losses[1], 0.5 * 2 * entropy, atol=1e-4, rtol=0)


def test_both_agents_find_what_pays():
    learner = make(trajectories=32, steps=1, lr=0.03)
    for _ in range(250):
        metrics, score = learner.update()
    assert score > -1.0, "it begins at -7"
    pushed = learner.stage(learner.draws).matches.actions.mean(dim=(0, 1, 2))[:, 0]
    torch.testing.assert_close(pushed, torch.tensor([1.0, -2.0]), atol=0.3, rtol=0)
    assert float(metrics["value_loss"]) < 3


def test_a_learners_state_continues():
    one, other = make(), make()
    one.update()
    other.load_state_dict(copy.deepcopy(one.state_dict()))  # as if it had been on file
    assert one.update()[1] == other.update()[1]
    for ours, theirs in zip(one.parameters, other.parameters, strict=True):
        assert torch.equal(ours, theirs)
    assert other.updates == 2
