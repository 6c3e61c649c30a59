"""FOP against plain loops, and a small game whose soft optimum is known."""

import dataclasses
import math

import pytest
import torch

from cohort.components.clock import Clock
from cohort.learners.packed import PackedEpisodes
from tests.builders import SMALL, make_learner, random_episodes
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
T_ENV = 45_000  # alpha is half way between 0.5 and 0.05, epsilon 0.145
ALPHA, EPSILON = 0.275, 0.145


def learner(**typed):
    ours = unlike_targets(make_learner("fop", critic_hidden_dims=[8, 8], **typed))
    ours.t_env = T_ENV
    return ours


# --- single rows


def utilities_of(critic, obs, agent: int) -> torch.Tensor:
    """Q_i(o_i, .) of one agent: [A]."""
    return perceptron(critic, torch.cat([obs[agent], one_hot(agent, 3)]))


def joint_of(networks, twin: int, obs, state, actions, available) -> torch.Tensor:
    """Q_tot of one moment."""
    mixer = networks[f"mixer_{twin}"]
    both = torch.cat([state, *(one_hot(action) for action in actions)])
    joint = perceptron(mixer.value, state)[0]
    for agent, action in enumerate(actions):
        utilities = utilities_of(networks[f"critic_{twin}"], obs, agent)
        may = [a for a in range(4) if available[agent, a]]
        value = ALPHA * math.log(sum(math.exp(float(utilities[a].detach()) / ALPHA) for a in may))
        weight = 0.0
        for head in range(4):
            place = 3 * head + agent
            key = (mixer.key.weight[head] @ state + mixer.key.bias[head]).abs()
            who = torch.sigmoid(mixer.agents.weight[place] @ state + mixer.agents.bias[place])
            what = torch.sigmoid(mixer.actions.weight[place] @ both + mixer.actions.bias[place])
            weight = weight + key * who * what
        advantage = float(utilities[action].detach()) - value  # constant
        joint = joint + utilities[action] + (weight - 1) * advantage
    return joint


def chances_of(ours, logits, available, epsilon: float) -> dict[int, torch.Tensor]:
    """Of one agent's available actions."""
    may = [a for a in range(4) if available[a]]
    total = sum(logits[a].exp() for a in may)
    return {a: (1 - epsilon) * logits[a].exp() / total + epsilon / len(may) for a in may}


# --- losses


@pytest.mark.parametrize("inside", [True, False])
def test_the_actors_loss_and_gradient_are_those_of_plain_loops(inside):
    ours, episodes = learner(epsilon_in_policy=inside), double(random_episodes(LENGTHS))
    loss = ours.actor_loss(PackedEpisodes.of(episodes, ours.policy)).value
    logits = ours.policy.unroll(ours.policy.inputs(episodes), episodes)
    terms = []
    for b, length in enumerate(LENGTHS):
        for t in range(length):
            for i in range(3):
                twins = [
                    utilities_of(ours.networks[f"critic_{k}"], episodes.obs[b, t], i).detach() for k in (1, 2)
                ]
                chances = chances_of(
                    ours, logits[b, t, i], episodes.available_actions[b, t, i], EPSILON if inside else 0.0
                )
                terms.append(
                    sum(pi * (ALPHA * pi.log() - min(twins[0][a], twins[1][a])) for a, pi in chances.items())
                )
    expected = torch.stack(terms).mean()
    torch.testing.assert_close(loss, expected, rtol=1e-10, atol=1e-12)
    assert_same_gradient(loss, expected, list(ours.policy.parameters()))


@pytest.mark.parametrize("td_lambda", [0.0, 0.8])
def test_the_critics_losses_and_gradients_are_those_of_plain_loops(td_lambda):
    ours, episodes = learner(td_lambda=td_lambda), double(random_episodes(LENGTHS))
    assert episodes.terminated.any(dim=1).tolist() == [True, False, True]  # the second one is cut off
    packed = PackedEpisodes.of(episodes, ours.policy)
    before = ours.generator.get_state()
    target = ours.target(packed)
    ours.generator.set_state(before)
    decision = ours.decisions(packed, packed.packing.after_steps)
    drawn = packed.packing.padded(decision.sample(ours.generator))  # [B, T, N], after each step
    logits = ours.policy.unroll(ours.policy.inputs(episodes), episodes).detach()
    targets = {}
    for b, length in enumerate(LENGTHS):
        following, surprise = [], []
        for t in range(length):
            actions, available = drawn[b, t].tolist(), episodes.available_actions[b, t + 1]
            assert all(available[i, actions[i]] for i in range(3))
            obs, state = episodes.obs[b, t + 1], episodes.state[b, t + 1]
            with torch.no_grad():
                mixes = [joint_of(ours.targets, k, obs, state, actions, available).item() for k in (1, 2)]
            following.append(min(mixes))
            chances = [chances_of(ours, logits[b, t + 1, i], available[i], EPSILON) for i in range(3)]
            surprise.append(sum(math.log(chances[i][actions[i]]) for i in range(3)) / 3)
        ends = episodes.terminated[b, :length].tolist()
        returns = lambda_return(episodes.reward[b, :length].tolist(), ends, following, td_lambda, 0.99)
        for t in range(length):  # nothing follows where a game ends, and no surprise either
            targets[b, t] = returns[t] - (0.0 if ends[t] else ALPHA * surprise[t])
            assert target[b, t, 0].item() == pytest.approx(targets[b, t])
    for twin in (1, 2):
        loss = ours.critic_loss(packed, target, twin).value
        errors = [
            joint_of(
                ours.networks, twin, episodes.obs[b, t], episodes.state[b, t],
                episodes.actions[b, t].tolist(), episodes.available_actions[b, t],
            ) - wanted
            for (b, t), wanted in targets.items()
        ]  # fmt: skip
        expected = torch.stack(errors).square().mean()
        torch.testing.assert_close(loss, expected, rtol=1e-10, atol=1e-12)
        moved = [*ours.networks[f"critic_{twin}"].parameters(), *ours.networks[f"mixer_{twin}"].parameters()]
        assert_same_gradient(loss, expected, moved)


