"""FACMAC against plain loops, its gradients without autograd, and small games whose optimum is known."""

import dataclasses

import pytest
import torch
from torch import nn

from cohort.components.clock import Clock
from cohort.components.distributions import Categorical, Point
from cohort.components.transitions import Transitions
from cohort.learners.packed import PackedEpisodes
from tests.builders import PLANE, SMALL, make_learner, random_episodes, random_transitions
from tests.learners.factored.slow import (
    assert_goes_on_the_same,
    assert_same_gradient,
    double,
    lambda_return,
    one_hot,
    perceptron,
    unlike_targets,
)

LENGTHS = [3, 5, 1]
GAMMA = 0.99


def learner(algorithm: str = "facmac", spec=SMALL, **typed):
    """In double precision, with targets unlike the live networks."""
    sizes = {"critic_hidden_dims": [8, 8]}
    if spec is PLANE and typed.get("agent") != "rnn":
        sizes["agent_hidden_dims"] = [8, 8]
    env = "going_together" if spec is PLANE else "matrix_games"
    made = make_learner(algorithm, spec, env=env, **sizes, **typed)
    return unlike_targets(made)


def continuous_episodes(lengths: list[int], padding: float = 0.0):
    episodes = random_episodes(lengths, SMALL, padding=padding)  # the plane's sizes, but for the actions
    draw = torch.Generator().manual_seed(5)
    actions = torch.rand(*episodes.actions.shape, 2, generator=draw) * 2 - 1
    idle = ~episodes.mask[..., None, None]
    return dataclasses.replace(
        episodes,
        actions=actions.masked_fill(idle, padding),
        available_actions=torch.ones(*episodes.obs.shape[:3], 0, dtype=torch.bool),
    )


# --- single rows, layer by layer


def value_of(critic, obs, action) -> torch.Tensor:
    """Q_i(o_i, a_i) of one agent."""
    return perceptron(critic, torch.cat([obs, action]))[0]


def joint_of(networks, obs, actions, state) -> torch.Tensor:
    """Q_tot of one moment: [N, O], N rows of actions, [S]."""
    values = torch.stack([value_of(networks["critic"], obs[i], actions[i]) for i in range(len(obs))])
    return networks["mixer"](values, state)[0]


def slow_critic_loss(ours, episodes, td_lambda: float, gamma: float, act, read) -> torch.Tensor:
    """Loops over episodes and steps; `act(values, available)` is what the target actor does in one moment."""
    policy = ours.targets["policy"]
    values = policy.unroll(policy.inputs(episodes), episodes)
    errors = []
    for b, length in enumerate(episodes.length.tolist()):
        following = []
        for t in range(1, length + 1):
            actions = [act(values[b, t, i], episodes.available_actions[b, t, i]) for i in range(3)]
            with torch.no_grad():
                following.append(
                    joint_of(ours.targets, episodes.obs[b, t], actions, episodes.state[b, t]).item()
                )
        steps = slice(0, length)
        target = lambda_return(
            episodes.reward[b, steps].tolist(), episodes.terminated[b, steps].tolist(), following, td_lambda, gamma
        )  # fmt: skip
        for t in range(length):
            actions = [read(episodes.actions[b, t, i]) for i in range(3)]
            now = joint_of(ours.networks, episodes.obs[b, t], actions, episodes.state[b, t])
            errors.append((now - target[t]).square())
    return torch.stack(errors).mean()


def greedy(values, available) -> torch.Tensor:
    may = [action for action in range(SMALL.n_actions) if available[action]]
    return one_hot(max(may, key=lambda action: float(values[action])))


def critic_parameters(ours) -> list[nn.Parameter]:
    return [*ours.networks["critic"].parameters(), *ours.networks["mixer"].parameters()]


# --- the critic


