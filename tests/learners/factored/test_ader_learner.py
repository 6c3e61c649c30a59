"""ADER's temperatures, contributions and updates; what it refuses; games whose optimum is known."""

import dataclasses
import math

import pytest
import torch

from cohort.components.clock import Clock
from cohort.envs.base import EnvSpec
from cohort.learners.packed import PackedEpisodes
from tests import harness
from tests.builders import PLANE, SMALL, make_learner, random_episodes, random_transitions
from tests.learners.factored.small_ader import VARIANTS, VDN, episodes, learner, moments

# temperatures


@pytest.mark.parametrize(("excess", "direction"), [(0.5, -1), (-0.5, 1), (0.0, 0)])
def test_a_temperature_falls_where_entropy_is_above_its_target(excess, direction):
    ours = learner()
    before, _ = moments(ours, PackedEpisodes.of(episodes(), ours.policy))
    moment = before._replace(entropy=(ours.target_entropies.values + excess).expand_as(before.entropy))
    start = ours.temperatures.log_alpha.detach().clone()
    ours.minimise("alpha", ours.alpha_loss(moment))
    moved = ours.temperatures.log_alpha.detach() - start
    assert (moved.sign() == direction).all()


def test_agents_without_a_choice_move_no_temperature():
    ours, batch = learner(), episodes()
    only = torch.zeros_like(batch.available_actions)
    only[..., 0] = True
    batch = dataclasses.replace(
        batch,
        available_actions=torch.cat([only[:, :, :1], batch.available_actions[:, :, 1:]], dim=2),
        actions=torch.cat([torch.zeros_like(batch.actions[:, :, :1]), batch.actions[:, :, 1:]], dim=2),
    )
    start = ours.temperatures.log_alpha.detach().clone()
    metrics = ours.update(batch, Clock())
    moved = ours.temperatures.log_alpha.detach() != start
    assert moved.tolist() == [False, True, True]
    assert float(metrics["entropy_0"]) == 0
    nobody = dataclasses.replace(batch, available_actions=only, actions=torch.zeros_like(batch.actions))
    ours.update(nobody, Clock())
    assert all(torch.isfinite(each).all() for each in ours.networks.parameters())


def test_losses_read_temperatures_within_their_limits():
    for start, expected in ((5.0, 0.5), (-20.0, 0.0001), (-2.0, math.exp(-2))):
        found = learner(log_alpha_init=start).temperatures.values
        torch.testing.assert_close(found, torch.full((3,), expected))


# what agents contribute


def test_contributions_are_the_mixers_slopes_and_never_negative():
    ours, batch = learner(), episodes()
    before, _ = moments(ours, PackedEpisodes.of(batch, ours.policy))
    assert (ours.actor_loss(before)[1] >= 0).all()
    weights = torch.tensor([0.5, 2.0, 0.0])
    for name in ours.names["critic"]:
        ours.networks[name].joint = lambda own, state: (own * weights).sum(-1, keepdim=True)
    before, _ = moments(ours, PackedEpisodes.of(batch, ours.policy))
    gain = ours.actor_loss(before)[1]
    torch.testing.assert_close(gain, weights.expand_as(gain))


def test_with_a_vdn_mixer_ader_is_ser_marl():
    """Equal contributions, equal shares: the same numbers, bit for bit."""
    ader, ser = learner("ader", **VDN), learner("ser_marl", **VDN)
    for seed in range(4):
        batch = episodes(seed=seed)
        one, other = ader.update(batch, Clock()), ser.update(batch, Clock())
        assert {name: float(value) for name, value in one.items()} == {
            name: float(value) for name, value in other.items()
        }
        assert [float(one[f"contribution_{i}"]) for i in range(3)] == [1.0, 1.0, 1.0]
    for pair in zip(ader.networks.parameters(), ser.networks.parameters(), strict=True):
        assert torch.equal(*pair)


def test_the_camera_ready_metric_is_the_authors_difference_quotient(double_precision):
    ours = learner(metric="cr")
    before, _ = moments(ours, PackedEpisodes.of(episodes(), ours.policy))
    pi, step = before.policy.detach(), 1e-5
    slope = torch.where(pi > 0, -1 - pi.clamp(min=1e-30).log(), 0.0)
    moved = pi + step * slope
    moved = moved / moved.sum(-1, keepdim=True)

    def entropy(p):
        return torch.special.entr(p).sum(-1)

    q = ours.networks["critic_1"].utilities(before.obs).detach()
    rise = ((moved - pi) * q).sum(-1)
    expected = -rise / (entropy(moved) - entropy(pi) + 1e-8)
    choice = before.choice & ((entropy(moved) - entropy(pi)) > 1e-7)
    assert choice.float().mean() > 0.5
    torch.testing.assert_close(ours.price_of_entropy(before)[choice], expected[choice], rtol=1e-3, atol=1e-4)


