"""MAAC against per-agent loops, its targets by hand, and small games whose optimum is known."""

import copy
import dataclasses
import math

import pytest
import torch

from cohort.components.clock import Clock
from cohort.components.functional import clip_per_agent, counterfactual_advantage, entropy
from cohort.components.transitions import Transitions
from cohort.learners.actor_critic import counterfactual
from tests import harness
from tests.builders import SMALL, make_learner, random_transitions, with_other_targets
from tests.learners.per_agent_maac import PerAgentMAAC

SIZES = {"agent_hidden_dims": [8, 8], "critic_hidden_dim": 12, "attention_heads": 3}
OWN_REWARDS = dataclasses.replace(SMALL, common_reward=False)


def double(count: int, spec=SMALL, seed: int = 0) -> Transitions:
    """Random transitions in double precision."""
    return random_transitions(count, spec, seed, torch.float64)


def learner(algorithm: str = "maac", spec=SMALL, **typed):
    """In double precision, with targets unlike the live networks."""
    return with_other_targets(make_learner(algorithm, spec, **SIZES, **typed), by=0.1)


def fix_draws(monkeypatch, *draws: torch.Tensor) -> None:
    """What the learner would draw becomes `draws`, in this order."""
    left = list(draws)
    monkeypatch.setattr(counterfactual, "sampled_actions", lambda chances, generator: left.pop(0))