@pytest.mark.parametrize("td_lambda", [0.0, 0.8, 1.0])
def test_the_critics_loss_and_gradient_are_those_of_plain_loops(td_lambda):
    ours, episodes = learner(td_lambda=td_lambda), double(random_episodes(LENGTHS))
    assert episodes.terminated.any(dim=1).tolist() == [True, False, True]  # the second one is cut off
    loss = ours.critic_loss(PackedEpisodes.of(episodes, ours.policy)).value
    expected = slow_critic_loss(ours, episodes, td_lambda, GAMMA, greedy, one_hot)
    torch.testing.assert_close(loss, expected, rtol=1e-10, atol=1e-12)
    assert_same_gradient(loss, expected, critic_parameters(ours))


def test_the_critic_of_continuous_episodes_is_that_of_plain_loops():
    ours = learner(
        "facmac_continuous", PLANE, learner="facmac_continuous_learner", agent="rnn", obs_last_action=True,
        updates_per_step=None, updates_per_episode=1.0, td_lambda=0.3,
    )  # fmt: skip
    episodes = double(continuous_episodes(LENGTHS))
    loss = ours.critic_loss(PackedEpisodes.of(episodes, ours.policy)).value
    expected = slow_critic_loss(
        ours, episodes, 0.3, GAMMA, lambda values, _: values.detach(), lambda action: action
    )
    torch.testing.assert_close(loss, expected, rtol=1e-10, atol=1e-12)
    assert_same_gradient(loss, expected, critic_parameters(ours))


def test_the_critic_of_single_steps_is_that_of_plain_loops():
    ours, batch = learner("facmac_continuous", PLANE), random_transitions(20, dtype=torch.float64)
    assert batch.terminated.any()
    assert batch.truncated.any()
    errors = []
    for row in range(20):
        target = batch.reward[row]
        if not batch.terminated[row]:  # one that was only cut off goes on
            actions = ours.targets["policy"](batch.next_obs[row : row + 1])[0]
            following = joint_of(ours.targets, batch.next_obs[row], actions, batch.next_state[row])
            target = target + GAMMA * following.detach()
        now = joint_of(ours.networks, batch.obs[row], batch.actions[row], batch.state[row])
        errors.append((now - target).square())
    loss, expected = ours.critic_loss(batch).value, torch.stack(errors).mean()
    torch.testing.assert_close(loss, expected, rtol=1e-10, atol=1e-12)
    assert_same_gradient(loss, expected, critic_parameters(ours))


# --- the actors


def test_the_actors_gradient_is_the_critics_slope_through_the_softmax_without_autograd():
    """d(-mean Q_tot) / d logits = -1/R y (g - <y, g>), g = dQ_tot / da by finite differences at the sampled actions."""
    ours, rows = learner(), 4
    draw = torch.Generator().manual_seed(1)
    logits = torch.randn(rows, 3, 4, generator=draw, dtype=torch.float64, requires_grad=True)
    available = torch.rand(rows, 3, 4, generator=draw) < 0.7
    available[..., 1] = True
    obs, state = (torch.randn(rows, *shape, generator=draw, dtype=torch.float64) for shape in ((3, 5), (6,)))
    before = ours.generator.get_state()
    decision = Categorical(logits, available)
    (gradient,) = torch.autograd.grad(ours.climb(decision, obs, state).value, logits)

    ours.generator.set_state(before)
    noise = -torch.empty(rows, 3, 4, dtype=torch.float64).exponential_(generator=ours.generator).log()
    with torch.no_grad():
        soft = (logits.masked_fill(~available, -torch.inf) + noise).softmax(-1)
        hard = nn.functional.one_hot(soft.argmax(-1), 4).double()
        expected, step = torch.zeros_like(gradient), 1e-6
        for row in range(rows):
            for agent in range(3):
                slope = torch.zeros(4, dtype=torch.float64)
                for action in range(4):
                    ends = []
                    for side in (step, -step):
                        moved = hard[row].clone()
                        moved[agent, action] += side
                        ends.append(joint_of(ours.networks, obs[row], moved, state[row]))
                    slope[action] = (ends[0] - ends[1]) / (2 * step)
                y = soft[row, agent]
                expected[row, agent] = -y * (slope - (y * slope).sum()) / rows
    torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=1e-8)
    assert not gradient[~available].any()


