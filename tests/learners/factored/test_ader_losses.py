"""ADER's losses against slow loops and enumeration, gradients included."""

import itertools
import math

import pytest
import torch

from cohort.components.clock import Clock
from cohort.learners.packed import PackedEpisodes
from tests.builders import PLANE, random_episodes, random_transitions
from tests.learners.factored.slow_ader import SlowADER
from tests.learners.factored.small_ader import VARIANTS, VDN, episodes, gradient, learner, moments


@pytest.mark.parametrize("typed", VARIANTS, ids=lambda typed: ",".join(typed) or "default")
def test_losses_and_gradients_equal_loops_over_episodes_steps_and_agents(double_precision, typed):
    ours, batch = learner(**typed), episodes()
    epsilon = 0.5 if typed.get("eps_in_learner") else None
    slow = SlowADER(ours, batch, epsilon)
    packed = PackedEpisodes.of(batch, ours.policy)
    before, after = moments(ours, packed)
    targets = ours.targets_of(packed, after)
    assert set(targets) == set(ours.names)
    for kind, target in targets.items():
        loss, expected = ours.critic_loss(kind, packed, target).value, slow.critic_loss(kind)
        torch.testing.assert_close(loss, expected)
        for name in ours.names[kind]:
            found = gradient(loss, ours.networks[name], retain=True)
            wanted = gradient(expected, ours.networks[name], retain=True)
            assert len(found) == len(list(ours.networks[name].parameters()))
            for one, other in zip(found, wanted, strict=True):
                torch.testing.assert_close(one, other)
    (loss, _), gain = ours.actor_loss(before)
    expected = slow.actor_loss()
    torch.testing.assert_close(loss, expected)
    found, wanted = gradient(loss, ours.policy), gradient(expected, ours.policy)
    assert found
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other)
    torch.testing.assert_close(gain.mean(0), slow.gains().mean(0))
    loss = ours.alpha_loss(before).value
    torch.testing.assert_close(loss, slow.alpha_loss(ours.target_entropies.values))


def test_single_steps_are_learned_from_as_episodes_of_one_step(double_precision):
    """Which unroll both moments at once; single steps unroll what each loss reads."""
    ours = learner(spec=PLANE, env="mamujoco")
    batch = random_transitions(20, dtype=torch.float64)
    packed, noise = PackedEpisodes.of_single_steps(batch, ours.policy), ours.noise(20)
    before, after = ours.moments(packed, noise)
    expected = ours.descents(ours.critic_losses(packed, after))
    torch.testing.assert_close(ours.descents(ours._critic_losses_of_steps(batch, noise[1])), expected)
    losses, gain = ours.actor_losses(before)
    found = ours._actor_descents_of_steps(batch, noise[0])
    torch.testing.assert_close(found, (ours.descents(losses), before.entropy.detach(), gain))


def test_no_loss_reaches_what_another_one_moves():
    ours, batch = learner(), episodes()
    packed = PackedEpisodes.of(batch, ours.policy)
    before, after = moments(ours, packed)
    assert not after.entropy.requires_grad
    assert not after.policy.requires_grad
    targets = ours.targets_of(packed, after)
    assert not any(each.requires_grad for each in targets.values())
    for kind in targets:
        loss = ours.critic_loss(kind, packed, targets[kind]).value
        assert not gradient(loss, ours.policy, retain=True)
        assert not gradient(loss, ours.temperatures, retain=True)
        (other,) = set(targets) - {kind}
        assert not any(gradient(loss, ours.networks[name], retain=True) for name in ours.names[other])
    loss = ours.alpha_loss(before).value
    assert not gradient(loss, ours.policy, retain=True)
    loss = ours.actor_loss(before)[0].value
    assert not gradient(loss, ours.temperatures, retain=True)


def test_unavailable_actions_have_no_chance_and_their_values_reach_nothing():
    ours, batch = learner(), episodes()
    packed = PackedEpisodes.of(batch, ours.policy)
    before, _ = moments(ours, packed)
    available = packed.packing.before_steps(packed.available_actions)
    assert not before.policy[~available].any()
    logits = ours.policy.unroll_packed(packed.inputs, packed.packing)
    logits = packed.packing.before_steps(logits).detach().requires_grad_()
    chances, entropy = ours.drawn(ours.policy.decide(logits, available), None)
    (slope,) = torch.autograd.grad((chances * torch.randn(chances.shape)).sum() + entropy.sum(), logits)
    assert torch.isfinite(slope).all()
    assert not slope[~available].any()
    assert slope[available].any()


