"""ADER against slow loops, enumeration, closed forms, and a game whose optimum is known."""

import dataclasses
import itertools
import math

import pytest
import torch

from cohort.components.clock import Clock
from cohort.components.episodes import Episodes
from cohort.envs.base import EnvSpec
from cohort.learners.factored.ader_learner import Moment
from cohort.learners.packed import PackedEpisodes
from tests import harness
from tests.builders import PLANE, SMALL, make_learner, random_episodes, random_transitions
from tests.learners.factored.slow_ader import SlowADER

MIXER_SIZES = {"mixing_embed_dim": 4, "hypernet_embed": 6}
PLANE_SIZES = {"agent_hidden_dims": [8]}
VDN = {"mixer": "vdn", "entropy_nets": "separate"}
VARIANTS = [
    {},
    {"twin": False, "td_lambda": 0.0},
    {"entropy_scale": "one", "td_lambda": 1.0},
    {"entropy_lambda": "code"},
    {"entropy_nets": "separate"},
    {"critics": "soft"},
    {"alpha_include_dead": True, "log_alpha_init": 0.0},
    {"eps_in_learner": True, "epsilon_start": 0.5, "epsilon_finish": 0.5},
    {"hypernet_layers": 1, "gamma": 0.5},
    VDN,
]


@pytest.fixture
def double():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def learner(algorithm: str = "ader", spec: EnvSpec = SMALL, **typed):
    """Small, and with targets unlike the live networks."""
    sizes = {} if typed.get("mixer") == "vdn" else MIXER_SIZES
    sizes = sizes | (PLANE_SIZES if spec.action_dim else {"rnn_hidden_dim": 8})
    made = make_learner(algorithm, spec, critic_hidden_dims=[8], **sizes, **typed)
    draw = torch.Generator().manual_seed(3)
    for parameter in made.targets.networks.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=draw)
    return made


def episodes(lengths=(3, 5, 1, 4), **options) -> Episodes:
    return random_episodes(list(lengths), **options).map(
        lambda each: each.to(torch.get_default_dtype()) if each.is_floating_point() else each
    )


def moments(ours, packed: PackedEpisodes):
    return ours.moments(packed, ours.noise(len(packed.packing.steps)))


def gradient(loss, network, *, retain: bool = False):
    found = torch.autograd.grad(loss, list(network.parameters()), allow_unused=True, retain_graph=retain)
    return [each for each in found if each is not None]


# the losses


@pytest.mark.parametrize("typed", VARIANTS, ids=lambda typed: ",".join(typed) or "default")
def test_losses_and_gradients_equal_loops_over_episodes_steps_and_agents(double, typed):
    ours, batch = learner(**typed), episodes()
    epsilon = 0.5 if typed.get("eps_in_learner") else None
    slow = SlowADER(ours, batch, epsilon)
    packed = PackedEpisodes.of(batch, ours.policy)
    before, after = moments(ours, packed)
    targets = ours.targets_of(packed, after)
    assert set(targets) == set(ours.names)
    for kind, target in targets.items():
        loss, expected = ours.critic_loss(kind, packed, before, target).value, slow.critic_loss(kind)
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


def test_no_loss_reaches_what_another_one_moves():
    ours, batch = learner(), episodes()
    packed = PackedEpisodes.of(batch, ours.policy)
    before, after = moments(ours, packed)
    assert not after.entropy.requires_grad
    assert not after.policy.requires_grad
    targets = ours.targets_of(packed, after)
    assert not any(each.requires_grad for each in targets.values())
    for kind in targets:
        loss = ours.critic_loss(kind, packed, before, targets[kind]).value
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


def test_a_cut_episode_goes_on_to_a_value_and_an_ended_one_does_not(double):
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


def test_with_a_vdn_mixer_the_gradient_is_the_score_functions_over_all_joint_actions(double):
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


def test_with_a_vdn_mixer_a_value_is_the_enumerated_expectation(double):
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


# the two Bellman operators on a tiny MDP, through the learner's own targets