def test_all_actors_climb_at_once_from_the_real_steps_of_their_episodes():
    """The loss is Q_tot at actions drawn anew for every agent, not at those in the record."""
    ours, episodes = learner(), double(random_episodes(LENGTHS))
    packed = PackedEpisodes.of(episodes, ours.policy)
    before = ours.generator.get_state()
    loss = ours.actor_loss(packed)
    ours.generator.set_state(before)
    values = ours.policy.unroll(ours.policy.inputs(episodes), episodes)[:, :-1]
    rows = packed.packing.of_steps(values)
    available = packed.packing.of_steps(episodes.available_actions[:, :-1])
    actions = Categorical(rows, available).straight_through(ours.generator).detach()
    obs, state = (packed.packing.of_steps(each[:, :-1]) for each in (episodes.obs, episodes.state))
    expected = [joint_of(ours.networks, *row).item() for row in zip(obs, actions, state, strict=True)]
    assert len(expected) == sum(LENGTHS)
    assert loss.value.item() == pytest.approx(-sum(expected) / len(expected))
    gradient = torch.autograd.grad(loss.value, list(ours.policy.parameters()))
    assert all(each.isfinite().all() and each.any() for each in gradient)


def test_the_gradient_of_deterministic_actors_is_that_of_finite_differences():
    ours, batch = (
        learner("facmac_continuous", PLANE, action_penalty=0.3),
        random_transitions(7, dtype=torch.float64),
    )
    parameters = list(ours.policy.parameters())
    gradient = torch.autograd.grad(ours.actor_loss(batch).value, parameters)

    def slow_loss() -> float:
        with torch.no_grad():
            actions = ours.policy(batch.obs)
            values = [
                joint_of(ours.networks, *row) for row in zip(batch.obs, actions, batch.state, strict=True)
            ]
            return float(0.3 * actions.square().mean() - torch.stack(values).mean())

    assert ours.actor_loss(batch).value.item() == pytest.approx(slow_loss())
    step = 1e-6
    for parameter, slope in zip(parameters, gradient, strict=True):
        flat, slope = parameter.data.view(-1), slope.flatten()
        for place in (0, len(flat) // 2, len(flat) - 1):
            kept, ends = flat[place].item(), []
            for side in (step, -step):
                flat[place] = kept + side
                ends.append(slow_loss())
            flat[place] = kept
            assert slope[place].item() == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-4, abs=1e-8)


def test_critic_and_actors_move_by_their_own_losses():
    ours = make_learner("facmac")
    packed = PackedEpisodes.of(random_episodes(LENGTHS), ours.policy)
    for name, loss, moved in (
        ("critic", ours.critic_loss, ("critic", "mixer")),
        ("actor", ours.actor_loss, ("policy",)),
    ):
        before = {key: value.clone() for key, value in ours.networks.state_dict().items()}
        ours.minimise(name, loss(packed))
        changed = {
            key.split(".")[0]
            for key, value in ours.networks.state_dict().items()
            if (value != before[key]).any()
        }
        assert changed == set(moved)


# --- what must not matter, and what must be refused


@pytest.mark.parametrize("kind", ["discrete", "continuous"])
def test_padding_changes_nothing(kind):
    found = []
    for padding in (0.0, 30.0, float("nan")):
        if kind == "discrete":
            ours, episodes = make_learner("facmac"), random_episodes([3, 5], padding=padding)
        else:
            ours = make_learner(
                "facmac_continuous", PLANE, env="going_together", learner="facmac_continuous_learner", agent="rnn",
                obs_last_action=True, updates_per_step=None, updates_per_episode=1.0,
            )  # fmt: skip
            episodes = continuous_episodes([3, 5], padding)
        packed = PackedEpisodes.of(episodes, ours.policy)
        losses = ours.critic_loss(packed).value, ours.actor_loss(packed).value
        gradients = [
            *torch.autograd.grad(losses[0], critic_parameters(ours)),
            *torch.autograd.grad(losses[1], list(ours.policy.parameters())),
        ]
        found.append([*losses, *gradients])
    for other in found[1:]:
        for one, same in zip(found[0], other, strict=True):
            torch.testing.assert_close(one, same, rtol=1e-5, atol=1e-7)


