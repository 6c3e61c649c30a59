"""MAMT-PPO: its actors' loss by hand, the policies that played, rewards standardised over a whole run."""

import dataclasses

import pytest
import torch

from cohort.components.clock import Clock
from cohort.learners.actor_critic.reward_norm import RewardNorm
from tests import harness
from tests.builders import SMALL, make_learner, random_episodes

LITTLE = {
    "agent_hidden_dims": [8],
    "critic_hidden_dim": 8,
    "attention_heads": 2,
    "trd_hidden_dim": 8,
    "modelling_hidden_dims": [8],
    "coordination_batch_size": 6,
}


def learner(**typed):
    ours = make_learner("mamt_ppo", **LITTLE, **typed)
    ours.networks.double()
    ours.targets.networks.double()
    return ours


def episodes(seed: int = 0):
    given = random_episodes([5, 3, 8, 6], seed=seed)
    return given.map(lambda each: each.double() if each.is_floating_point() else each)


def moved(ours) -> None:
    draw = torch.Generator().manual_seed(1)
    for parameter in ours.policy.parameters():
        parameter.data += 0.5 * torch.randn(parameter.shape, generator=draw).double()


def test_the_actors_loss_by_hand():
    ours = learner(trust_region=[0.5, 2.0, 0.1], policy_penalty=0.3)
    steps = ours.prepare(episodes()).transitions()
    moved(ours)
    standing = ours.standing(steps)
    decisions, total, clipped = standing.decisions, 0.0, 0
    assert torch.equal(decisions.actions, steps.actions)
    for i, delta in enumerate((0.5, 2.0, 0.1)):
        for b in range(steps.batch_size):
            now, old = (each[b, i].detach().exp() for each in (decisions.log_probs, standing.old_log_probs))
            action = int(steps.actions[b, i])
            ratio, advantage = float(now[action] / old[action]), float(standing.advantages[b, i])
            held = min(max(ratio, 0.8), 1.2)
            clipped += held != ratio
            kl = sum(float(p * (p / q).log()) for p, q in zip(old, now, strict=True) if p > 0)
            total += (kl / delta - min(ratio * advantage, held * advantage)) / steps.batch_size
        total += 0.3 * float(decisions.logits[:, i].square().mean().detach())
    loss = ours.held_actor_loss(standing)
    assert float(loss.value.detach()) == pytest.approx(total, rel=1e-6)
    assert float(loss.metrics["clipped_share"]) == pytest.approx(clipped / steps.batch_size / 3)
    assert clipped
    gradient = torch.autograd.grad(loss.value, ours.actor_parameters)
    assert all(torch.isfinite(each).all() for each in gradient)


def test_at_the_policies_that_played_the_gradient_is_the_policy_gradient():
    ours = learner(policy_penalty=0.0)
    standing = ours.standing(ours.prepare(episodes()).transitions())
    decisions = standing.decisions
    found = torch.autograd.grad(
        ours.held_actor_loss(standing).value, ours.actor_parameters, retain_graph=True
    )
    score = -(decisions.chosen * standing.advantages).mean(0).sum()
    for one, other in zip(found, torch.autograd.grad(score, ours.actor_parameters), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


def test_the_old_policies_are_those_that_played_until_others_play():
    ours = learner()

    def same() -> bool:
        pairs = zip(ours.policy.parameters(), ours.targets["old_policy"].parameters(), strict=True)
        return all(torch.equal(a, b) for a, b in pairs)

    for seed in range(2):
        prepared = ours.prepare(episodes(seed))
        assert same()
        kl = []
        for _ in range(3):
            kl.append(float(ours.update(prepared, Clock(episodes=4))["kl_agent_0"]))
            assert not same()
        assert kl[0] == 0
        assert min(kl[1:]) > 0


def test_padding_changes_nothing():
    one, other = learner(), learner()
    given = random_episodes([5, 3, 8, 6], padding=float("nan"))
    other_given = given.map(lambda each: each.double() if each.is_floating_point() else each)
    for ours, batch in ((one, episodes()), (other, other_given)):
        ours.update(ours.prepare(batch), Clock(episodes=4))
    for a, b in zip(one.networks.parameters(), other.networks.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("agents", [None, 3])
def test_rewards_have_mean_0_and_deviation_1_over_all_that_was_seen(agents):
    draw = torch.Generator().manual_seed(0)
    shape = () if agents is None else (agents,)
    parts = [5 + 3 * torch.randn(count, *shape, generator=draw) for count in (7, 1, 300)]
    norm = RewardNorm(agents, torch.device("cpu"))
    for part in parts:
        norm.update(part)
    found = norm.normalise(torch.cat(parts))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.mean(0), torch.zeros(shape), atol=1e-6, rtol=0)
    torch.testing.assert_close(found.std(0, correction=0), torch.ones(shape))
    again = RewardNorm(agents, torch.device("cpu"))
    again.load_state_dict(norm.state_dict())
    assert torch.equal(again.normalise(parts[0]), norm.normalise(parts[0]))


def test_equal_rewards_become_zero():
    norm = RewardNorm(None, torch.device("cpu"))
    norm.update(torch.full((9,), -1.3))
    assert not norm.normalise(torch.full((4,), -1.3)).any()


def test_a_run_stopped_and_resumed_goes_on_the_same():
    first, second = (harness.experiment("mamt_ppo", "matrix_games", "batch_size_run=8") for _ in range(2))
    for _ in range(2):
        first.trainer.iterate()
    second.trainer.load_state_dict(first.trainer.state_dict())
    for each in (first, second):
        each.trainer.iterate()
    assert first.trainer.metrics() == second.trainer.metrics()


def test_what_was_done_before_is_not_seen():
    with pytest.raises(ValueError, match="obs_last_action=False"):
        make_learner("mamt_ppo", SMALL, obs_last_action=True)


def test_own_rewards_are_standardised_each():
    spec = dataclasses.replace(SMALL, common_reward=False)
    ours = make_learner("mamt_ppo", spec, **LITTLE)
    given = random_episodes([5, 3, 8, 6])
    own = torch.stack([given.reward, 3 + 2 * given.reward, torch.full_like(given.reward, 7.0)], -1)
    own = torch.where(given.mask.unsqueeze(-1), own, 0.0)
    found = ours.prepare(dataclasses.replace(given, reward=own)).reward
    real = found[given.mask]
    torch.testing.assert_close(real.mean(0), torch.zeros(3), atol=1e-6, rtol=0)
    torch.testing.assert_close(real.std(0, correction=0), torch.tensor([1.0, 1.0, 0.0]))
    assert not found[~given.mask].any()
