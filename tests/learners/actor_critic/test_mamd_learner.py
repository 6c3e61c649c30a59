"""MAMD: MAAC where its trust regions are wide, gradients of its actors, the old policies' clock."""

import dataclasses

import pytest
import torch

from cohort.components.clock import Clock
from cohort.components.functional import kl_divergence, masked_log_softmax, taken
from cohort.learners.actor_critic.mirror_descent import tsallis_log
from tests.builders import SMALL, make_learner, random_transitions
from tests.learners.actor_critic.test_maac_learner import OWN_REWARDS, double, learner


def same_networks(one, other) -> bool:
    pairs = [
        zip(each.networks[name].parameters(), more.networks[name].parameters(), strict=True)
        for each, more in ((one, other),)
        for name in ("policy", "critic")
    ]
    return all(torch.equal(a, b) for pair in pairs for a, b in pair)


@pytest.mark.parametrize("q", [1.0, 0.2])
def test_with_boundless_trust_regions_and_entropy_it_is_maac_to_the_bit(q):
    wide = {"trust_region": 1e300, "tsallis_q": q, "actor_entropy": True, "old_policy_interval": 2}
    maac, mamd = learner("maac", OWN_REWARDS), learner("mamd", OWN_REWARDS, **wide)
    mamd.trust_regions = torch.full((3,), torch.inf, dtype=torch.float64)
    for seed in range(5):
        one, other = (each.update(double(40, OWN_REWARDS, seed), Clock(episodes=0)) for each in (maac, mamd))
        assert float(one["actor_loss"]) == float(other["actor_loss"])
        assert float(one["critic_loss"]) == float(other["critic_loss"])
    assert same_networks(maac, mamd)


def test_nobody_constrained_is_maac_to_the_bit_and_one_is_that_one_alone():
    maac, nobody, one = (
        learner("maac"),
        learner("mamd", constrained_agents=[]),
        learner("mamd_op", constrained_agents=[1]),
    )
    everybody = learner("mamd")
    batch = double(40)
    weights = {}
    for name, each in {"nobody": nobody, "one": one, "everybody": everybody}.items():
        each.generator.set_state(maac.generator.get_state())
        weights[name] = each.held_weight(each.standing(batch))
    decisions = maac.decide(maac.policy, batch.obs, batch.available_actions)
    free = maac.score_weight(decisions, maac.advantages(batch.obs, decisions))
    assert torch.equal(weights["nobody"], free)
    assert torch.equal(weights["one"][:, [0, 2]], free[:, [0, 2]])
    assert torch.equal(weights["one"][:, 1], weights["everybody"][:, 1])
    assert (weights["everybody"] != free).any()


def expected_gradient(ours, batch, values, old, delta):
    """Of sum_i mean_b KL_i / delta_i - E[A_i], all actions enumerated, and the penalty."""
    logits = ours.policy(batch.obs)
    log_probs = masked_log_softmax(logits, batch.available_actions)
    chances = log_probs.exp()
    gain = (chances * values).sum(-1)
    loss = ((kl_divergence(log_probs, old) / delta - gain).mean(0)).sum()
    penalty = ours.settings.policy_penalty * logits.square().mean((0, 2)).sum()
    return torch.autograd.grad(loss + penalty, ours.actor_parameters)


def test_the_mean_gradient_over_all_actions_is_that_of_the_objective(monkeypatch):
    """q = 1, unavailable actions and one size for each agent: each action weighed by its chance, by enumeration."""
    ours = learner("mamd", tsallis_q=1.0, trust_region=[0.5, 2.0, 0.1], policy_penalty=0.3)
    batch = double(40)
    values = torch.randn(40, 3, 4, generator=torch.Generator().manual_seed(5)).double()
    monkeypatch.setattr(ours, "values", lambda obs, decisions, like=None: values)
    found = [torch.zeros_like(each) for each in ours.actor_parameters]
    standing = ours.standing(batch)
    log_probs, old = standing.decisions.log_probs, standing.old_log_probs
    for action in range(4):
        # an action that is not available is not drawn: its samples count nothing
        drawn = torch.full((40, 3), action)
        drawn = torch.where(
            batch.available_actions[..., action], drawn, batch.available_actions.float().argmax(-1)
        )
        decisions = standing.decisions._replace(actions=drawn)
        chance = log_probs.detach().exp()[..., action]  # 0 where it is not available
        probs = log_probs.detach().exp()
        advantages = taken(values, drawn) - (probs * values).sum(-1)
        weight = ours.held_weight(standing._replace(decisions=decisions, advantages=advantages))
        loss = (decisions.chosen * weight * chance).mean(0).sum()
        for total, each in zip(
            found, torch.autograd.grad(loss, ours.actor_parameters, retain_graph=True), strict=True
        ):
            total += each
    penalty = ours.settings.policy_penalty * standing.decisions.logits.square().mean((0, 2)).sum()
    for total, each in zip(found, torch.autograd.grad(penalty, ours.actor_parameters), strict=True):
        total += each
    expected = expected_gradient(ours, batch, values, old, torch.tensor([0.5, 2.0, 0.1]))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-9)  # the sizes are single precision