@pytest.mark.parametrize("typed", [{}, {"critics": "soft"}, {"eps_in_learner": True}, VDN])
def test_padding_changes_nothing(typed):
    """Even NaN, and however long."""
    found = []
    for padding, lengths in ((0.0, [3, 5]), (30.0, [3, 5]), (float("nan"), [3, 5])):
        ours = learner(**typed)
        metrics = ours.update(random_episodes(lengths, padding=padding), Clock(steps=10))
        found.append((metrics, [each.clone() for each in ours.networks.parameters()]))
    for metrics, parameters in found[1:]:
        assert {name: float(value) for name, value in metrics.items()} == {
            name: float(value) for name, value in found[0][0].items()
        }
        assert all(torch.equal(*pair) for pair in zip(parameters, found[0][1], strict=True))


def test_a_cut_episode_goes_on_to_a_value_and_an_ended_one_does_not(double_precision):
    ours = learner(td_lambda=0.0)
    batch = random_episodes([2, 2]).map(lambda each: each.double() if each.is_floating_point() else each)
    assert batch.terminated[:, -1].tolist() == [True, False]
    packed = PackedEpisodes.of(batch, ours.policy)
    _, after = moments(ours, packed)
    targets = ours.targets_of(packed, after)
    padded = {kind: packed.packing.padded(each) for kind, each in targets.items()}
    torch.testing.assert_close(padded["critic"][0, 1], batch.reward[0, 1:])
    assert (padded["critic"][1, 1] - batch.reward[1, 1]).abs() > 1e-3
    assert not padded["entropy_critic"][0, 1].any()
    assert padded["entropy_critic"][1, 1].all()


# the policy gradient


def test_with_a_vdn_mixer_the_gradient_is_the_score_functions_over_all_joint_actions(double_precision):
    """-grad E_a [Q^R(a) + sum_i alpha_i (Q^H_i(a) - log pi_i(a_i))], enumerated."""
    ours, batch = learner(**VDN), episodes((2, 1))
    slow = SlowADER(ours, batch)
    alpha, total = slow.alpha, 0.0
    for b, t in slow.steps:
        pi = slow.policies[b][t]

        def joint(kind, actions, b=b, t=t):
            copies = [ours.networks[name] for name in ours.names[kind]]
            taken = [
                torch.stack([slow.utilities(each, b, t)[..., i, a] for i, a in enumerate(actions)], dim=-1)
                for each in copies
            ]
            return [slow.joint(each, own, b, t) for each, own in zip(copies, taken, strict=True)]

        # which of the twins is the smaller is a matter of the values, not of single actions
        smaller = {}
        for kind in ours.names:
            values = [
                slow.joint(ours.networks[n], slow.expected(ours.networks[n], b, t), b, t)
                for n in ours.names[kind]
            ]
            smaller[kind] = torch.stack(values).argmin(0)
        for actions in itertools.product(range(4), repeat=3):
            chances = [pi[i][a] for i, a in enumerate(actions)]
            if not all(p > 0 for p in chances):
                continue
            logs = [p.log() for p in chances]
            q_r = torch.stack(joint("critic", actions)).gather(0, smaller["critic"][None])
            q_h = torch.stack(joint("entropy_critic", actions)).gather(0, smaller["entropy_critic"][None])
            worth = q_r.sum() + sum(alpha[i] * (q_h[0, i] - logs[i]) for i in range(3))
            total = total - math.prod(float(p.detach()) for p in chances) * worth.detach() * sum(logs)
    total = total / len(slow.steps)
    before, _ = moments(ours, PackedEpisodes.of(batch, ours.policy))
    found = gradient(ours.actor_loss(before)[0].value, ours.policy)
    wanted = gradient(total, ours.policy)
    assert max(float(each.abs().max()) for each in found) > 1e-3
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14)


def test_with_a_vdn_mixer_a_value_is_the_enumerated_expectation(double_precision):
    ours, batch = learner(**VDN, twin=False), episodes((2, 1))
    slow = SlowADER(ours, batch)
    before, _ = moments(ours, PackedEpisodes.of(batch, ours.policy))
    found = ours.joint(ours.networks, "critic", before)[0].mean()
    value, total = ours.networks["critic_1"], 0.0
    for b, t in slow.steps:
        q = slow.utilities(value, b, t)
        for actions in itertools.product(range(4), repeat=3):
            chance = math.prod(float(slow.policies[b][t][i][a].detach()) for i, a in enumerate(actions))
            total += chance * sum(float(q[i, a]) for i, a in enumerate(actions)) / len(slow.steps)
    assert float(found) == pytest.approx(total, rel=1e-12)