def drawn(batch, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Available actions after and at a batch's observations."""
    draw = torch.Generator().manual_seed(seed)
    masks = (batch.next_available_actions, batch.available_actions)
    return tuple(torch.rand(mask.shape, generator=draw).masked_fill(~mask, -1).argmax(-1) for mask in masks)


def assert_same_networks(ours, critic, actors) -> None:
    for name, value in critic.stacked().items():
        torch.testing.assert_close(
            dict(ours["critic"].named_parameters())[name], value, rtol=1e-9, atol=1e-10
        )
    for number, layer in enumerate(ours["policy"].network.networks.layers):
        for place, parameter in enumerate((layer.weight, layer.bias)):
            theirs = torch.stack([actor.layers[number][place] for actor in actors])
            torch.testing.assert_close(parameter, theirs, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(
    ("spec", "typed"),
    [
        (SMALL, {}),
        (OWN_REWARDS, {"entropy_inside_gamma": True, "reward_scale": 2.0}),
        # limits that bite on every network
        (SMALL, {"critic_grad_norm_clip": 0.01, "actor_grad_norm_clip": 0.02, "attention_penalty": 0.3}),
        (OWN_REWARDS, {"policy_penalty": 0.5, "reward_scale": 1.0, "target_update_rate": 0.3}),
    ],
)
def test_three_updates_equal_the_per_agent_reference(spec, typed, monkeypatch):
    ours = learner(spec=spec, **typed)
    reference = PerAgentMAAC(ours)
    reference.start_optimisers()
    for seed in range(3):
        batch = double(40, spec, seed=seed)
        next_actions, actions = drawn(batch, seed)
        fix_draws(monkeypatch, next_actions, actions)
        expected = float(reference.critic_loss(batch, next_actions)[0].detach())
        found = ours.update(batch, Clock(episodes=0))
        assert float(found["critic_loss"]) == pytest.approx(expected, rel=1e-9)
        reference.update(batch, next_actions, actions)
        assert_same_networks(ours.networks, reference.critic, reference.actors)
        assert_same_networks(ours.targets, reference.target_critic, reference.target_actors)


def test_losses_and_gradients_equal_the_per_agent_reference(monkeypatch):
    ours = learner()
    reference, batch = PerAgentMAAC(ours), double(40)
    next_actions, actions = drawn(batch, 1)
    fix_draws(monkeypatch, next_actions, actions)
    loss = ours.critic_loss(batch).value
    _, expected = reference.critic_loss(batch, next_actions)
    torch.testing.assert_close(loss, expected)
    gradient = torch.autograd.grad(loss, ours.critic_parameters)
    theirs = torch.autograd.grad(expected, reference.critic.parameters)
    total = [math.sqrt(sum(float(each.square().sum()) for each in one)) for one in (gradient, theirs)]
    assert total[0] == pytest.approx(total[1], rel=1e-10)

    decisions = ours.decide(ours.policy, batch.obs, batch.available_actions)
    loss = ours.actor_loss(
        decisions, ours.score_weight(decisions, ours.advantages(batch.obs, decisions))
    ).value
    gradient = torch.autograd.grad(loss, ours.actor_parameters)
    for i, actor in enumerate(reference.actors):
        expected = torch.autograd.grad(reference.actor_loss(batch, actions, i), actor.parameters)
        for one, other in zip(gradient, expected, strict=True):
            torch.testing.assert_close(one[i], other, rtol=1e-10, atol=1e-12)


def test_target_by_hand(monkeypatch):
    """What a next value is worth: nothing where the game ends, all of it where the episode is only cut."""
    batch = double(6)
    over = torch.tensor([True, False, False, True, False, False])
    cut = torch.tensor([False, True, False, False, True, False])
    batch = dataclasses.replace(batch, terminated=over, truncated=cut)
    value = torch.arange(18.0).view(6, 3).double()
    log_prob = -torch.arange(1.0, 19.0).view(6, 3).double()
    for inside in (False, True):
        ours = learner(gamma=0.5, reward_scale=10.0, entropy_inside_gamma=inside)
        monkeypatch.setattr(ours, "next_values", lambda batch: (value, log_prob))
        found = ours.target(batch)
        for b in range(6):
            for i in range(3):
                after, bonus = float(value[b, i]), -float(log_prob[b, i]) / 10
                expected = float(batch.reward[b])
                if inside:
                    expected += 0.0 if over[b] else 0.5 * (after + bonus)
                else:
                    expected += (0.0 if over[b] else 0.5 * after) + bonus
                assert float(found[b, i]) == pytest.approx(expected)


def test_the_baseline_takes_nothing_from_the_gradient():
    """sum_a pi_i(a) (Q_i(a) - b_i) = 0 for every agent and sample, unavailable actions having no part in it."""
    ours, batch = learner(), double(40)
    decisions = ours.decide(ours.policy, batch.obs, batch.available_actions)
    values = ours.critic(batch.obs, ours.one_hot(decisions.actions)).values.detach()
    chances = decisions.log_probs.exp().detach()
    every = torch.stack(
        [
            counterfactual_advantage(values, chances, torch.full((40, 3), action))
            for action in range(SMALL.n_actions)
        ],
        dim=-1,
    )
    torch.testing.assert_close((chances * every).sum(-1), torch.zeros(40, 3).double(), atol=1e-12, rtol=0)
    assert every.abs().max() > 0.01
    assert not chances[~batch.available_actions].any()


def test_advantages_do_not_reach_the_critic_or_the_actors():
    ours, batch = learner(), double(40)
    decisions = ours.decide(ours.policy, batch.obs, batch.available_actions)
    advantages = ours.advantages(batch.obs, decisions)
    assert not advantages.requires_grad
    assert not ours.score_weight(decisions, advantages).requires_grad
    assert not ours.target(batch).requires_grad


def test_targets_go_a_part_of_the_way_and_keep_their_own_statistics():
    ours, batch = learner(target_update_rate=0.25), double(40)
    before = copy.deepcopy(ours.targets.networks)
    ours.update(batch, Clock(episodes=0))
    for name in ("policy", "critic"):
        networks = (each[name].parameters() for each in (before, ours.targets, ours.networks))
        for old, target, live in zip(*networks, strict=True):
            torch.testing.assert_close(target, 0.75 * old + 0.25 * live)
    norms = [each["policy"].network.norm.running_mean for each in (ours.networks, ours.targets)]
    torch.testing.assert_close(norms[0], 0.1 * batch.obs.mean(0).flatten())
    torch.testing.assert_close(norms[1], 0.1 * batch.next_obs.mean(0).flatten())


def test_a_step_of_one_available_action_leaves_finite_parameters():
    ours, batch = learner(), double(40)
    only = torch.zeros_like(batch.available_actions)
    only[..., 0] = True
    batch = dataclasses.replace(
        batch,
        available_actions=only,
        next_available_actions=only,
        actions=torch.zeros_like(batch.actions),
    )
    metrics = ours.update(batch, Clock(episodes=0))
    assert float(metrics["entropy"]) == 0
    assert all(torch.isfinite(each).all() for each in ours.networks.parameters())


def test_gradients_are_clipped_agent_by_agent():
    draw = torch.Generator().manual_seed(0)
    gradient = [torch.randn(3, 4, 5, generator=draw), torch.randn(3, 1, 5, generator=draw)]
    gradient[0][1] *= 0.01
    gradient[1][1] *= 0.01
    clipped, norms = clip_per_agent(gradient, 0.5)
    for agent in range(3):
        leaves = [torch.zeros_like(each[agent]).requires_grad_() for each in gradient]
        for leaf, each in zip(leaves, gradient, strict=True):
            leaf.grad = each[agent].clone()
        torch.testing.assert_close(norms[agent], torch.nn.utils.clip_grad_norm_(leaves, 0.5))
        for leaf, each in zip(leaves, clipped, strict=True):
            torch.testing.assert_close(leaf.grad, each[agent], rtol=1e-5, atol=1e-7)


def test_entropy_by_hand():
    chances = torch.tensor([[0.5, 0.25, 0.25, 0.0], [1.0, 0.0, 0.0, 0.0], [0.25] * 4]).double()
    expected = torch.tensor([1.5, 0.0, 2.0]).double() * math.log(2)
    torch.testing.assert_close(entropy(chances.log()), expected)


def test_draws_follow_the_policies_and_a_restored_learner_draws_the_same():
    ours, batch = learner(), double(40)
    again = learner(seed=5)
    again.load_state_dict(ours.state_dict())
    for seed in range(2):
        batch = double(40, seed=seed)
        one, other = ours.update(batch, Clock(episodes=0)), again.update(batch, Clock(episodes=0))
        assert {name: float(value) for name, value in one.items()} == {
            name: float(value) for name, value in other.items()
        }
    for one, other in zip(ours.networks.parameters(), again.networks.parameters(), strict=True):
        assert torch.equal(one, other)
    row = double(1)
    many = dataclasses.replace(
        row, **{name: getattr(row, name).expand(20_000, -1, -1) for name in ("obs", "available_actions")}
    )
    decisions = ours.decide(ours.policy, many.obs, many.available_actions)
    shares = torch.nn.functional.one_hot(decisions.actions, SMALL.n_actions).double().mean(0)
    torch.testing.assert_close(shares, decisions.log_probs[0].exp(), atol=0.02, rtol=0)


@pytest.mark.parametrize(
    ("algorithm", "typed"),
    [
        ("maac", "critic_lr=0.01 actor_lr=0.01 reward_scale=10"),
        ("adama_maac", "critic_lr=0.1 actor_lr_norm=0.5 adama_m_updates=20"),
    ],
)
def test_a_team_finds_the_one_best_meeting(algorithm, typed):
    """9 where both must agree, another equilibrium at 6, 21 / 9 at random."""
    game = "env_args.map_name=custom env_args.payoff=[[6,0,0],[0,0,9],[0,2,4]]"
    sizes = "agent_hidden_dims=[16] critic_hidden_dim=16 batch_size=64 batch_size_run=8 buffer_size=2000"
    text = f"{game} {sizes} {typed} updates_per_episode=0.5 target_update_rate=0.05"
    trained = harness.experiment(algorithm, "matrix_games", text)
    returns = []
    for rounds in (2, 30, 15):
        for _ in range(rounds):
            trained.trainer.iterate()
        returns.append(trained.trainer.metrics()["return_mean"])
    assert returns[0] < 5
    assert returns[-1] > 6.5
    assert trained.evaluate()["test_return_mean"] == 9


@pytest.mark.parametrize("algorithm", ["maac", "adama_maac"])
def test_continuous_actions_are_refused_in_words(algorithm):
    spec = dataclasses.replace(SMALL, n_actions=0, action_dim=2)
    with pytest.raises(ValueError, match="continuous: choose an algorithm for continuous actions"):
        make_learner(algorithm, spec)


@pytest.mark.parametrize("algorithm", ["maac", "adama_maac"])
def test_a_critic_of_continuous_actions_is_refused_by_the_plan(algorithm):
    with pytest.raises(Exception, match=r"critic = joint_mlp .* critic can be: attention"):
        harness.plan(algorithm, "matrix_games", "critic=joint_mlp")