# updates


def test_the_order_of_an_update_and_its_metrics():
    ours = learner()
    names = []
    step_along = ours.step_along
    ours.step_along = lambda name, *others: names.append(name) or step_along(name, *others)
    shares = ours.target_entropies.shares.clone()
    metrics = ours.update(episodes(), Clock())
    assert names == ["critic", "entropy_critic", "actor", "alpha"]
    assert not torch.equal(ours.target_entropies.shares, shares)
    for i in range(3):
        assert {f"alpha_{i}", f"target_entropy_{i}", f"entropy_{i}", f"contribution_{i}"} <= set(metrics)
    total = sum(float(metrics[f"target_entropy_{i}"]) for i in range(3))
    assert total == pytest.approx(3 * math.log(4) * 0.1, rel=1e-6)


@pytest.mark.parametrize("mode", ["hard", "soft"])
def test_targets_follow_as_the_mode_says(mode):
    ours = learner(target_mode=mode, target_update_interval=10, target_update_rate=0.25)
    assert "policy" not in ours.targets.networks
    before = [each.clone() for each in ours.targets.networks.parameters()]
    ours.update(episodes(), Clock(episodes=10))
    for old, (name, target) in zip(before, ours.targets.networks.named_parameters(), strict=True):
        live = dict(ours.networks.named_parameters())[name]
        torch.testing.assert_close(target, live if mode == "hard" else 0.75 * old + 0.25 * live)


@pytest.mark.parametrize(
    ("algorithm", "spec", "typed"),
    [
        ("ader", SMALL, {}),
        ("ader_single_critic", SMALL, {}),
        ("ader_no_ema", SMALL, {"entropy_nets": "separate"}),
        ("ader", PLANE, {"env": "mamujoco"}),
    ],
)
def test_a_restored_learner_goes_on_with_the_same_numbers(algorithm, spec, typed):
    def batch(seed):
        return random_transitions(20, spec, seed) if spec is PLANE else episodes(seed=seed)

    ours, again = learner(algorithm, spec, **typed), learner(algorithm, spec, seed=7, **typed)
    for seed in range(2):
        ours.update(batch(seed), Clock(episodes=seed))
    again.load_state_dict(ours.state_dict())
    for seed in range(2, 4):
        one, other = (each.update(batch(seed), Clock(episodes=seed)) for each in (ours, again))
        assert {name: float(value) for name, value in one.items()} == {
            name: float(value) for name, value in other.items()
        }
    for pair in zip(ours.networks.parameters(), again.networks.parameters(), strict=True):
        assert torch.equal(*pair)


@pytest.mark.parametrize("typed", VARIANTS, ids=lambda typed: ",".join(typed) or "default")
def test_every_network_moves_and_stays_finite(typed):
    ours = learner(**typed)
    start = [each.clone() for each in ours.networks.parameters()]
    for seed in range(3):
        ours.update(episodes(seed=seed), Clock(steps=25_000))
    for before, (name, now) in zip(start, ours.networks.named_parameters(), strict=True):
        assert torch.isfinite(now).all(), name
        assert not torch.equal(before, now), name


def test_the_exploring_policy_can_be_learned_from_its_first_step():
    """Where all chances are equal, no gradient reaches the policy, and it stays."""
    ours = learner(eps_in_learner=True)
    start = [each.clone() for each in ours.policy.parameters()]
    ours.update(episodes(), Clock(steps=0))
    assert all(torch.equal(*pair) for pair in zip(start, ours.policy.parameters(), strict=True))
    ours.update(episodes(), Clock(steps=25_000))
    assert not all(torch.equal(*pair) for pair in zip(start, ours.policy.parameters(), strict=True))


# what is refused