def test_each_loss_moves_its_own_networks_and_alpha_follows_the_steps():
    ours = make_learner("fop")
    before = {key: value.clone() for key, value in ours.networks.state_dict().items()}
    metrics = ours.update(random_episodes(LENGTHS), Clock(steps=T_ENV))
    assert float(metrics["alpha"]) == pytest.approx(ALPHA)
    changed = {
        key.split(".")[0] for key, value in ours.networks.state_dict().items() if (value != before[key]).any()
    }
    assert changed == {"policy", "critic_1", "critic_2", "mixer_1", "mixer_2"}
    first, second = (before[f"critic_{twin}.network.network.layers.0.weight"] for twin in (1, 2))
    assert not torch.equal(first, second)
    ends = [
        float(make_learner("fop").update(random_episodes([2]), Clock(steps=s))["alpha"])
        for s in (0, 90_000, 10**6)
    ]
    assert ends == pytest.approx([0.5, 0.05, 0.05])


# --- what must not matter, and what must be refused


def test_padding_changes_nothing():
    found = []
    for padding in (0.0, 30.0, float("nan")):
        ours = make_learner("fop")
        packed = PackedEpisodes.of(random_episodes([3, 5], padding=padding), ours.policy)
        target = ours.target(packed)
        losses = [ours.actor_loss(packed).value, *(ours.critic_loss(packed, target, k).value for k in (1, 2))]
        found.append([*losses, *torch.autograd.grad(sum(losses), list(ours.networks.parameters()))])
    for other in found[1:]:
        for one, same in zip(found[0], other, strict=True):
            torch.testing.assert_close(one, same, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("t_env", [0, 10**6])
def test_a_single_available_action_has_a_finite_gradient_and_nothing_to_choose(t_env):
    ours, episodes = learner(), double(random_episodes([4, 2]))
    ours.t_env = t_env
    only = torch.zeros_like(episodes.available_actions)
    only[..., 2] = True
    episodes = dataclasses.replace(
        episodes, available_actions=only, actions=torch.full_like(episodes.actions, 2)
    )
    packed = PackedEpisodes.of(episodes, ours.policy)
    loss = ours.actor_loss(packed)
    gradient = torch.autograd.grad(loss.value, list(ours.policy.parameters()))
    assert all(each.isfinite().all() and each.abs().max() < 1e-12 for each in gradient)
    assert float(loss.metrics["entropy"]) == 0
    critic = ours.critic_loss(packed, ours.target(packed), 1).value
    assert all(
        each.isfinite().all()
        for each in torch.autograd.grad(critic, list(ours.networks["critic_1"].parameters()))
    )


def test_a_restored_learner_goes_on_the_same():
    assert_goes_on_the_same(make_learner("fop"), make_learner("fop", seed=1), random_episodes(LENGTHS))


def test_rewards_of_their_own_and_mixers_that_read_less_are_refused(tmp_path):
    with pytest.raises(ValueError, match="common reward"):
        make_learner("fop", dataclasses.replace(SMALL, common_reward=False))
    other = tmp_path / "other.yaml"
    other.write_text("# Another mixer.\nextends: fop\nname: other\nmixer: vdn\n")
    with pytest.raises(ValueError, match="utilities, state, actions, values"):
        make_learner(str(other))


# --- a game whose soft optimum is known


def test_the_policy_becomes_the_softmax_of_the_values_over_alpha():
    """One step, r = what each agent's action pays, Q_i learned by all: pi_i = softmax(min_k Q_i / alpha)."""
    ours = make_learner(
        "fop", agent="mlp", agent_hidden_dims=[32], obs_last_action=False, critic_hidden_dims=[32], gamma=0.0,
        lr=0.005, critic_lr=0.005, alpha_start=0.5, alpha_finish=0.5, epsilon_in_policy=False,
    )  # fmt: skip
    pays = torch.tensor([[0.0, 1.0, 0.0, 0.5], [1.0, 0.0, 0.3, 0.0], [0.0, 0.0, 0.6, 1.2]])
    draw = torch.Generator().manual_seed(0)
    for _ in range(200):
        episodes = random_episodes([1] * 128, seed=0)
        actions = torch.randint(4, (128, 1, 3), generator=draw)
        reward = pays[torch.arange(3), actions[:, 0]].sum(dim=-1, keepdim=True)
        everything = torch.ones_like(episodes.available_actions)
        ours.update(
            dataclasses.replace(
                episodes, actions=actions, reward=reward, available_actions=everything,
                obs=torch.zeros_like(episodes.obs), state=torch.zeros_like(episodes.state),
                terminated=torch.ones_like(episodes.terminated),
            ),
            Clock(),
        )  # fmt: skip
    chances = ours.policy(torch.zeros(1, 3, 5))[0].softmax(-1).detach()
    values = torch.minimum(*(ours.networks[f"critic_{k}"](torch.zeros(1, 3, 5))[0].detach() for k in (1, 2)))
    assert float((chances - (values / 0.5).softmax(-1)).abs().max()) < 0.1
    assert torch.equal(chances.argmax(-1), pays.argmax(-1))