class TinyMDP:
    """3 states, 2 agents, 2 actions, all random; every (s, s') stands as an episode of one step."""

    gamma = 0.9

    def __init__(self, seed: int, **typed) -> None:
        draw = torch.Generator().manual_seed(seed)
        chances = torch.rand(3, 2, 2, 3, generator=draw).softmax(-1)  # s, a_1, a_2, s'
        reward = torch.randn(3, 2, 2, generator=draw)
        self.pi = (2 * torch.randn(3, 2, 2, generator=draw)).softmax(-1)  # s, agent, action
        joint = self.pi[:, 0, :, None] * self.pi[:, 1, None, :]
        self.p = (joint[..., None] * chances).sum((1, 2))  # [3, 3]
        self.r = (joint * reward).sum((1, 2))
        self.entropy = -(self.pi * self.pi.log()).sum(-1)  # [3, 2]
        spec = EnvSpec(n_agents=2, n_actions=2, obs_dim=3, state_dim=3, episode_limit=1)
        self.ours = learner(spec=spec, gamma=self.gamma, td_lambda=0.0, **typed)
        self.alpha = torch.tensor([0.3, 0.1])
        self.ours.temperatures.log_alpha.data = self.alpha.log()
        pairs = torch.tensor(list(itertools.product(range(3), repeat=2)))
        seen = torch.eye(3)[pairs]  # [9, 2, 3]
        self.batch = Episodes(
            obs=seen.unsqueeze(2).expand(-1, -1, 2, -1),
            state=seen,
            available_actions=torch.ones(9, 2, 2, 2, dtype=torch.bool),
            actions=torch.zeros(9, 1, 2, dtype=torch.int64),
            reward=self.r[pairs[:, 0]].unsqueeze(1),
            terminated=torch.zeros(9, 1, dtype=torch.bool),
            truncated=torch.ones(9, 1, dtype=torch.bool),
            length=torch.ones(9, dtype=torch.int64),
        )
        self.packed = PackedEpisodes.of(self.batch, self.ours.policy)
        self.weight = self.p[pairs[:, 0], pairs[:, 1]].view(3, 3, 1)

    def backup(self, tables: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """One application of both operators to values of states, [3, J] each, without the present entropy."""

        def joint(networks, kind, moment):
            return tables[kind][moment.state.argmax(-1)], []

        self.ours.joint = joint
        after = self.packed.states_after
        moment = Moment(None, after, None, self.entropy[after.argmax(-1)], None)
        targets = self.ours.targets_of(self.packed, moment)
        padded = {kind: self.packed.packing.padded(each)[:, 0] for kind, each in targets.items()}  # [9, J]
        return {kind: (self.weight * each.view(3, 3, -1)).sum(1) for kind, each in padded.items()}

    def fixed_point(self) -> dict[str, torch.Tensor]:
        tables = {kind: torch.zeros(3, 1 if kind == "critic" else 2) for kind in self.ours.names}
        for _ in range(400):
            tables = self.backup(tables)
        return tables

    def solved(self, reward: torch.Tensor) -> torch.Tensor:
        return torch.linalg.solve(torch.eye(3) - self.gamma * self.p, reward)


def test_the_operators_fixed_points_are_those_of_linear_algebra(double):
    found = {}
    for scale in ("one", "alpha"):
        game = TinyMDP(0, entropy_scale=scale)
        values = found[scale] = game.fixed_point()
        torch.testing.assert_close(values["critic"][:, 0], game.solved(game.r))
        expected = game.solved(game.gamma * game.p @ game.entropy)
        factor = game.alpha if scale == "alpha" else 1.0
        torch.testing.assert_close(values["entropy_critic"], expected * factor)
    soft = TinyMDP(0, critics="soft")
    q_soft = soft.fixed_point()["critic"][:, 0]
    one = found["one"]["critic"][:, 0] + (soft.alpha * found["one"]["entropy_critic"]).sum(-1)
    torch.testing.assert_close(q_soft, one)
    unweighted = found["alpha"]["critic"][:, 0] + found["alpha"]["entropy_critic"].sum(-1)
    torch.testing.assert_close(q_soft, unweighted)
    weighted = found["alpha"]["critic"][:, 0] + (soft.alpha * found["alpha"]["entropy_critic"]).sum(-1)
    assert (weighted - q_soft).abs().max() > 0.1  # future entropy weighs alpha squared there


def test_the_operators_contract(double):
    game, draw = TinyMDP(1), torch.Generator().manual_seed(0)
    for _ in range(200):
        pair = [
            {kind: torch.randn(3, 1 if kind == "critic" else 2, generator=draw) for kind in game.ours.names}
            for _ in range(2)
        ]
        after = [game.backup(each) for each in pair]
        for kind in game.ours.names:
            distance = (after[0][kind] - after[1][kind]).abs().max()
            assert distance <= game.gamma * (pair[0][kind] - pair[1][kind]).abs().max() + 1e-12


@pytest.mark.parametrize(("form", "expected"), [("unbiased", 99.0), ("code", 19.8)])
def test_lambda_returns_of_a_constant_entropy(double, form, expected):
    """gamma h / (1 - gamma), and (1 - lambda) times that in the authors' form, are fixed points at gamma .99."""
    ours = learner(entropy_lambda=form, entropy_scale="one", gamma=0.99, td_lambda=0.8)
    batch = dataclasses.replace(episodes((80, 1)), terminated=torch.zeros(2, 80, dtype=torch.bool))
    packed = PackedEpisodes.of(batch, ours.policy)
    _, after = moments(ours, packed)
    sizes = {"critic": 1, "entropy_critic": 3}
    ours.joint = lambda networks, kind, moment: (torch.full((81, sizes[kind]), expected), [])
    target = ours.targets_of(packed, after._replace(entropy=torch.ones(81, 3)))["entropy_critic"]
    first = packed.packing.padded(target)[0, 0]
    torch.testing.assert_close(first, torch.full((3,), expected), rtol=1e-6, atol=0)


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


def test_the_camera_ready_metric_is_the_authors_difference_quotient(double):
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