@pytest.mark.parametrize(
    ("spec", "typed", "words"),
    [
        (dataclasses.replace(SMALL, common_reward=False), {}, "reward of its own"),
        (SMALL, {"mixer": "vdn"}, "mixer=qmix"),
        (SMALL, {"target_entropies": "given", "given_target_entropies": [1.0]}, "1 numbers, and there are 3"),
        (dataclasses.replace(SMALL, n_actions=0, action_dim=2), {}, "continuous"),
        (PLANE, {"env": "mamujoco", "metric": "cr"}, "metric=paper"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(spec, typed, words):
    with pytest.raises(ValueError, match=words):
        make_learner("ader", spec, **typed)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("critic=individual_action", "critic can be: individual"),
        ("mixer=qmix alpha_min=0.6", "alpha_min"),
        ("norm=mean", "norm"),
        ("head=squashed_gaussian", "head can be: categorical"),
        ("ema_xi=1.5", "ema_xi"),
    ],
)
def test_wrong_values_are_refused_before_anything_is_built(text, words):
    with pytest.raises(Exception, match=words):
        harness.plan("ader", "matrix_games", text)


# learning


def test_a_team_finds_the_one_best_meeting():
    """9 where both must agree, another equilibrium at 6, 21 / 9 at random."""
    game = "env_args.map_name=custom env_args.payoff=[[6,0,0],[0,0,9],[0,2,4]]"
    sizes = "rnn_hidden_dim=16 batch_size=32 batch_size_run=8 buffer_size=500 epsilon_anneal_time=400"
    rates = "optimiser=adam actor_lr=0.005 critic_lr=0.01 alpha_lr=0.01 target_update_interval=40"
    trained = harness.experiment("ader", "matrix_games", f"{game} {sizes} {rates} updates_per_episode=0.5")
    for _ in range(60):
        trained.trainer.iterate()
    assert trained.evaluate()["test_return_mean"] == 9


def test_temperatures_bring_entropies_to_their_targets():
    """Whatever there is to earn, each agent ends at the entropy that is asked of it."""
    spec = EnvSpec(n_agents=2, n_actions=4, obs_dim=2, state_dim=2, episode_limit=1)
    ours = learner(
        spec=spec, target_entropies="given", given_target_entropies=[0.5, 1.2],
        optimiser="adam", actor_lr=0.01, alpha_lr=0.01, critic_lr=0.01, alpha_max=10.0,
    )  # fmt: skip
    batch = random_episodes([1] * 32, spec)
    batch = dataclasses.replace(
        batch,
        available_actions=torch.ones_like(batch.available_actions),
        reward=(batch.actions == 0).float().sum(-1),
    )
    for _ in range(300):
        metrics = ours.update(batch, Clock())
    assert [float(metrics[f"entropy_{i}"]) for i in range(2)] == pytest.approx([0.5, 1.2], abs=0.2)


def test_continuous_policies_find_the_best_actions_with_the_entropy_that_is_asked():
    """Single steps, reward 1 - sum (a - goal)^2."""
    spec = EnvSpec(n_agents=2, n_actions=0, obs_dim=2, state_dim=2, episode_limit=1, action_dim=1)
    ours = make_learner(
        "ader", spec, env="mamujoco", obs_agent_id=True, critic_agent_id=True, agent_hidden_dims=[32],
        critic_hidden_dims=[32], mixing_embed_dim=8, hypernet_embed=8, actor_lr=0.01, critic_lr=0.01,
        alpha_lr=0.01, optim_eps=1e-8, grad_norm_clip=10.0,
    )  # fmt: skip
    draw, goal = torch.Generator().manual_seed(0), torch.tensor([[0.4], [-0.3]])
    batch = dataclasses.replace(
        random_transitions(100, spec), obs=torch.ones(100, 2, 2), state=torch.ones(100, 2)
    )
    for _ in range(200):
        with torch.no_grad():
            actions = ours.policy.decide(ours.policy(batch.obs), batch.available_actions).sample(draw)
        reward = 1 - (actions - goal).square().sum((1, 2))
        over = torch.ones(100, dtype=torch.bool)
        ours.update(dataclasses.replace(batch, actions=actions, reward=reward, terminated=over), Clock())
    decision = ours.policy.decide(ours.policy(batch.obs[:1]), batch.available_actions[:1])
    torch.testing.assert_close(decision.mode[0], goal, atol=0.15, rtol=0)
    entropy = -decision.log_prob(decision.sample(draw)).detach()
    assert ours.target_entropies.total == -2
    assert float(entropy.mean()) < 0.5