def test_the_loss_by_hand():
    ours, batch = learner("mamd", trust_region=[0.5, 2.0, 0.1]), double(40)
    standing = ours.standing(batch)
    decisions, total = standing.decisions, 0.0
    for i, delta in enumerate((0.5, 2.0, 0.1)):
        for b in range(40):
            action = int(decisions.actions[b, i])
            now, old = (each[b, i, action] for each in (decisions.log_probs, standing.old_log_probs))
            logs = [((each.exp() ** 0.8) - 1) / 0.8 for each in (now, old)]
            weight = (logs[0] - logs[1]) / delta - standing.advantages[b, i]
            total += float((now * weight).detach()) / 40
        total += 1e-3 * float(decisions.logits[:, i].square().mean().detach())
    assert float(ours.held_actor_loss(standing).value.detach()) == pytest.approx(total, rel=1e-6)


def test_the_weight_is_constant_and_finite_where_one_action_is_available():
    ours, batch = learner("mamd", trust_region=0.01), double(40)
    only = torch.zeros_like(batch.available_actions)
    only[..., 0] = True
    batch = dataclasses.replace(
        batch, available_actions=only, next_available_actions=only, actions=torch.zeros_like(batch.actions)
    )
    standing = ours.standing(batch)
    assert not ours.held_weight(standing).requires_grad
    metrics = ours.update(batch, Clock(episodes=0))
    assert float(metrics["kl_agent_0"]) == 0
    assert all(torch.isfinite(each).all() for each in ours.networks.parameters())


@pytest.mark.parametrize("algorithm", ["maac", "mamd"])
def test_the_old_policies_are_the_live_ones_at_updates_100_and_200_alone(algorithm):
    ours = make_learner(algorithm, SMALL, agent_hidden_dims=[4], critic_hidden_dim=4, attention_heads=2)
    batch = random_transitions(8, SMALL)
    for update in range(1, 206):
        metrics = ours.update(batch, Clock(episodes=0))
        pairs = zip(ours.policy.parameters(), ours.targets["old_policy"].parameters(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs) == (update in (100, 200)), update
        if algorithm == "mamd":  # measured before the step
            kl = [float(metrics[f"kl_agent_{i}"]) for i in range(3)]
            assert (max(kl) == 0) == (update in (1, 101, 201)), update
            assert min(kl) >= -1e-7


def test_maac_measures_the_kl_of_every_tenth_update_as_mamd_does():
    maac, mamd = (learner(name, **typed) for name, typed in (("maac", {}), ("mamd", {"actor_entropy": True})))
    mamd.trust_regions = torch.full((3,), torch.inf, dtype=torch.float64)
    measured = []
    for update in range(1, 32):
        one, other = (each.update(double(40, seed=update), Clock(episodes=0)) for each in (maac, mamd))
        if "kl_agent_0" in one:
            measured.append(update)
            for i in range(3):
                assert float(one[f"kl_agent_{i}"]) == float(other[f"kl_agent_{i}"])
    assert measured == [6, 16, 26]


def test_attention_is_logged_for_each_pair():
    ours, batch = learner("maac"), double(40)
    _, _, weights = ours.critic(batch.obs, ours.one_hot(batch.actions))
    metrics = ours.update(batch, Clock(episodes=0))
    for i in range(3):
        others = [j for j in range(3) if j != i]
        found = [float(metrics[f"attention_{i}_{j}"]) for j in others]
        assert sum(found) == pytest.approx(1)
        assert found == pytest.approx([float(weights[:, :, i, j].mean().detach()) for j in others])
        assert f"attention_{i}_{i}" not in metrics


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"trust_region": [1.0, 2.0]}, "has 2 sizes, and there are 3 agents"),
        ({"trust_region": 0}, "must be greater than 0"),
        ({"trust_region": [1, 0, 1]}, "must be greater than 0"),
        ({"constrained_agents": [0, 3]}, r"has \[3\], and the 3 agents are 0 to 2"),
        ({"constrained_agents": "some"}, "constrained_agents = 'some'"),
        ({"tsallis_q": 2}, "tsallis_q = 2"),
        ({"old_policy_interval": 0}, "old_policy_interval = 0"),
        ({"trust_region_budget": 0}, "trust_region_budget = 0"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(typed, told):
    with pytest.raises(Exception, match=told):
        make_learner("mamd", **typed)


def test_sizes_are_the_budgets_share_unless_they_are_given():
    assert learner("mamd").trust_regions.tolist() == pytest.approx([100 / 3] * 3)
    assert learner("mamd", trust_region=100).trust_regions.tolist() == [100] * 3
    assert learner("mamd", trust_region=[1, 2, 3]).trust_regions.tolist() == [1, 2, 3]


def test_log_q_of_the_weight_is_single_where_the_learner_is():
    ours = make_learner("mamd", agent_hidden_dims=[4], critic_hidden_dim=4, attention_heads=2)
    assert tsallis_log(torch.zeros(2), 0.2).dtype == torch.float32
    assert ours.trust_regions.dtype == torch.float32