def test_a_single_available_action_has_a_finite_gradient_and_nothing_to_choose():
    ours, episodes = learner(), double(random_episodes([4, 2]))
    only = torch.zeros_like(episodes.available_actions)
    only[..., 2] = True
    episodes = dataclasses.replace(
        episodes, available_actions=only, actions=torch.full_like(episodes.actions, 2)
    )
    loss = ours.actor_loss(PackedEpisodes.of(episodes, ours.policy))
    gradient = torch.autograd.grad(loss.value, list(ours.policy.parameters()))
    assert all(each.isfinite().all() and each.abs().max() < 1e-12 for each in gradient)
    assert float(loss.metrics["entropy"]) == 0


@pytest.mark.parametrize("algorithm", ["facmac", "facmac_continuous"])
def test_a_restored_learner_goes_on_the_same(algorithm):
    if algorithm == "facmac":
        sizes, batch = {}, random_episodes(LENGTHS)
    else:
        sizes, batch = {"spec": PLANE, "env": "going_together"}, random_transitions(8)
    ours, again = make_learner(algorithm, **sizes), make_learner(algorithm, seed=1, **sizes)
    assert_goes_on_the_same(ours, again, batch)


def test_rewards_of_their_own_and_mixers_that_read_more_are_refused():
    with pytest.raises(ValueError, match="common reward"):
        make_learner("facmac", dataclasses.replace(SMALL, common_reward=False))
    with pytest.raises(ValueError, match="utilities, state"):
        make_learner("facmac", mixer="mnmpg", hierarchy_dim=3, concat_ori_s=True, decoder_bn=False)


# --- games whose optimum is known


def test_actors_find_the_best_available_actions():
    """r is how many agents take the available action whose number their observation shows as the largest."""
    sizes = {"agent": "mlp", "agent_hidden_dims": [32], "critic_hidden_dims": [32], "obs_last_action": False}
    ours = make_learner("facmac", lr=0.01, critic_lr=0.01, gamma=0.0, **sizes)
    best = None
    for seed in range(150):
        episodes = random_episodes([1] * 128, seed=seed)
        scores = episodes.obs[:, 0, :, :4].masked_fill(~episodes.available_actions[:, 0], -9)
        best = scores.argmax(dim=-1)  # [B, N]
        reward = (episodes.actions[:, 0] == best).float().sum(dim=-1, keepdim=True)
        ours.update(dataclasses.replace(episodes, reward=reward), Clock())
    values = ours.policy(episodes.obs[:, 0])
    mode = ours.policy.decide(values, episodes.available_actions[:, 0]).mode
    assert float((mode == best).float().mean()) > 0.85  # at random it is 0.37


def test_deterministic_actors_find_the_peak_of_a_quadratic_reward():
    """r = 1 - sum_i |a_i - c_i|^2, and every episode has one step: a_i = c_i, which the observation shows."""
    ours = make_learner(
        "facmac_continuous", PLANE, env="going_together", agent_hidden_dims=[32, 32], critic_hidden_dims=[64],
        action_penalty=0.0, optim_eps=1e-7, lr=0.003, critic_lr=0.003,
    )  # fmt: skip
    draw = torch.Generator().manual_seed(0)

    def batch(rows: int) -> Transitions:
        obs = torch.rand(rows, 3, 5, generator=draw) * 1.2 - 0.6
        actions = torch.rand(rows, 3, 2, generator=draw) * 2 - 1
        reward = 1 - (actions - obs[..., :2]).square().sum(dim=(1, 2))
        state, always = obs.flatten(1)[:, :6], torch.ones(rows, dtype=torch.bool)
        available = torch.ones(rows, 3, 0, dtype=torch.bool)
        return Transitions(obs, obs, state, state, available, available, actions, reward, always, ~always)

    for _ in range(250):
        ours.update(batch(128), Clock())
    test = batch(256)
    distance = (Point(ours.policy(test.obs)).mode - test.obs[..., :2]).square().mean().sqrt().detach()
    assert float(distance) < 0.15  # at random it is 0.67
